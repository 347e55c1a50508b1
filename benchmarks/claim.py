"""A claim: what a paper says first of its method, and the two jobs that decide it here."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.subsets import Changes


@dataclass(frozen=True)
class Arm:
    """A job: method and changes to its recipe. line: of the report's results, whose accuracy is taken.

    "across" is the mean over the unseen architectures of `evaluation.across`, "across_random" that of random images.
    """

    name: str
    method: str
    overrides: Changes = field(default_factory=dict)
    line: str = "distilled"


@dataclass(frozen=True)
class Claim:
    """`better` is claimed to be more accurate than `than`."""

    name: str
    paper: str
    restated: str
    dataset: str
    ipc: int
    better: Arm
    than: Arm
    overrides: Changes = field(default_factory=dict)
