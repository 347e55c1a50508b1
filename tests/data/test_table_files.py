"""CSV and Parquet files as datasets: what becomes of their columns, and what is refused, with the fix."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pyarrow
import pytest
from pyarrow import parquet

from core.data import DatasetInvalid
from core.data.bundle import Bundle
from core.data.inspection import examine, facts_of
from core.data.reading import Reading
from core.data.table_files import read_table, table_format

ROWS = 90
RNG = np.random.default_rng(0)
PLAIN = pandas.DataFrame(
    {
        "age": RNG.integers(20, 60, ROWS),
        "height": RNG.normal(size=ROWS).round(3),
        "colour": RNG.choice(["red", "blue"], ROWS),
        "species": np.array(["ant", "bee", "cat"])[np.arange(ROWS) % 3],
    }
)
SPECIES = {"label_column": "species"}


def written(folder: Path, table: pandas.DataFrame, form: str = "csv", **more: Any) -> Path:
    path = folder / f"table.{form}"
    if form == "csv":
        table.to_csv(path, index=False, **more)
    else:
        table.to_parquet(path)
    return path


def read(path: Path, **said: Any) -> Bundle:
    form = table_format(path)
    assert form is not None
    return read_table(path, form, Reading(**said))


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_words_become_columns_and_names_are_kept(form: str, tmp_path: Path) -> None:
    bundle = read(written(tmp_path, PLAIN, form), **SPECIES)
    assert (bundle.kind, bundle.class_names) == ("vectors", ("ant", "bee", "cat"))
    assert bundle.columns == ("age", "height", "colour=blue", "colour=red")
    assert (len(bundle.train), len(bundle.test)) == (72, 18)
    values = np.concatenate([bundle.train.images, bundle.test.images])[:, :, 0, 0]
    assert sorted(values[:, 1]) == sorted(PLAIN["height"].astype(np.float32))
    assert (values[:, 2] + values[:, 3] == 1).all()


def test_both_formats_are_the_same_dataset(tmp_path: Path) -> None:
    digests = {
        examine(written(tmp_path, PLAIN, form), tmp_path / f"{form}.npz", None, reading=Reading(**SPECIES))["digest"]
        for form in ("csv", "parquet")
    }
    assert len(digests) == 1


@pytest.mark.parametrize("more", [{"sep": ";", "decimal": ","}, {"sep": "\t"}, {"encoding": "utf-8-sig"}])
def test_a_spreadsheets_csv_is_read_as_well(more: dict[str, Any], tmp_path: Path) -> None:
    plain, other = read(written(tmp_path, PLAIN), **SPECIES), read(written(tmp_path, PLAIN, **more), **SPECIES)
    assert np.array_equal(plain.train.images, other.train.images)


def test_a_usual_name_of_the_labels_is_taken_and_said(tmp_path: Path) -> None:
    bundle = read(written(tmp_path, PLAIN.rename(columns={"species": "Class"})))
    assert bundle.remarks[0] == "The labels are taken to be the column 'Class'; label_column says otherwise."


def test_gaps_are_filled_as_asked(tmp_path: Path) -> None:
    gaps = PLAIN.copy()
    gaps.loc[3, "height"] = gaps.loc[4, "colour"] = None
    path = written(tmp_path, gaps)
    filled = read(path, missing="median", **SPECIES)
    assert "colour=(missing)" in filled.columns
    assert np.isfinite(filled.train.images).all()
    left = read(path, missing="drop", **SPECIES)
    assert len(left.train) + len(left.test) == ROWS - 1


def test_rows_may_be_series(tmp_path: Path) -> None:
    steps = pandas.DataFrame(RNG.normal(size=(30, 12)), columns=[f"t{place}" for place in range(12)])
    bundle = read(written(tmp_path, steps.assign(label=np.arange(30) % 2)), kind="series")
    assert (bundle.kind, bundle.train.images.shape) == ("series", (24, 1, 1, 12))


def test_the_finding_is_a_row_of_the_catalogue(tmp_path: Path) -> None:
    found = examine(written(tmp_path, PLAIN), tmp_path / "bundle.npz", None, reading=Reading(**SPECIES))
    facts = facts_of("ds_1", "mine", found)
    assert (facts.kind, facts.natural, len(facts.columns)) == ("vectors", (4,), 4)
    assert not any("image" in remark for remark in found["remarks"])


Change = Callable[[pandas.DataFrame], pandas.DataFrame]
REFUSED: dict[str, tuple[Change, dict[str, Any], str]] = {
    "no label": (lambda t: t, {}, r"say which with label_column, for instance label_column=colour"),
    "another label": (lambda t: t, {"label_column": "specie"}, r"there is no column 'specie'; did you mean 'species'"),
    "a gap": (lambda t: t.assign(age=t["age"].where(t["age"] > 25)), SPECIES, r"Upload with missing=median"),
    "a gap among labels": (lambda t: t.assign(species=t["species"].where(t["age"] > 25)), SPECIES, r"missing=drop"),
    "text": (lambda t: t.assign(note=[f"note {n}" for n in range(ROWS)]), SPECIES, r"drop\(columns=\['note'\]\)"),
    "constant": (lambda t: t.assign(one=1, two="x").drop(columns="two"), SPECIES, r"drop\(columns=\['one'\]\)"),
    "a constant word": (lambda t: t.assign(two="x"), SPECIES, r"is 'x' in every row"),
    "one class": (lambda t: t.assign(species="ant"), SPECIES, r"one class only, 'ant'"),
    "a measurement": (lambda t: t, {"label_column": "height"}, r"pandas.qcut"),
    "a number of rows": (lambda t: t.assign(row=np.arange(ROWS)), {"label_column": "row"}, r"it is no class"),
    "only labels": (lambda t: t[["species"]].assign(species2="x")[["species", "species2"]], SPECIES, r"in every row"),
    "no rows": (lambda t: t[:0], SPECIES, r"no rows"),
    "no names": (lambda t: t.set_axis(["1", "2", "3", "4"], axis=1), SPECIES, r"holds numbers and no names"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_fault_is_refused_with_the_fix(fault: str, tmp_path: Path) -> None:
    change, said, told = REFUSED[fault]
    with pytest.raises(DatasetInvalid, match=told):
        read(written(tmp_path, change(PLAIN)), **said)


def clean(name: str) -> str:
    return "".join(filter(str.isprintable, name))


def test_a_control_character_in_the_name_of_a_column_is_refused_with_the_fix(tmp_path: Path) -> None:
    named = PLAIN.rename(columns={"age": "a\0ge", "height": "height\n(m)"})
    worded = PLAIN.replace({"colour": {"red": "r\x07d"}})
    for table, told in ((named, r"'a\\x00ge' has a control character"), (worded, r"'colour=r\\x07d' has a control")):
        with pytest.raises(DatasetInvalid, match=told):
            examine(written(tmp_path, table, "parquet"), tmp_path / "bundle.npz", None, reading=Reading(**SPECIES))
    mended = named.rename(columns={"a\0ge": clean("a\0ge")})
    found = examine(written(tmp_path, mended, "parquet"), tmp_path / "bundle.npz", None, reading=Reading(**SPECIES))
    assert found["columns"][:2] == ("age", "height\n(m)"), "a heading of two lines is one"
    worded["colour"] = worded["colour"].map(clean)
    found = examine(written(tmp_path, worded, "parquet"), tmp_path / "bundle.npz", None, reading=Reading(**SPECIES))
    assert found["columns"][3] == "colour=rd"


def test_dates_and_pictures_are_refused_with_what_to_do(tmp_path: Path) -> None:
    for column, told in ((pandas.Timestamp("2026-01-01"), "days since"), (b"\x89PNG", "class folders")):
        with pytest.raises(DatasetInvalid, match=told):
            read(written(tmp_path, PLAIN.assign(more=[column] * ROWS), "parquet"), **SPECIES)


def test_lists_are_refused_with_the_code_that_spreads_them(tmp_path: Path) -> None:
    scope: dict[str, Any] = {"table": PLAIN.assign(more=[[n * 0.5, n % 7.0] for n in range(ROWS)]), "pandas": pandas}
    with pytest.raises(DatasetInvalid, match="holds lists") as refused:
        read(written(tmp_path, scope["table"], "parquet"), **SPECIES)
    exec(str(refused.value).partition("as long: ")[2], scope)
    assert read(written(tmp_path, scope["table"], "parquet"), **SPECIES).columns[-2:] == ("more0", "more1")
    with pytest.raises(DatasetInvalid, match="say which with label_column"):
        read(written(tmp_path, PLAIN.assign(more=[[n] for n in range(ROWS)]), "parquet"))


def test_labels_may_be_decimal_and_words_of_any_kind_of_arrow(tmp_path: Path) -> None:
    labels = pyarrow.array([Decimal(place) for place in (np.arange(ROWS) % 3).tolist()])
    words = pyarrow.array(PLAIN["colour"].tolist(), pyarrow.string_view())
    made = pyarrow.table({"age": PLAIN["age"].to_numpy(), "colour": words, "label": labels})
    parquet.write_table(made, tmp_path / "table.parquet")
    bundle = read(tmp_path / "table.parquet")
    assert (bundle.class_names, bundle.columns) == (("0", "1", "2"), ("age", "colour=blue", "colour=red"))


def test_words_are_no_steps_of_a_series(tmp_path: Path) -> None:
    with pytest.raises(DatasetInvalid, match=r"no steps of a series: 'colour'.*drop\(columns=\['colour'\]\)"):
        read(written(tmp_path, PLAIN), **SPECIES, kind="series")


def test_a_broken_file_is_no_crash(tmp_path: Path) -> None:
    path = written(tmp_path, PLAIN, "parquet")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DatasetInvalid, match=r"table.to_parquet"):
        read(path, **SPECIES)
    ragged = tmp_path / "ragged.csv"
    ragged.write_text("a,b,label\n1,2,x\n1,2,3,4,x\n")
    with pytest.raises(DatasetInvalid, match="as many cells in every line"):
        read(ragged)


def test_json_and_prose_are_no_tables(tmp_path: Path) -> None:
    for text in ('{"a": 1,\n "b": 2}', "one word\nanother\n", "<a,\nb>"):
        path = tmp_path / "no"
        path.write_text(text)
        assert table_format(path) is None


def labelled(text: str, labels: list[str]) -> str:
    """A CSV file of one measurement with these labels."""
    rows = "".join(f"{value},{label}\n" for value, label in zip(RNG.normal(size=len(labels)), labels, strict=True))
    return f"{text}\n{rows}"


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("name", ["null", "NA", "n/a", "?"])
def test_a_class_may_be_called_as_a_gap_is_which_is_told(name: str, form: str, tmp_path: Path) -> None:
    table = PLAIN.assign(species=np.array(["ant", name])[np.arange(ROWS) % 2])
    bundle = read(written(tmp_path, table, form), **SPECIES)
    assert bundle.class_names == tuple(sorted(["ant", name]))
    assert any(f"Classes are called {name!r}: where there is none, leave" in each for each in bundle.remarks)


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("name", ["null", "NA", "n/a", "?"])
def test_labels_that_are_gaps_are_dropped_as_asked(name: str, form: str, tmp_path: Path) -> None:
    table = PLAIN.assign(species=np.array(["ant", "bee", name])[np.arange(ROWS) % 3])
    bundle = read(written(tmp_path, table, form), missing="drop", **SPECIES)
    assert bundle.class_names == ("ant", "bee")
    assert f"Rows without a label were left out: {ROWS // 3}." in bundle.remarks
    assert any(each.startswith(f"missing=drop takes {name!r} in 'species'") for each in bundle.remarks)


def test_a_class_that_is_dropped_as_a_gap_is_told_where_one_is_left(tmp_path: Path) -> None:
    table = PLAIN.assign(species=np.array(["ant", "None"])[np.arange(ROWS) % 2])
    with pytest.raises(DatasetInvalid, match=r"fewer than two classes .* give a class of that name another"):
        read(written(tmp_path, table), missing="drop", **SPECIES)


def test_blanks_around_a_label_are_no_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(labelled("size, label", [" ant", "bee ", "ant", " bee", "\u00e4", "a\u0308"] * 10))
    assert read(path).class_names == ("ant", "bee", "\u00e4")


def test_a_blank_label_is_none(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(labelled("size,label", ["ant", "bee", " "] * 10))
    with pytest.raises(DatasetInvalid, match="10 rows have no 'label'"):
        read(path)


def test_classes_that_differ_in_capitals_alone_are_told(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(labelled("size,label", ["ant", "Ant", "bee"] * 10))
    assert "Classes that differ from another in capitals alone: 'Ant'." in read(path).remarks


def german(rows: int, ages: list[str]) -> str:
    """A spreadsheet's CSV of decimal commas; the first numbers are whole."""
    lines = [
        f"{5 + n % 7}{f',{n % 10}' if n else ''};{age};{'ab'[n % 2]}" for n, age in zip(range(rows), ages, strict=True)
    ]
    return "\n".join(["size;age;label", *lines]) + "\n"


def sizes(bundle: Bundle, column: int = 0) -> list[float]:
    images = np.concatenate([bundle.train.images, bundle.test.images])
    return sorted(images[:, column, 0, 0].round(4).tolist())


@pytest.mark.parametrize("first", ["3", "3,5", "St. Gallen"])
@pytest.mark.parametrize("second", ["4", "4,5", "Bern"])
def test_the_decimal_sign_is_found_in_all_cells(first: str, second: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(german(40, [first, second] * 20))
    bundle = read(path)
    assert bundle.columns[0] == "size"
    assert sizes(bundle) == sorted(np.float32(5 + n % 7 + (n % 10) / 10).round(4).item() for n in range(40))


@pytest.mark.parametrize("dash", ["-", "n/a", ".", "--", "\u2013", "NULL"])
@pytest.mark.parametrize("form", ["csv", "parquet", "semicolons"])
def test_a_dash_among_numbers_is_a_gap(dash: str, form: str, tmp_path: Path) -> None:
    comma = form == "semicolons"
    ages = [dash if n == 7 else f"{20 + n % 30}{',5' if comma else ''}" for n in range(ROWS)]
    table = PLAIN.assign(age=ages)
    path = written(tmp_path, table, "parquet" if form == "parquet" else "csv", **({"sep": ";"} if comma else {}))
    with pytest.raises(DatasetInvalid, match=r"1 values are missing \(NaN\), in column 'age'"):
        read(path, **SPECIES)
    assert read(path, missing="median", **SPECIES).columns == ("age", "height", "colour=blue", "colour=red")


def test_a_dash_among_words_is_a_word(tmp_path: Path) -> None:
    table = PLAIN.assign(colour=np.array(["red", "-"])[np.arange(ROWS) % 2])
    bundle = read(written(tmp_path, table), **SPECIES)
    assert bundle.columns[2:] == ("colour=-", "colour=red")
    assert any(each.endswith("`column=word`: those of 'colour'.") for each in bundle.remarks)


ODD: dict[str, tuple[list[str], str]] = {
    "a word": (
        ["twenty", *(str(20 + n % 30) for n in range(1, ROWS))],
        r"'age' holds numbers, but for 'twenty': write",
    ),
    "thousands": (
        [f"{1 + n % 30},{100 + n}" for n in range(ROWS)],
        r"'age' holds numbers with points or commas that may",
    ),
}


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("case", ODD)
def test_odd_cells_among_numbers_are_named(case: str, form: str, tmp_path: Path) -> None:
    ages, words = ODD[case]
    with pytest.raises(DatasetInvalid, match=words):
        read(written(tmp_path, PLAIN.assign(age=ages), form), **SPECIES)


def test_the_fixes_of_odd_cells_work(tmp_path: Path) -> None:
    table = PLAIN.assign(age=ODD["a word"][0])
    gaps = table.assign(age=pandas.to_numeric(table["age"], errors="coerce"))
    assert read(written(tmp_path, gaps), missing="median", **SPECIES).columns[0] == "age"
    categories = table.assign(age="n" + table["age"].astype(str))
    assert read(written(tmp_path, categories), **SPECIES).columns[0] == "age=n20"


def test_points_that_may_part_thousands_beside_decimal_commas_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(german(40, [f"{1 + n}.{200 + n}" for n in range(40)]))
    with pytest.raises(DatasetInvalid, match=r"'age' holds numbers with points or commas that may part thousands"):
        read(path)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_few_numbers_among_words_are_categories(form: str, tmp_path: Path) -> None:
    table = PLAIN.assign(age=np.array(["0", "1", "2", "3+"])[np.arange(ROWS) % 4])
    columns = read(written(tmp_path, table, form), **SPECIES).columns
    assert columns[:4] == ("age=0", "age=1", "age=2", "age=3+")


def test_plain_numbers_that_a_file_holds_as_words_are_categories(tmp_path: Path) -> None:
    table = PLAIN.assign(age=np.array(["01", "02"])[np.arange(ROWS) % 2])
    assert read(written(tmp_path, table, "parquet"), **SPECIES).columns[:2] == ("age=01", "age=02")


def test_decimal_commas_in_quotes_are_told(tmp_path: Path) -> None:
    bundle = read(written(tmp_path, PLAIN.assign(age=[f"{n},5" for n in range(ROWS)])), **SPECIES)
    assert bundle.columns[0] == "age"
    assert "The commas in 'age' are decimal." in bundle.remarks
