"""The classes that tables of pictures say: which column holds them, and what its entries are.

Read in the process of an inspection alone: pyarrow is loaded when it is needed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from core.data.folders.faults import listed
from core.data.label_column import LABELS, different, label_column
from core.data.labels import labels_of
from core.data.picture_tables import PictureTable
from core.data.reading import Reading
from core.data.split_columns import says_split

if TYPE_CHECKING:
    import pyarrow as pa

_MORE_LABELS: Final = (*LABELS, "category", "class_name", "label_name")
_NUMBERED: Final = ("classid", "labelid", "categoryid", "targetid", "classname", "labelname", "categoryname")
"""Names, without capitals and signs, that are taken where no column has one of the others."""
_TELLING: Final = re.compile("class|label|categor|target|species|diagnos|dx|breed|kind|type", re.IGNORECASE)
"""The words of names that a refusal offers first."""

Labelled = tuple[PictureTable, list[str | None] | None, str]
"""A table with the class of each row, None of a table without classes, and a remark."""


def labels_in(found: Sequence[PictureTable], reading: Reading) -> list[Labelled]:
    """The classes of the rows of tables, by the column that is asked for, one by a usual name, or the only one.

    Raises DatasetInvalid where none of the tables says classes, or one does so in several ways.
    """
    labelled = [(each, *_labels(each, reading, alone=len(found) == 1)) for each in found]
    if all(labels is None for _, labels, _ in labelled):
        most = max(found, key=lambda each: len(each.named) - each.named.count(None))
        _labels(most, reading, alone=True)  # which says what is missing
    return labelled


def _labels(each: PictureTable, reading: Reading, *, alone: bool) -> tuple[list[str | None] | None, str]:
    """The class of each row and a remark; None of a table without classes beside one that has some."""
    asked = reading.label_column
    others = [name for name in each.table.column_names if name != each.files]
    usual = [name for name in others if name.strip().lower() in _MORE_LABELS]
    usual = usual or [name for name in others if re.sub(r"[\W_]", "", name).lower() in _NUMBERED]
    free = [name for name in others if not says_split(name)]
    if not asked and not usual and (columns := _one_of_columns(each.table, free)) is not None:
        return columns, f"The classes are the columns {listed(free)}, of which one is set in each row."
    if not asked and not usual and len(free) == 1:
        usual = free
    if not alone and asked not in others and not usual:
        return None, ""
    name, remark = label_column(asked, others, [] if asked else _likely(each.table, free), usual)
    labels, told = labels_of(_written(each, name), name, reading.missing)
    return labels, " ".join([remark, *told])


def _likely(table: pa.Table, names: Sequence[str]) -> list[str]:
    """The columns of a few values, those that are called as classes may be first."""
    most = max(2, min(64, table.num_rows // 3))
    counts = {name: different(table.column(name)) for name in names}
    telling = [name for name in names if _TELLING.search(name) and counts[name] > 1]
    return telling + [name for name in names if 1 < counts[name] <= most and name not in telling]


def _written(each: PictureTable, name: str) -> Sequence[Any]:
    """The entries of a column as they are written, but numbers with a point as such.

    A class may be called "null" or "NA" among words; among numbers such an entry stands for none.
    """
    import pyarrow as pa

    values: list[Any] = each.table.column(name).to_pylist()
    kind = each.table.column(name).type
    if each.words is each.table or pa.types.is_floating(kind):
        return values
    written: list[Any] = each.words.column(name).to_pylist()
    if pa.types.is_integer(kind):
        return [None if value is None else word for value, word in zip(values, written, strict=True)]
    return written


def _one_of_columns(table: pa.Table, names: Sequence[str]) -> list[str | None] | None:
    """The name of the column that is set in each row, where the columns are zeros and ones, one of them in a row."""
    import pyarrow as pa

    kinds = [table.column(name).type for name in names]
    if len(names) < 2 or not all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds):
        return None
    values = np.stack([table.column(name).to_numpy().astype(float) for name in names], axis=1)
    if not np.isin(values, (0, 1)).all() or (values.sum(1) != 1).any():
        return None
    return [names[place] for place in values.argmax(1).tolist()]
