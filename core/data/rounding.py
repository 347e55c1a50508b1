"""Columns of numbers that float32, in which numbers are kept, does not tell apart.

They are told, and refused where nothing would be left of them. To subtract an offset here would be no help: whoever
uses an artifact has to do the same to data that a network is to judge, and so has to know of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from core.data.facts import DatasetInvalid

_MATTERS: Final = 1e-4
"""Share of a column's range from which an error of rounding is told."""
_WHOLE: Final = 2**24
"""Least whole number after which float32 leaves some out."""
_MOST_NAMED: Final = 10

Lost = Literal["nothing", "some", "all"]
"""The differences of a column's numbers that float32 does not keep."""


def lost_in_float32(values: NDArray[Any]) -> Lost:
    """The differences between numbers [N] that float32 does not keep, which are told: NaN are no numbers."""
    if values.dtype.kind not in "iuf" or values.dtype.itemsize < 4 or values.dtype == np.float32:
        return "nothing"
    values = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if not values.size or (low := values.min()) == (high := values.max()):
        return "nothing"
    reach, width = max(abs(float(low)), abs(float(high))), float(high) - float(low)
    whole = values.dtype.kind != "f" and reach >= _WHOLE
    if not whole and reach * 2**-24 <= _MATTERS * width:
        return "nothing"
    rounded = values.astype(np.float32)
    if rounded.min() == rounded.max():
        return "all"
    return "some" if len(np.unique(rounded)) < len(np.unique(values)) else "nothing"


def check_told_apart(arrays: Sequence[NDArray[Any]], given: Sequence[str], columns: Sequence[str]) -> list[str]:
    """The remark on columns or channels, along the second axis, whose rounding in float32 matters.

    Args:
        arrays: of the training cases first.
        given: what the arrays are called.
        columns: names of the columns, if they have any.

    Raises DatasetInvalid for columns that are constant in float32 alone.
    """
    first = arrays[0]
    lost = [lost_in_float32(first[:, place].reshape(-1)) for place in range(first.shape[1])]
    for kind in ("all", "some"):
        places = [place for place, each in enumerate(lost) if each == kind]
        if not places:
            continue
        words = [columns[place] if columns else str(place) for place in places]
        over = tuple(axis for axis in range(first.ndim) if axis != 1)
        fix = f"low = np.nanmin({given[0]}[:, {places}], axis={over}, keepdims=True); " + "; ".join(
            f"{name}[:, {places}] -= low" for name in given
        )
        if kind == "all":
            raise DatasetInvalid(not_apart(words, fix))
        return [rounded_remark(words, fix)]
    return []


def not_apart(names: Sequence[str], fix: str) -> str:
    """The fault of columns whose different numbers are one in float32, with the statement that mends it."""
    return (
        f"{_named(names)}: the numbers differ by so little for their size that float32, in which numbers are kept with "
        "about seven digits, has one for all. Count them from their least, in data that a network is to judge, too: "
        f"{fix}"
    )


def rounded_remark(names: Sequence[str], fix: str) -> str:
    """The remark on columns of which float32 has one number for several, with the statement that mends it."""
    return (
        f"{_named(names)}: several numbers became one in float32, in which numbers are kept with about seven digits. "
        f"If that matters, count them from their least, in data that a network is to judge, too: {fix}."
    )


def table_fix(names: Sequence[str]) -> str:
    """The statement that counts columns of a table from their least."""
    which = list(names[:_MOST_NAMED])
    return f"table[{which}] -= table[{which}].min()"


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return f"Column{'s' if len(names) > 1 else ''} {', '.join(map(repr, names[:_MOST_NAMED]))}{more}"
