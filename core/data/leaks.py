"""Columns of a table that give classes away: pandas' index, numbers of rows, and the labels a second time.

Read in the process of an inspection alone: pyarrow is loaded when it is needed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from core.data.label_column import LABELS, columns_listed
from core.data.left_out import LeftOut
from core.data.split_columns import says_split

if TYPE_CHECKING:
    import pyarrow as pa

_NAMELESS: Final = re.compile(r"|Unnamed: ?\d+(\.\d+)*|__index_level_\d+__")
"""Names under which an index without a name is stored."""
_ROWS_A_VALUE: Final = 4
"""Rows for each value of a column, in the mean, from which it is no chance that each value is of one class."""
_FEWEST: Final = 3
"""Rows from which their numbers are looked at."""


def without_index(tables: Sequence[pa.Table], training: Sequence[bool], asked: str) -> tuple[list[pa.Table], list[str]]:
    """The tables of one dataset without pandas' index, and a remark on it.

    An index is a column that the file's own metadata name so, or one without a name whose entries number the rows of
    its file. What may be the labels, or says the split, is none.

    Args:
        tables: as they were read, each from a file of its own.
        training: whether each is one of the training set, whose index is left out of the others, too.
        asked: the column of the labels, as the uploader says; empty: one by a usual name.
    """
    found = [_index(table, asked) for table in tables]
    ours = {name for names, trains in zip(found, training, strict=True) if trains for name in names}
    columns = {name for table, trains in zip(tables, training, strict=True) if trains for name in table.column_names}
    kept, left = list[Any](), dict[str, None]()
    for table, names in zip(tables, found, strict=True):
        index = [name for name in table.column_names if name in ours or (name in names and name not in columns)]
        kept.append(table.drop_columns(index) if index else table)
        left |= dict.fromkeys(index)
    if not left:
        return kept, []
    told = (
        f"Left out, as pandas' index, which numbers rows: {columns_listed(list(left))}. If it is a measurement, give "
        "it a name, and make it a column: table = table.reset_index()."
    )
    return kept, [LeftOut(told, left)]


def row_numbers(table: pa.Table, names: Sequence[str], splits: NDArray[np.str_] | None) -> list[str]:
    """The remark on columns of whole numbers that differ in all rows of a split; none where there are no such."""
    parts = [splits == split for split in np.unique(splits)] if splits is not None else []
    found = [name for name in names if _number_rows(table.column(name), parts)]
    if not found:
        return []
    many = len(found) > 1
    return [
        f"{columns_listed(found)} {'hold' if many else 'holds'} another whole number in every row, as numbers of rows "
        f"and ids do, which can give classes away and say nothing of new rows: leave {'them' if many else 'it'} "
        f"out where {'they are' if many else 'it is'} such: table = table.drop(columns={found[:12]})."
    ]


def second_labels(table: pa.Table, names: Sequence[str], labels: NDArray[Any]) -> list[str]:
    """The remark on columns of few values each of which tells the class alone; none where there are no such."""
    classes = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    found = [name for name in names if _tells(table.column(name), classes)]
    if not found:
        return []
    many = len(found) > 1
    return [
        f"{columns_listed(found)} alone {'tell' if many else 'tells'} the class of every row: if "
        f"{'they are' if many else 'it is'} the label in other words, leave {'them' if many else 'it'} out: "
        f"table = table.drop(columns={found[:12]})."
    ]


def _index(table: pa.Table, asked: str) -> list[str]:
    """The columns of a table that are pandas' index."""
    try:
        said = json.loads((table.schema.metadata or {})[b"pandas"])["index_columns"]
        named = {each for each in said if isinstance(each, str)}
    except (KeyError, ValueError, TypeError):
        named = set()
    return [
        name
        for name in table.column_names
        if (name != asked if asked else name.strip().lower() not in LABELS)
        and not says_split(name)
        and (name in named or (_NAMELESS.fullmatch(name.strip()) and _number_rows(table.column(name), [])))
    ]


def _number_rows(column: pa.ChunkedArray, parts: Sequence[NDArray[np.bool_]]) -> bool:
    """Whether a column's entries are whole numbers, another one in every row of each of the parts, or of all."""
    import pyarrow as pa

    whole = pa.types.is_integer(column.type)
    if not (whole or pa.types.is_floating(column.type)) or column.null_count or len(column) < _FEWEST:
        return False
    values = column.to_numpy()
    if not whole and (not np.isfinite(values).all() or (values % 1).any()):
        return False
    return all(len(np.unique(part)) == len(part) for part in ([values[rows] for rows in parts] or [values]))


def _tells(column: pa.ChunkedArray, classes: NDArray[np.int64]) -> bool:
    """Whether each value of a column is of one class, and the values are too few for that to be chance."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    values = column.dictionary_encode(null_encoding="encode").combine_chunks()
    count = len(values.dictionary)
    if count < 2 or count * _ROWS_A_VALUE > len(classes):
        return False
    codes = values.indices.to_numpy().astype(np.int64)
    return len(np.unique(codes * (int(classes.max()) + 1) + classes)) == count
