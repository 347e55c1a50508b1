"""CSV and Parquet files as tables: a column of labels, numbers as they are, words as columns of zeros and ones.

Read in the process of an inspection alone: pyarrow is loaded when it is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, final

import numpy as np
from numpy.typing import NDArray

from core.data.array_names import ArrayNames
from core.data.bundle import Bundle
from core.data.csv_files import read_csv, sign_of
from core.data.facts import DatasetInvalid, Kind
from core.data.folders import LAYOUT
from core.data.label_column import LABELS, columns_listed, label_column, words_of
from core.data.numbers import read_numbers
from core.data.reading import Reading

if TYPE_CHECKING:
    import pyarrow as pa

MOST_WORDS: Final = 64
"""Different words of a column up to which it is one of categories."""
_MOST_NAMED: Final = 12


@final
@dataclass
class _Columns:
    """The columns of numbers that a table becomes."""

    names: list[str] = field(default_factory=list)
    values: list[NDArray[np.float32]] = field(default_factory=list)
    words: set[str] = field(default_factory=set)
    """Those of zeros and ones."""
    remarks: list[str] = field(default_factory=list)


def table_format(path: Path) -> Literal["csv", "parquet"] | None:
    """The format of a file that holds a table, by its beginning; None of any other."""
    with path.open("rb") as file:
        start = file.read(4096)
    if start.startswith(b"PAR1"):
        return "parquet"
    try:
        text = start.decode("utf-8-sig", "strict" if len(start) < 4096 else "ignore")
    except UnicodeDecodeError:
        return None
    first = text.lstrip().partition("\n")[0]
    plain = all(letter.isprintable() or letter in "\r\n\t" for letter in text)
    return "csv" if plain and "\n" in text and first[:1] not in ("{", "[", "<") and sign_of(first) else None


def read_table(path: Path, form: Literal["csv", "parquet"], reading: Reading) -> Bundle:
    """The table of a file as a bundle, split here.

    Raises DatasetInvalid, which says what is wrong with it and how to mend it.
    """
    table = read_csv(path) if form == "csv" else _parquet(path)
    names = [str(name) for name in table.column_names]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DatasetInvalid(f"the column {twice[0]!r} is there more than once; give every column its own name")
    if table.num_rows == 0:
        raise DatasetInvalid("the table has no rows below its names; add some")
    label, told = _label(table, names, reading.label_column)
    labels = _labels(table.column(label), label)
    known = np.array([each is not None for each in labels])
    if not known.all():
        if reading.missing != "drop":
            raise DatasetInvalid(
                f"{(~known).sum():,} rows have no {label!r}: leave them out, or upload with missing=drop"
            )
        table = table.take(np.flatnonzero(known))
    kept = [each for each in labels if each is not None]
    found = _numbers(table, [name for name in names if name != label])
    kind: Kind = "series" if reading.kind == "series" else "vectors"
    x = np.stack(found.values, axis=1)
    if len(set(kept)) > max(2, len(kept) // 3):
        raise DatasetInvalid(
            f"{label!r} has {len(set(kept)):,} different values in {len(kept):,} rows: it is no class. Make classes "
            f"of it first, for instance table[{label!r}] = pandas.qcut(table[{label!r}], 3, labels=False), or name "
            "another column with label_column"
        )
    arrays: dict[str, NDArray[Any]] = {"x": x, "y": np.array(kept)}
    if kind == "series":
        arrays["x"] = x[:, None]
    else:
        _refuse_constant(x, found)
        arrays["columns"] = np.array(found.names)
    called = ArrayNames({name: f"the table's {name}" for name in arrays}, ())
    train, test, class_names, columns, remarks = read_numbers(
        arrays, called, kind, reading.missing, spare=frozenset(found.words)
    )
    return Bundle(train, test, class_names, None, (told, *found.remarks, *remarks), kind, columns)


def _parquet(path: Path) -> pa.Table:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return parquet.read_table(path)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as fault:
        raise DatasetInvalid(
            f"the Parquet file cannot be read: {str(fault).splitlines()[0][:200]}; write it anew, for instance by "
            "pandas: table.to_parquet(path)"
        ) from None


def _label(table: pa.Table, names: Sequence[str], asked: str) -> tuple[str, str]:
    """The column of labels, and a remark on how it was found."""
    usual = [name for name in names if name.strip().lower() in LABELS]
    most = max(2, min(32, table.num_rows // 3))
    likely = [] if asked else [name for name in names if len(table.column(name).unique()) <= most]
    return label_column(asked, names, likely, usual)


def _labels(column: pa.ChunkedArray, name: str) -> list[int | str | None]:
    """Whole numbers where all are, else words."""
    values = column.to_pylist()
    words = words_of(values, name)
    if any(isinstance(each, str | bool) for each in values):
        return list(words)
    return [None if word is None else int(word) for word in words]


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
            values = np.array([np.nan if each is None else each for each in column.to_pylist()], dtype=np.float64)
            _number(found, name, values, whole=pa.types.is_integer(kind))
        elif pa.types.is_decimal(kind):
            values = np.array([np.nan if each is None else float(each) for each in column.to_pylist()])
            _number(found, name, values, whole=False)
        elif pa.types.is_null(kind):
            raise DatasetInvalid(f"the column {name!r} is empty: leave it out: table = table.drop(columns=[{name!r}])")
        elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
            _words(found, name, column.to_pylist())
        elif pa.types.is_struct(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            raise DatasetInvalid(
                f"the column {name!r} holds {kind}: if they are pictures, write them into class folders and send "
                f"{LAYOUT}"
            )
        else:
            raise DatasetInvalid(
                f"the column {name!r} holds {kind}, which is neither numbers nor words; make numbers of it (of a date, "
                f"days since another one), or leave it out: table = table.drop(columns=[{name!r}])"
            )
    if found.words:
        found.remarks.append(f"Words became {len(found.words):,} columns of zeros and ones, `column=word`.")
    return found


def _number(found: _Columns, name: str, values: NDArray[np.float64], *, whole: bool) -> None:
    if whole and len(values) > 2 and len(np.unique(values)) == len(values) and np.ptp(values) == len(values) - 1:
        found.remarks.append(f"{name!r} numbers the rows, it seems: if so, leave it out.")
    found.names.append(name)
    found.values.append(values.astype(np.float32))


def _words(found: _Columns, name: str, words: Sequence[str | None]) -> None:
    """A column of categories as one of zeros and ones for each; a gap is a category of its own."""
    said = ["(missing)" if word is None else word.strip() for word in words]
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
