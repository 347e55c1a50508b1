"""CSV and Parquet files as tables: a column of labels, numbers as they are, words as columns of zeros and ones.

Read in the process of an inspection alone: pyarrow is loaded when it is needed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Literal, final

import numpy as np
from numpy.typing import NDArray

from core.data.array_names import ArrayNames
from core.data.bundle import Bundle, picture_bundle
from core.data.csv_files import UTF16, cells, check_utf8, first_lines, read_csv, sign_of, with_words
from core.data.facts import DatasetInvalid, Kind
from core.data.folders import LAYOUT
from core.data.folders.faults import left_out
from core.data.label_column import LABELS, columns_listed, different, label_column
from core.data.labels import alike, labels_of
from core.data.leaks import row_numbers, second_labels, without_index
from core.data.left_out import LeftOut
from core.data.number_words import number_words, odd_fault, thousands_fault
from core.data.numbers import Missing, read_numbers
from core.data.pixel_columns import PixelColumns, images_in, is_turned, pixel_columns, unnamed, upright_remark
from core.data.reading import ARRAYS, Reading
from core.data.rounding import Lost, lost_in_float32, not_apart, rounded_remark, table_fix
from core.data.split_columns import splits_in_table

if TYPE_CHECKING:
    import pyarrow as pa

Form = Literal["csv", "parquet"]

MOST_WORDS: Final = 64
"""Different words of a column up to which it is one of categories."""
_FEW_NUMBERS: Final = 10
"""Different numbers among other words up to which they may be categories, such as 0, 1, 2 and 3+."""
_MOST_NAMED: Final = 12
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Bytes that no table of text has, in whatever encoding."""


@final
@dataclass
class _Columns:
    """The columns of numbers that a table becomes."""

    names: list[str] = field(default_factory=list)
    values: list[NDArray[np.float32]] = field(default_factory=list)
    words: set[str] = field(default_factory=set)
    """Those of zeros and ones."""
    lost: dict[Lost, list[str]] = field(default_factory=lambda: {"nothing": [], "some": [], "all": []})
    """Those of numbers by the differences that float32 does not keep."""
    worded: list[str] = field(default_factory=list)
    """The columns of words that these are of."""
    remarks: list[str] = field(default_factory=list)


def table_format(path: Path) -> Form | None:
    """The format of a file that holds a table, by its beginning; None of any other."""
    with path.open("rb") as file:
        start = file.read(4096)
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith(UTF16):
        return "csv"  # refused with the fix when it is read
    first, _ = first_lines(path)  # the names of many columns are long
    is_text = not _CONTROL.search(start) and first.lstrip()[:1] not in ("{", "[", "<")
    return "csv" if is_text and len(first) < path.stat().st_size and sign_of(first) else None


def read_table(path: Path, form: Form, reading: Reading, name: str = "") -> Bundle:
    """The table of a file as a bundle, split by a column that says so, or here; `name` is what the file is called.

    Raises DatasetInvalid, which says what is wrong with it and how to mend it.
    """
    (table,), remarks = without_index([table_of(path, form, reading)], [True], reading.label_column)
    bundle = table_bundle(table, reading, None, name)
    return replace(bundle, remarks=(*bundle.remarks, *remarks))


def table_of(source: Path | IO[bytes], form: Form, reading: Reading) -> pa.Table:
    """The columns of a file. Raises DatasetInvalid."""
    if form == "parquet":
        return _parquet(source)
    check_utf8(source)
    first, second = first_lines(source)
    rows = [cells(line, sign_of(line)) for line in (first, second)]
    named = unnamed(rows[0]) if reading.kind == "auto" and len(rows[0]) == len(rows[1]) else None
    if named:
        return read_csv(source, names=named)
    table = read_csv(source)
    asked = [name for name in table.column_names if name == reading.label_column]
    return with_words(table, source, asked or [name for name in table.column_names if name.strip().lower() in LABELS])


def table_bundle(table: pa.Table, reading: Reading, splits: NDArray[np.str_] | None = None, name: str = "") -> Bundle:
    """A table as a bundle: of pictures where columns are pixels, else of vectors or series.

    Args:
        table: its columns.
        reading: the uploader's word on them.
        splits: "train", "test" or "val" of each row; None: a column says so, or they are split here.
        name: what the file is called.

    Raises DatasetInvalid, which says what is wrong with it and how to mend it.
    """
    names = [str(each) for each in table.column_names]
    if twice := sorted({each for each in names if names.count(each) > 1}):
        raise DatasetInvalid(f"the column {twice[0]!r} is there more than once; give every column its own name")
    if table.num_rows == 0:
        raise DatasetInvalid("the table has no rows below its names; add some")
    pixels = pixel_columns(table) if reading.kind == "auto" else None
    rest = [each for each in names if pixels is None or each not in pixels.names]
    remarks = list[str]()
    if splits is None and (said := splits_in_table(table, [each for each in rest if each != reading.label_column])):
        rest = [each for each in rest if each != said.name]
        table, splits = table.take(said.rows).drop_columns([said.name]), said.splits
        remarks += said.remarks
    label, told = _label(table, rest, reading.label_column, alone=pixels is not None)
    labels, more = _labels(table.column(label), label, reading.missing)
    remarks += more
    known = np.array([each is not None for each in labels])
    if not known.all():
        if reading.missing != "drop":
            raise DatasetInvalid(
                f"{(~known).sum():,} rows have no {label!r}: leave them out, or upload with missing=drop"
            )
        table = table.take(np.flatnonzero(known))
        splits = None if splits is None else splits[known]
        bare = int((~known).sum())
        remarks.append(LeftOut(f"Rows without a label were left out: {bare:,}.", (), bare))
        if splits is not None and "train" not in splits:
            raise DatasetInvalid(f"no row of the training set has a {label!r}: write it there, or leave the split out")
    kept = np.array([each for each in labels if each is not None])
    if more and len(set(kept.tolist())) < 2:
        raise DatasetInvalid(f"fewer than two classes are left in {label!r}: {' '.join(more)}")
    remarks += alike(map(str, np.unique(kept).tolist()))
    if pixels is not None:
        ours = [each for each in rest if each != label]
        bundle = _pictures(table, pixels, kept, splits, is_turned(reading.transposed, name), reading)
        remarks += [left_out(ours, "as they are no pixels")] if ours else []
    else:
        reading.check_unsaid("this is a table of numbers", ARRAYS)
        bundle = _values(table, [each for each in rest if each != label], label, kept, splits, reading)
    return replace(bundle, remarks=(told, *remarks, *bundle.remarks))


def _pictures(
    table: pa.Table,
    pixels: PixelColumns,
    labels: NDArray[Any],
    splits: NDArray[np.str_] | None,
    turned: bool,
    reading: Reading,
) -> Bundle:
    images, remarks = images_in(table, pixels, turned)
    present, numbers = np.unique(labels, return_inverse=True)
    splits, more = _usable(splits)
    parts = {"train": np.ones(len(images), bool)} if splits is None else {each: splits == each for each in set(splits)}
    arrays: dict[str, NDArray[Any]] = {"class_names": np.array([str(each) for each in present.tolist()])}
    for split, rows in sorted(parts.items()):
        arrays |= {f"x_{split}": images[rows], f"y_{split}": numbers[rows]}
    bundle = picture_bundle(arrays, ArrayNames({each: each for each in arrays}, ()))
    told = [*([upright_remark(reading.transposed)] if turned else []), *remarks, *more]
    return replace(bundle, remarks=(*bundle.remarks, pixels.remark, *told))


def _values(
    table: pa.Table,
    names: Sequence[str],
    label: str,
    labels: NDArray[Any],
    splits: NDArray[np.str_] | None,
    reading: Reading,
) -> Bundle:
    found = _numbers(table, names)
    kind: Kind = "series" if reading.kind == "series" else "vectors"
    if kind == "series" and found.worded:
        raise DatasetInvalid(
            f"columns of words are no steps of a series: {columns_listed(found.worded)}. Leave them out: "
            f"table = table.drop(columns={found.worded[:_MOST_NAMED]})"
        )
    x = np.stack(found.values, axis=1)
    if len(set(labels.tolist())) > max(2, len(labels) // 3):
        raise DatasetInvalid(
            f"{label!r} has {len(set(labels.tolist())):,} different values in {len(labels):,} rows: it is no class. "
            f"Make classes of it first, for instance table[{label!r}] = pandas.qcut(table[{label!r}], 3, "
            "labels=False), or name another column with label_column"
        )
    columns: dict[str, NDArray[Any]] = {}
    if (blurred := found.lost["all"]) and kind != "series":
        raise DatasetInvalid(not_apart(blurred, table_fix(blurred)))
    if rounded := [*found.lost["some"], *blurred]:
        found.remarks.append(rounded_remark(rounded, table_fix(rounded)))
    if kind == "series":
        x = x[:, None]
    else:
        _refuse_constant(x, found)
        columns["columns"] = np.array(found.names)
        found.remarks += [*row_numbers(table, names, splits), *second_labels(table, names, labels)]
    splits, more = _usable(splits)
    arrays = {"x": x, "y": labels}
    if splits is not None:
        if (splits == "val").any():
            more.append("The rows for validation are training rows, too: a tenth of these is drawn to validate on.")
        rows = {"train": splits != "test", "test": splits == "test"}
        arrays = {f"{each}_{split}": arrays[each][of] for split, of in rows.items() for each in ("x", "y")}
    arrays |= columns
    called = ArrayNames({name: f"the table's {name}" for name in arrays}, ())
    train, test, class_names, kept, remarks = read_numbers(
        arrays, called, kind, reading.missing, spare=frozenset(found.words)
    )
    return Bundle(train, test, class_names, None, (*found.remarks, *more, *remarks), kind, kept)


def _usable(splits: NDArray[np.str_] | None) -> tuple[NDArray[np.str_] | None, list[str]]:
    """The splits with a test set among them, and the remark where that was for validation; None of one split alone."""
    there = set() if splits is None else set(splits.tolist())
    if splits is None or there == {"train"}:
        return None, []
    if "test" in there:
        return splits, []
    return np.where(splits == "val", "test", splits), ["There was no test set: that for validation became it."]


def _parquet(source: Path | IO[bytes]) -> pa.Table:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(source)
        views = [place for place, kind in enumerate(table.schema.types) if pa.types.is_string_view(kind)]
        for place in views:  # of which few functions of pyarrow know
            table = table.set_column(place, table.field(place).name, table.column(place).cast(pa.string()))
        return table
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as fault:
        raise DatasetInvalid(
            f"the Parquet file cannot be read: {str(fault).splitlines()[0][:200]}; write it anew, for instance by "
            "pandas: table.to_parquet(path)"
        ) from None


def _label(table: pa.Table, names: Sequence[str], asked: str, *, alone: bool) -> tuple[str, str]:
    """The column of labels, and a remark on how it was found; `alone`: a single one can be nothing else."""
    usual = [name for name in names if name.strip().lower() in LABELS]
    if alone and not usual and len(names) == 1:
        usual = list(names)
    most = max(2, min(32, table.num_rows // 3))
    likely = [] if asked else [name for name in names if different(table.column(name)) <= most]
    return label_column(asked, names, likely, usual)


def _labels(column: pa.ChunkedArray, name: str, missing: Missing) -> tuple[list[int | str | None], list[str]]:
    """Whole numbers where all are, else words, and remarks on them."""
    values = column.to_pylist()
    words, remarks = labels_of(values, name, missing)
    if any(isinstance(each, str | bool) for each in values):
        return list(words), remarks
    return [None if word is None else int(word) for word in words], remarks


def _numbers(table: pa.Table, names: Sequence[str]) -> _Columns:
    """All columns but the labels as numbers."""
    import pyarrow as pa

    found = _Columns()
    if not names:
        raise DatasetInvalid("there is no column beside the labels; add those that they are to be told by")
    for name in names:
        column = table.column(name)
        kind = column.type
        if pa.types.is_dictionary(kind):
            column = column.cast(kind.value_type)
            kind = column.type
        if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
            _number(found, name, _floats(column))
        elif pa.types.is_decimal(kind):
            values = np.array([np.nan if each is None else float(each) for each in column.to_pylist()])
            _number(found, name, values)
        elif pa.types.is_null(kind):
            raise DatasetInvalid(f"the column {name!r} is empty: leave it out: table = table.drop(columns=[{name!r}])")
        elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
            _words(found, name, column)
        elif pa.types.is_struct(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            raise DatasetInvalid(
                f"the column {name!r} holds {kind}: if they are pictures, write them into class folders and send "
                f"{LAYOUT}"
            )
        elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
            raise DatasetInvalid(
                f"the column {name!r} holds lists: make a column of each place in them, if all are as long: "
                f"table = table.join(pandas.DataFrame(table.pop({name!r}).tolist()).add_prefix({name!r}))"
            )
        else:
            raise DatasetInvalid(
                f"the column {name!r} holds {kind}, which is neither numbers nor words; make numbers of it (of a date, "
                f"days since another one), or leave it out: table = table.drop(columns=[{name!r}])"
            )
    if found.words:
        found.remarks.append(
            f"Words became {len(found.words):,} columns of zeros and ones, `column=word`: those of "
            f"{columns_listed(found.worded)}."
        )
    return found


def _floats(column: pa.ChunkedArray) -> NDArray[Any]:
    """The numbers of a column, NaN where one is missing."""
    import pyarrow as pa

    return np.asarray(column.cast(pa.float64()).to_numpy() if pa.types.is_boolean(column.type) else column.to_numpy())


def _number(found: _Columns, name: str, values: NDArray[Any]) -> None:
    found.lost[lost_in_float32(values)].append(name)
    found.names.append(name)
    found.values.append(values.astype(np.float32))


def _words(found: _Columns, name: str, column: pa.ChunkedArray) -> None:
    """A column of categories as one of zeros and ones for each; a gap is a category of its own.

    Words that are numbers are numbers, unless they are plain ones, which a file holds as words on purpose.
    """
    numbers = number_words(column)
    if numbers.count and not numbers.odd and not numbers.typed:
        _number(found, name, np.asarray(numbers.values.to_numpy(zero_copy_only=False), dtype=np.float64))
        if numbers.sign == ",":
            found.remarks.append(f"The commas in {name!r} are decimal.")
        return
    if numbers.odd and numbers.are_most and numbers.different > _FEW_NUMBERS:
        raise DatasetInvalid((thousands_fault if numbers.has_thousands else odd_fault)(name, numbers))
    said = ["(missing)" if word is None else word.strip() for word in column.to_pylist()]
    each = sorted(set(said))
    if len(each) > min(MOST_WORDS, max(2, len(said) // 2)):
        raise DatasetInvalid(
            f"the column {name!r} holds text: {len(each):,} different words in {len(said):,} rows, and at most "
            f"{MOST_WORDS} are categories. Leave it out: table = table.drop(columns=[{name!r}])"
        )
    if len(each) == 1:
        raise DatasetInvalid(
            f"the column {name!r} is {each[0]!r} in every row, and tells classes nothing. Leave it out: "
            f"table = table.drop(columns=[{name!r}])"
        )
    places = np.array([each.index(word) for word in said])
    for place, word in enumerate(each):
        found.names.append(f"{name}={word}")
        found.values.append((places == place).astype(np.float32))
        found.words.add(found.names[-1])
    found.worded.append(name)


def _refuse_constant(x: NDArray[np.float32], found: _Columns) -> None:
    with np.errstate(invalid="ignore"):
        flat = [name for name, values in zip(found.names, x.T, strict=True) if _constant(values)]
    if flat:
        many = len(flat) > 1
        raise DatasetInvalid(
            f"the column{'s' if many else ''} {columns_listed(flat)} hold{'' if many else 's'} one value in every row, "
            f"and tell{'' if many else 's'} classes nothing. Leave {'them' if many else 'it'} out: "
            f"table = table.drop(columns={flat[:_MOST_NAMED]})"
        )


def _constant(values: NDArray[np.float32]) -> bool:
    known = values[~np.isnan(values)]
    return not len(known) or bool(known.max() == known.min())
