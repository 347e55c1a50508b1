"""Tables whose columns are pixels, as Kaggle and others pass MNIST and its kin around: the pictures come out again."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from numpy.typing import NDArray

from core.data import DatasetInvalid
from core.data.inspection import examine, inspect
from core.data.reading import Reading
from tests.data.archives import packed, tarred

Pixels = NDArray[np.uint8]
DRAW = np.random.default_rng(5)
GREY = DRAW.integers(0, 256, (40, 8, 8)).astype(np.uint8)
COLOUR = DRAW.integers(0, 256, (40, 6, 6, 3)).astype(np.uint8)
WIDE = DRAW.integers(0, 256, (40, 5, 9)).astype(np.uint8)
LABELS = np.arange(40) % 4


def numbered(x: Pixels, start: int = 0, form: str = "pixel{}", names: list[str] | None = None) -> pandas.DataFrame:
    flat = x.reshape(len(x), -1)
    return pandas.DataFrame(flat, columns=names or [form.format(start + n) for n in range(flat.shape[1])])


def labelled(table: pandas.DataFrame, first: bool = True) -> pandas.DataFrame:
    table.insert(0 if first else table.shape[1], "label", LABELS[: len(table)])
    return table


def placed(x: Pixels, start: int = 1) -> list[str]:
    return [f"{start + row}x{start + column}" for row in range(x.shape[1]) for column in range(x.shape[2])]


def csv(table: pandas.DataFrame, header: bool = True) -> bytes:
    return table.to_csv(index=False, header=header).encode()


def parquet(table: pandas.DataFrame) -> bytes:
    file = io.BytesIO()
    table.to_parquet(file)
    return file.getvalue()


def fer(x: Pixels) -> bytes:
    """A table as FER2013: all pixels as text, the split in a column; as `icml_face_data`, blanks before the names."""
    pixels = [" ".join(map(str, image.reshape(-1))) for image in x]
    uses = ["Training"] * 28 + ["PublicTest"] * 6 + ["PrivateTest"] * 6
    return csv(pandas.DataFrame({"emotion": LABELS, " Usage": uses, " pixels": pixels}))


SHUFFLED = DRAW.permutation(64)
ALONE: dict[str, tuple[Pixels, bytes]] = {
    "Kaggle's digits": (GREY, csv(labelled(numbered(GREY)))),
    "counted from one, the label last": (GREY, csv(labelled(numbered(GREY, 1), first=False))),
    "row by column": (WIDE, csv(labelled(numbered(WIDE, names=placed(WIDE))))),
    "row by column, from nought": (WIDE, csv(labelled(numbered(WIDE, names=placed(WIDE, 0))))),
    "colour, with noughts": (COLOUR, csv(labelled(numbered(COLOUR, form="pixel{:04}"), first=False))),
    "in disorder": (GREY, csv(labelled(numbered(GREY).iloc[:, SHUFFLED]))),
    "Parquet": (GREY, parquet(labelled(numbered(GREY)))),
    "semicolons": (GREY, labelled(numbered(GREY)).to_csv(index=False, sep=";").encode()),
    "no names": (GREY, csv(labelled(numbered(GREY)), header=False)),
    "from 0 to 1": (GREY, csv(labelled(numbered(GREY) / 255))),
    "as text": (GREY, fer(GREY)),
}


def look(folder: Path, data: bytes, size: int | None = None, **said: Any) -> dict[str, Any]:
    (folder / "upload").write_bytes(data)
    return examine(folder / "upload", folder / "bundle.npz", size, reading=Reading(**said))


def kept(folder: Path) -> tuple[Pixels, NDArray[np.int64]]:
    """All pictures of the bundle and their labels, in the order of the pictures' bytes."""
    held = np.load(folder / "bundle.npz")
    return in_order(
        np.concatenate([held["x_train"], held["x_test"]]), np.concatenate([held["y_train"], held["y_test"]])
    )


def in_order(x: Pixels, y: NDArray[np.int64]) -> tuple[Pixels, NDArray[np.int64]]:
    order = sorted(range(len(x)), key=lambda place: x[place].tobytes())
    return x[order], y[order]


def check(folder: Path, x: Pixels, y: NDArray[np.int64] = LABELS) -> None:
    for ours, theirs in zip(kept(folder), in_order(x, y[: len(x)]), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("case", ALONE)
def test_a_table_of_pixels_becomes_its_pictures(tmp_path: Path, case: str) -> None:
    x, data = ALONE[case]
    found = look(tmp_path, data)
    assert (found["kind"], found["class_names"]) == ("pictures", ("0", "1", "2", "3"))
    assert "kind=vectors has them as numbers." in " ".join(found["remarks"])
    check(tmp_path, x)


def test_the_column_of_the_split_is_followed(tmp_path: Path) -> None:
    found = look(tmp_path, fer(GREY))
    assert (found["train_count"], found["test_count"]) == (28, 12)
    np.testing.assert_array_equal(np.load(tmp_path / "bundle.npz")["x_test"], GREY[28:])
    assert "The split is the column ' Usage'." in found["remarks"]


def test_the_uploader_may_have_them_as_numbers_or_scaled_or_upright(tmp_path: Path) -> None:
    data = csv(labelled(numbered(GREY)))
    assert look(tmp_path, data, kind="vectors")["kind"] == "vectors"
    found = look(tmp_path, data, 4)
    assert found["shape"] == (1, 4, 4)
    assert any(remark.startswith("Each was scaled until its shorter side had 4 pixels") for remark in found["remarks"])
    turned = csv(labelled(numbered(np.ascontiguousarray(GREY.transpose(0, 2, 1)))))
    assert "The pictures were set upright" in " ".join(look(tmp_path, turned, transposed="yes")["remarks"])
    check(tmp_path, GREY)
    with pytest.raises(DatasetInvalid, match=r"`transposed`: said of IDX files and tables of pixels, and this is a ta"):
        look(tmp_path, data, kind="vectors", transposed="yes")


def parts(train: pandas.DataFrame, test: pandas.DataFrame, form: Callable[..., bytes], names: str) -> dict[str, bytes]:
    return {names.format(split): form(table) for split, table in (("train", train), ("test", test))}


@pytest.mark.parametrize("pack", [packed, tarred])
@pytest.mark.parametrize(
    "names", ["{}.csv", "archive/mnist_{}.csv", "sign_mnist_{0}/sign_mnist_{0}.csv", "fashion-mnist_{}.parquet"]
)
def test_tables_of_an_archive_are_splits_by_their_names(tmp_path: Path, names: str, pack: Callable[..., bytes]) -> None:
    form = parquet if names.endswith(".parquet") else csv
    members = parts(labelled(numbered(GREY[:28])), labelled(numbered(GREY[28:])), form, names)
    found = look(tmp_path, pack(members | {"notes.txt": b"x"}))
    held = np.load(tmp_path / "bundle.npz")
    np.testing.assert_array_equal(held["x_train"], GREY[:28])
    np.testing.assert_array_equal(held["x_test"], GREY[28:])
    assert "The split into train and test is the files' own." in found["remarks"]
    assert found["left_out"] == [{"remark": "Left out: 'notes.txt'.", "count": 1, "names": ["notes.txt"]}]


def test_a_competitions_test_set_has_no_labels_and_is_left_out(tmp_path: Path) -> None:
    members = parts(labelled(numbered(GREY)), numbered(COLOUR[:, :, :, 0]), csv, "{}.csv")
    with pytest.raises(DatasetInvalid, match=r"'test.csv' lacks 'label', 'pixel36'.* unlike 'train.csv'"):
        look(tmp_path, packed(members))
    members = parts(labelled(numbered(GREY)), numbered(GREY[:9]), csv, "{}.csv")
    found = look(tmp_path, packed(members | {"sample_submission.csv": b"ImageId,Label\n1,0\n2,0\n"}))
    check(tmp_path, GREY)
    assert {each["remark"]: each["names"] for each in found["left_out"]} == {
        "Left out: 'sample_submission.csv'.": ["sample_submission.csv"],
        "Left out, as no column says the class of a row: 'test.csv'.": ["test.csv"],
    }


def test_emnists_tables_are_set_upright_by_their_names(tmp_path: Path) -> None:
    turned = np.ascontiguousarray(GREY.transpose(0, 2, 1))
    tables = {"train": labelled(numbered(turned[:28])), "test": labelled(numbered(turned[28:]))}
    members = {f"emnist-letters-{split}.csv": csv(table, False) for split, table in tables.items()}
    found = look(tmp_path, packed(members))
    np.testing.assert_array_equal(np.load(tmp_path / "bundle.npz")["x_train"], GREY[:28])
    assert any(remark.startswith("EMNIST stores rows as columns") for remark in found["remarks"])
    look(tmp_path, packed(members), transposed="no")
    np.testing.assert_array_equal(np.load(tmp_path / "bundle.npz")["x_train"], turned[:28])


def test_a_single_table_goes_by_the_name_that_it_came_under(tmp_path: Path) -> None:
    """A file that arrives over HTTP has no name of its own."""
    turned = np.ascontiguousarray(GREY.transpose(0, 2, 1))
    source = tmp_path / "upload"
    source.write_bytes(csv(labelled(numbered(turned)), False))
    for called, said, wanted in (
        ("EMNIST letters", None, GREY),
        ("letters", None, turned),
        ("-emnist", {"transposed": "no"}, turned),
    ):
        found = inspect(source, tmp_path, None, lambda: False, reading=said, called=called)
        assert found is not None
        assert any(remark.startswith("EMNIST stores rows as") for remark in found["remarks"]) is (wanted is GREY)
        check(tmp_path, wanted)


def numbers(count: int, seed: int) -> pandas.DataFrame:
    draw = np.random.default_rng(seed)
    words = np.array(["red", "blue", "green"])
    return pandas.DataFrame(
        {"size": draw.normal(size=count).round(4), "colour": words[np.arange(count) % 3], "label": np.arange(count) % 2}
    )


@pytest.mark.parametrize("third", ["val", "validation"])
def test_tables_of_numbers_are_joined_by_their_columns(tmp_path: Path, third: str) -> None:
    train, test, more = numbers(30, 0), numbers(12, 1), numbers(8, 2)
    found = look(tmp_path, packed(parts(train, test[["label", "colour", "size"]], csv, "my_{}.csv")))
    assert (found["kind"], found["train_count"], found["test_count"]) == ("vectors", 30, 12)
    assert found["columns"] == ("size", "colour=blue", "colour=green", "colour=red")
    held = np.load(tmp_path / "bundle.npz")
    np.testing.assert_allclose(held["x_test"][:, 0], test["size"], rtol=1e-6)
    np.testing.assert_array_equal(held["y_test"], test["label"])
    found = look(tmp_path, packed(parts(train, test, csv, "my_{}.csv") | {f"my_{third}.csv": csv(more)}))
    assert (found["train_count"], found["test_count"]) == (38, 12)
    found = look(tmp_path, packed({"train.csv": csv(train), f"{third}.csv": csv(more)}))
    assert (found["train_count"], found["test_count"]) == (30, 8)
    assert any("that for validation became it" in remark for remark in found["remarks"])


REFUSED: dict[str, tuple[dict[str, bytes], str]] = {
    "two sets": (
        {f"{name}-{split}.csv": csv(numbers(30, 0)) for name in ("red", "white") for split in ("train", "test")},
        "tables of several sets, .*leave the files of all but one out",
    ),
    "no word for splits": (
        {f"wine_{name}.csv": csv(numbers(30, 0)) for name in ("red", "white")},
        r"no name says which is the training set: send one table, or its parts called train.csv and test.csv",
    ),
    "no training set": ({"test.csv": csv(numbers(30, 0)), "x.csv": b"a,b\n1,2\n"}, "no table to train on"),
    "other columns": (
        parts(numbers(30, 0), numbers(12, 1).rename(columns={"size": "length"}), csv, "{}.csv"),
        "'test.csv' lacks 'size', unlike 'train.csv': give both the same columns, or leave 'test.csv' out",
    ),
    "other kinds": (
        parts(numbers(30, 0), numbers(12, 1).assign(size="large"), csv, "{}.csv"),
        "different kinds of values in a column",
    ),
    "a dark pixel": ({"train.csv": csv(labelled(numbered(GREY) - 1.0))}, "the pixels run from -1 to 254"),
    "a gap": ({"train.csv": csv(labelled(numbered(GREY).where(GREY.reshape(40, -1) > 0)))}, "rows lack pixels"),
    "broken text": (
        {"faces.csv": b" x".join(fer(GREY).rsplit(b" 1", 1))},
        "row 39 .* holds 64 numbers, or what is none",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_refused_with_its_fix(tmp_path: Path, case: str) -> None:
    members, words = REFUSED[case]
    with pytest.raises(DatasetInvalid, match=words):
        look(tmp_path, packed(members))


def test_rows_of_no_split_are_left_out_and_counted(tmp_path: Path) -> None:
    found = look(tmp_path, fer(GREY).replace(b"PrivateTest", b"Other"))
    assert (found["train_count"], found["test_count"]) == (28, 6)
    assert found["left_out"] == [{"remark": "Left out, as 'Other' is no split: 6 rows.", "count": 6, "names": []}]


@pytest.mark.parametrize("pixels", ["pixel", "size"])
def test_a_training_set_without_labels_is_refused_as_such(tmp_path: Path, pixels: str) -> None:
    table = numbered(GREY, form=pixels + "{}").assign(split=["train"] * 30 + ["test"] * 10, label=LABELS * 1.0)
    table.loc[:29, "label"] = np.nan
    with pytest.raises(DatasetInvalid, match="no row of the training set has a 'label'"):
        look(tmp_path, csv(table), missing="drop")


@pytest.mark.parametrize("renamed", [(b"PublicTest", b"PrivateTest"), (b"Training",)])
def test_a_split_of_which_one_half_has_another_name_is_refused(tmp_path: Path, renamed: tuple[bytes, ...]) -> None:
    data = fer(GREY)
    for each in renamed:
        data = data.replace(each, b"Other")
    with pytest.raises(DatasetInvalid, match="call the rows of the training set train and those of the test set test"):
        look(tmp_path, data)


@pytest.mark.parametrize("name", ["sample_submission.csv", "test_submission.csv"])
def test_a_form_for_answers_is_no_table_of_the_set(tmp_path: Path, name: str) -> None:
    answers = csv(pandas.DataFrame({"ImageId": range(8), "Label": 0}))
    found = look(tmp_path, packed({"data.csv": csv(labelled(numbered(GREY))), name: answers}))
    assert f"Left out: '{name}'." in found["remarks"]
    check(tmp_path, GREY)
