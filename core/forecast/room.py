"""Whether a job fits into memory: what it needs at least, beside what the workers' machines have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from core.data import DatasetFacts
from core.forecast import memory
from core.forecast.calibration import Calibration
from core.plan.build import plan
from core.plan.cost import cost, work
from core.plan.cost.geometry import geometry
from core.plan.cost.passes import Sizes
from core.recipe import FieldError, Recipe, search

MARGIN: Final = 1.5
"""How far a prediction of memory may be off before a job is refused for it."""


def beyond(recipe: Recipe, facts: DatasetFacts, ipc: int, known: Sequence[Calibration]) -> list[FieldError]:
    """Why no machine of these has the memory for so many images a class, with the most that fit.

    Nothing is refused while one of them did not measure its memory.
    """
    rooms = [machine.device_bytes or machine.free_bytes for machine in known]
    if not rooms or 0 in rooms:
        return []
    room, need = max(rooms), needed(recipe, facts, ipc)
    if need <= MARGIN * room:
        return []
    low, high = recipe.schedule.stages.count - 1, ipc  # what fits, unless it is none; what does not
    while high - low > 1:
        middle = (low + high) // 2
        fits = needed(recipe, facts, middle) <= MARGIN * room
        low, high = (middle, high) if fits else (low, middle)
    told = (
        f"{ipc} x {facts.classes} images by this recipe take about {need / 2**30:,.1f} GiB of memory at once, and no "
        f"worker has more than {room / 2**30:,.1f} GiB to give."
    )
    if low >= recipe.schedule.stages.count:
        return [FieldError("ipc", told, f"Set ipc to at most {low}.")]
    return [FieldError("overrides.network", told, "Take a smaller network, or start a worker with more memory.")]


def needed(recipe: Recipe, facts: DatasetFacts, ipc: int) -> int:
    """Bytes that the job has in use at once, at least."""
    network = geometry(recipe.network, facts.shape, facts.classes)
    sizes = Sizes.of(facts, ipc * recipe.parameterize.formation)
    calls = work(cost(plan(recipe, facts, ipc), facts, ipc, lambda _: 1))
    return memory.peak_bytes(search.largest(recipe), network, sizes, calls)
