"""The phases of a running job, in the order in which they come."""

from __future__ import annotations

from typing import Final, Literal, get_args

Phase = Literal[
    "preparing",
    "training_experts",
    "training_generator",
    "selecting",
    "probing",
    "racing",
    "distilling",
    "relabelling",
    "evaluating",
    "publishing",
]
"""The work of a running job at a moment; a job has some of these phases."""

PHASES: Final[tuple[str, ...]] = get_args(Phase)
