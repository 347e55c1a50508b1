"""Trainings on real data that diverge: their error says what to lower, and nothing of them is kept for later jobs."""

from __future__ import annotations

from torch import Tensor

from core.engine.distill import Diverged


def expect(values: Tensor, of: str, field: str) -> None:
    """Nothing, where all values of a training are numbers.

    Args:
        values: parameters, or what was made of them, of any shape.
        of: the thing that was trained, for the message.
        field: the learning rate's path in the recipe.

    Raises:
        Diverged: one is not; the message says what to change.
    """
    if not bool(values.isfinite().all()):
        raise Diverged(
            f"The training of {of} diverged: what came of it are no numbers. Lower {field} by a factor of ten, and "
            "again if that is not enough."
        )
