"""Columns of a table that say the split of every row, in words such as `train` and `PublicTest`, or as `is_test`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

import numpy as np
from numpy.typing import NDArray

from core.data.facts import DatasetInvalid
from core.data.folders.faults import listed
from core.data.folders.words import SPLIT_COLUMNS, Split, split_of
from core.data.left_out import LeftOut

if TYPE_CHECKING:
    import pyarrow as pa

_NOTHING: Final = "(nothing)"
_FLAG: Final = re.compile("(?:is|in)[_ ]?(train|test|val)[a-z]*(?:[_ ](?:set|image))?", re.IGNORECASE)
_YES_NO: Final = {"1": True, "0": False, "1.0": True, "0.0": False, "true": True, "false": False}


@final
@dataclass(frozen=True)
class ListSplits:
    """The split of each row; none at all where no column says any."""

    splits: tuple[Split | None, ...] = ()
    words: tuple[str, ...] = ()
    """The entries themselves."""
    remarks: tuple[str, ...] = ()


def splits_in_lists(words: pa.Table, besides: Sequence[str]) -> ListSplits:
    """The splits of a table's rows by the first column that is called as such and says some.

    Args:
        words: the columns as they are written.
        besides: names of columns that say something else.
    """
    remarks = []
    for name in words.column_names:
        if name not in besides and (found := _entries(words, name)):
            entries = tuple(found)
            splits = tuple(map(split_of, entries))
            if any(splits):
                return ListSplits(splits, entries)
            remarks.append(
                f"The column {name!r} was not read: it names no splits, only {listed(sorted(set(entries)))}."
            )
    return ListSplits(remarks=tuple(remarks))


def says_split(name: str) -> bool:
    """Whether a column is called as one that says the split of every row, `split` or `is_test`."""
    return name.strip().lower() in SPLIT_COLUMNS or _FLAG.fullmatch(name.strip()) is not None


def _entries(table: pa.Table, name: str) -> list[str]:
    """The entries of a column that says splits, in words; none of another column.

    Where a column such as `is_test` says no, it is the training set, and the test set where `is_train` does.
    """
    if not says_split(name):
        return []
    entries = [str("" if value is None else value).strip() or _NOTHING for value in table.column(name).to_pylist()]
    if not (flag := _FLAG.fullmatch(name.strip())):
        return entries
    if not {entry.lower() for entry in entries} <= {*_YES_NO, _NOTHING}:
        return []
    yes = flag[1].lower()
    words = {True: yes, False: "test" if yes == "train" else "train", None: _NOTHING}
    return [words[_YES_NO.get(entry.lower())] for entry in entries]


@final
@dataclass(frozen=True)
class TableSplits:
    """The column of a table that says the split of its rows."""

    name: str
    rows: NDArray[np.intp]
    """The rows of which it names a split."""
    splits: NDArray[np.str_]
    """The split of each of these."""
    remarks: tuple[str, ...]


def splits_in_table(table: pa.Table, names: Sequence[str]) -> TableSplits | None:
    """The splits of a table's rows by the first of the columns that says several; None where none does.

    Raises DatasetInvalid for a column that leaves open which rows are the training set, or those to test on.
    """
    for name in names:
        if not (entries := _entries(table, name)):
            continue
        splits = list(map(split_of, entries))
        known = {split for split in splits if split is not None}
        unknown = sorted({entry for entry, split in zip(entries, splits, strict=True) if split is None})
        if not known or len(known) + len(unknown) < 2:
            continue
        if "train" not in known or len(known) < 2:
            others = f" and {listed(unknown)}" if unknown else ""
            raise DatasetInvalid(
                f"the column {name!r} says {' and '.join(sorted(known))}{others}: call the rows of the training set "
                "train and those of the test set test, or leave the column out to have a fifth of each class set aside"
            )
        rows = np.flatnonzero([split is not None for split in splits])
        remarks = [f"The split is the column {name!r}."]
        if bare := len(splits) - len(rows):
            remarks.append(LeftOut(f"Left out, as {listed(unknown)} is no split: {bare:,} rows.", (), bare))
        return TableSplits(name, rows, np.array([split for split in splits if split]), tuple(remarks))
    return None
