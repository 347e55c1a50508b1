"""The part of a job that an earlier one has done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Cached:
    """The work that need not be done again, since an earlier job has left its results."""

    experts: int = 0
    """Expert trajectories."""
    judges: int = 0
    """Networks that say which images to select."""
    windows: int = 0
    """Windows of difficulty that were judged."""
    reference: bool = False
    """The result of the full training set."""
    witness: bool = False
    """The network whose features tell what is covered."""
    teacher: bool = False
    generator: bool = False
    """The generator that draws images."""
    search: bool = False
    """The choices of all probes, and the experts that they chose."""
    meta: bool = False
    """The meta-trained generator that initial images pass through."""
    adapted: bool = False
    """The same, adapted to the dataset."""


ONE = ("reference", "witness", "teacher", "generator", "search", "meta", "adapted")
"""Fields of what is there or not."""
