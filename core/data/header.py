"""The properties of an array in a file that are known before it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np


@final
@dataclass(frozen=True)
class Header:
    """The first bytes of a `.npy` member: what it says it holds."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    by_column: bool = False
    """Whether the first place varies fastest, which NumPy calls Fortran order."""

    def __str__(self) -> str:
        return f"{self.dtype.name} {self.shape}"


@final
@dataclass(frozen=True)
class Extent:
    """The values of an array of numbers: infinite bounds where there are none."""

    low: float
    high: float
    finite: bool
    """Whether all are finite; the bounds are those of the ones that are."""
    whole: bool
    """Whether all finite ones are whole numbers."""

    def joined(self, other: Extent) -> Extent:
        """The extent of both arrays."""
        low, high = min(self.low, other.low), max(self.high, other.high)
        return Extent(low, high, self.finite and other.finite, self.whole and other.whole)
