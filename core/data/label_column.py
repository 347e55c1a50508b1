"""The column of a table that holds the labels: as the uploader says, or one by a usual name."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from core.data.facts import DatasetInvalid

if TYPE_CHECKING:
    import pyarrow as pa

LABELS: Final = ("label", "labels", "class", "target", "y")
"""Names of a column that is taken for the labels where nobody says which it is."""

_MOST_NAMED: Final = 12


def label_column(asked: str, names: Sequence[str], likely: Sequence[str], usual: Sequence[str]) -> tuple[str, str]:
    """The column of the labels, and a remark on how it was found.

    Args:
        asked: the uploader's word; empty: none.
        names: all columns that it may be.
        likely: those that a refusal offers.
        usual: the columns that are called as labels usually are.

    Raises DatasetInvalid.
    """
    if asked:
        if asked in names:
            return asked, f"The labels are the column {asked!r}."
        near = difflib.get_close_matches(asked, names, n=1, cutoff=0.5)
        guess = f"did you mean {near[0]!r}? " if near else ""
        raise DatasetInvalid(
            f"there is no column {asked!r}; {guess}name one of {columns_listed(names)} with label_column"
        )
    if len(usual) == 1:
        return usual[0], f"The labels are taken to be the column {usual[0]!r}; label_column says otherwise."
    offered = list(usual or likely)
    told = "several columns may be the labels" if len(usual) > 1 else "no column has a usual name of labels"
    raise DatasetInvalid(
        f"{told}: say which with label_column, for instance label_column={(offered or list(names) or ['label'])[0]}. "
        f"Columns of few values are {columns_listed(offered) or 'none'}"
    )


def different(column: pa.ChunkedArray) -> int:
    """The number of different entries; of lists and the like, which no class can be, all of them."""
    import pyarrow as pa

    try:
        return len(column.unique())
    except pa.ArrowNotImplementedError:
        return len(column)


def columns_listed(names: Sequence[str]) -> str:
    """Up to twelve of the names, and the number of the others."""
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(map(repr, names[:_MOST_NAMED])) + more
