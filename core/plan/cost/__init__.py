"""The cost of a plan: each kind of step counted as calls of kernels, and arithmetic beside them.

The counts are the engine's own: a test runs small jobs and compares. They know the dataset by its facts only, so where
the classes are of unequal size an epoch may be off by the one step that a few images make.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

from core.data import DatasetFacts
from core.plan import packing, steps
from core.plan.cost import (
    diffusion,
    evaluation,
    experts,
    matching,
    regression,
    rounds,
    search,
    selecting,
    teacher,
    two_layer,
)
from core.plan.cost.geometry import Geometry, geometry
from core.plan.cost.passes import Algebra, Sizes, Stack, Work
from core.plan.cost.scale import Scale
from core.plan.steps import Plan, Step
from core.plan.two_layer import JudgeStudents, MatchGradients, MatchPerformance

Item = Work | Algebra

COSTS: Final[Mapping[type[Step], Callable[[Any, Scale, int], Iterator[Item]]]] = {
    steps.TrainTeacher: teacher.trained,
    steps.PrepareNetworks: experts.prepared,
    steps.TrainExperts: experts.trained,
    steps.ScoreImages: selecting.scored,
    steps.TrainEmbedder: selecting.embedded,
    steps.MetaTrain: regression.meta_trained,
    steps.AdaptGenerator: regression.adapted,
    steps.Search: search.searched,
    steps.TrainGenerator: diffusion.trained,
    steps.DrawSamples: diffusion.drawn,
    steps.Race: search.raced,
    steps.FindSize: search.sized,
    steps.Begin: matching.begun,
    steps.Distil: matching.distilled,
    steps.RankImages: rounds.ranked,
    steps.ChooseRounds: rounds.chosen,
    steps.Relabel: teacher.relabelled,
    steps.Evaluate: evaluation.evaluated,
    steps.Baseline: evaluation.drawn,
    steps.FullReference: evaluation.referenced,
    steps.Transfer: evaluation.transferred,
    steps.TrainWitness: evaluation.witnessed,
    steps.Cover: evaluation.covered,
    steps.FindNeighbours: evaluation.compared,
    MatchGradients: two_layer.pointed,
    MatchPerformance: two_layer.labelled,
    JudgeStudents: two_layer.judged,
}
"""The work of a step of each kind, of whose results so many are missing."""


_MAKING: Final = (steps.TrainEmbedder, steps.AdaptGenerator, steps.Search, steps.Begin, steps.Distil)
"""The steps that see only what a recipe makes itself, without the real images of rounds."""


def cost(plan: Plan, facts: DatasetFacts, ipc: int, stack: Stack, there: Collection[str] = ()) -> list[Item]:
    """Everything that a job does, at most: nothing is given up that may be, and a search chooses what costs most.

    Args:
        plan, facts, ipc: the job.
        stack: how many networks are trained together.
        there: keys of the results that earlier jobs left.
    """
    known, found = set(there), list[Item]()

    def is_there(step: Step) -> bool:
        return not _missing(step, known)

    network = geometry(plan.recipe.network, facts.shape, facts.classes)
    for part in plan.parts():
        sizes = Sizes.of(facts, ipc * part.recipe.parameterize.formation)
        whole, made = (Scale(part.recipe, own, network, stack) for own in (sizes, rounds.made(part.recipe, sizes)))
        for step in part.needed(is_there):
            scale = made if isinstance(step, _MAKING) else whole
            found += COSTS[type(step)](step, scale, _missing(step, known))
            known.update(steps.keys(step))
    return found


def work(items: Collection[Item]) -> list[Work]:
    """The calls of kernels among them."""
    return [item for item in items if isinstance(item, Work)]


def stack_on(network: Geometry, device_bytes: int | None) -> Stack:
    """The stacking that the engine decides on; `device_bytes` is the memory of a GPU, None for a CPU."""
    device = "cpu" if device_bytes is None else "cuda"
    return lambda batch: packing.stack(network.convolutions, batch, device, device_bytes)


def _missing(step: Step, known: Collection[str]) -> int:
    return steps.count(step) - sum(key in known for key in steps.keys(step))
