"""The design of the measurements that advice rests on: which sizes, networks, windows and pilots, within a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple, Protocol, final

from pydantic import BaseModel, ConfigDict

from core import methods
from core.architectures import reads
from core.data import DatasetFacts
from core.data.split import held_out
from core.overrides import override
from core.plan.cost.geometry import Geometry, geometry
from core.plan.cost.passes import Kernel
from core.recipe import Architecture, Distribution, Network, Recipe

LabelMode = Literal["hard", "soft"]

METHOD: Final = "dm"
"""The method of the pilots: the cheapest that optimises images."""
PILOTS: Final = (1, 10)
"""Images a class of the pilots."""
SECONDS: Final = 240.0
"""Time that measuring may take where nobody says another one; loading the data comes on top."""
VALIDATION: Final = 2000
"""Images of the validation split, at most, that networks are judged on."""

_LADDER = (1, 2, 5)  # and ten times as many, and so on
_PLANNED = 0.6  # share of the time that is planned with: a price is a forecast
_WINDOWED = 4  # a window takes at most one in so many images of a class: of more it is all of them
_LATEST = 2  # sizes that have windows beside the pilots'
_SKIPPED = 0.5  # share of the images, hardest first, that the window in the middle leaves out


class Price(Protocol):
    """Seconds of one call of a kernel on `batch` images for each of some networks."""

    def __call__(self, kernel: Kernel, network: Geometry, batch: int, networks: int, /) -> float: ...


class _Effort(NamedTuple):
    """How much is measured: shares of the recipe's width and epochs, the largest size, networks a size, steps."""

    width: float
    epochs: float
    largest: int
    networks: int
    steps: int


_EFFORTS: Final = (
    _Effort(1, 1, 100_000, 5, 1000),
    _Effort(1, 1, 100_000, 3, 500),
    _Effort(1, 1, 200, 3, 500),
    _Effort(1, 1 / 3, 200, 3, 300),
    _Effort(1 / 2, 1 / 3, 200, 3, 300),
    _Effort(1 / 2, 1 / 3, 100, 3, 200),
    _Effort(1 / 4, 1 / 3, 100, 3, 200),
    _Effort(1 / 4, 1 / 10, 100, 3, 100),
    _Effort(1 / 4, 1 / 10, 50, 3, 100),
    _Effort(1 / 8, 1 / 10, 50, 3, 60),
    _Effort(1 / 8, 1 / 20, 50, 2, 40),
    _Effort(1 / 8, 1 / 20, 20, 2, 30),
)
"""The most that is worth measuring first; the first that fits into the time is taken, or the last."""


@final
class WindowPoint(BaseModel):
    """A window of difficulty: so many images a class, after a share of them, hardest first, was left out."""

    model_config = ConfigDict(frozen=True)

    ipc: int
    skipped: float


@final
class Study(BaseModel):
    """The measurements, in their order: random images, pilots, windows; and the time they may take.

    Networks are those of the recipe, trained by its evaluation; pilots distil by the whole recipe. Soft labels are
    those of a network trained on the largest size.
    """

    model_config = ConfigDict(frozen=True)

    labels: LabelMode
    recipe: Recipe
    sizes: tuple[int, ...]
    networks: int
    pilots: tuple[int, ...]
    runs: int
    """Distillations a pilot, each from other random images."""
    windows: tuple[WindowPoint, ...]
    seconds: float


def study(facts: DatasetFacts, labels: LabelMode, seconds: float = SECONDS, price: Price | None = None) -> Study:
    """The most telling study of a dataset that fits into the time at this price, or at a modest machine's."""
    price = price or modest
    tried = [_study(facts, labels, seconds, effort) for effort in _EFFORTS]
    return next((each for each in tried if cost(each, facts, price) <= _PLANNED * seconds), tried[-1])


def cost(asked: Study, facts: DatasetFacts, price: Price) -> float:
    """Seconds that a study takes by these prices."""
    recipe, evaluation = asked.recipe, asked.recipe.evaluation
    own = geometry(recipe.network, facts.shape, facts.classes)
    judged = min(VALIDATION, facts.classes * held_out(facts.train_count // facts.classes))

    def training(ipc: int, networks: int) -> float:
        images = ipc * facts.classes
        batch = min(images, evaluation.batch_size)
        steps = evaluation.epochs * math.ceil(images / evaluation.batch_size)
        step = price("gradient", own, batch, networks) + price("data", own, batch, networks)
        return steps * step + networks * price("forward", own, judged, 1)

    def pilot(ipc: int) -> float:
        assert isinstance(recipe.objective, Distribution), "the pilots' method matches distributions"
        real = recipe.objective.real_batch
        each = price("forward", own, real, 1) + price("gradient", own, ipc, 1)
        each += price("data", own, real, 1) + price("data", own, ipc, 1)
        return recipe.schedule.steps * facts.classes * each + training(ipc, asked.networks)

    rates = len(evaluation.baseline_lrs)
    networks = asked.networks + (rates if rates > 1 else 0)  # real images are trained on at the best of several
    windows = sum(training(each.ipc, networks) for each in asked.windows)
    scored = price("forward", own, facts.train_count, 1) * asked.networks if asked.windows else 0.0
    pilots = asked.runs * sum(pilot(ipc) for ipc in asked.pilots)
    return sum(training(ipc, networks) for ipc in asked.sizes) + pilots + windows + scored


def modest(kernel: Kernel, network: Geometry, batch: int, networks: int, /) -> float:
    """The price of a call on a laptop of some years ago, for a service that has not measured its machine yet."""
    passes = {"data": 0, "forward": 1, "gradient": 3, "adjoint": 9}[kernel]
    return networks * (5e-4 * (1 + passes) + passes * batch * network.forward_flops / 4e10)


def sizes(smallest_class: int, largest: int) -> tuple[int, ...]:
    """Images a class on a geometric ladder, up to the whole smallest class if that is not beyond the largest."""
    most = min(smallest_class, largest)
    rungs = [size for size in _rungs(most) if size < most]
    if rungs and most == smallest_class and most < 1.5 * rungs[-1] and len(rungs) > 1:
        rungs.pop()  # two sizes side by side cost twice and say the same
    return (*rungs, most)


def _rungs(most: int) -> Iterator[int]:
    for power in range(len(str(most))):
        yield from (first * 10**power for first in _LADDER)


def measurable(facts: DatasetFacts) -> bool:
    """Whether the study's network reads the dataset's images, which it does not where they are lines of pixels."""
    return reads(_recipe(facts, _EFFORTS[-1]).network, facts.shape)


def _study(facts: DatasetFacts, labels: LabelMode, seconds: float, effort: _Effort) -> Study:
    recipe = _recipe(facts, effort)
    ladder = sizes(facts.smallest_class, effort.largest)
    pilots = tuple(ipc for ipc in PILOTS if ipc <= ladder[-1]) or ladder[:1]
    far = facts.smallest_class // _WINDOWED
    beyond = [size for size in ladder if pilots[-1] < size <= far][-_LATEST:]
    windows = tuple(
        WindowPoint(ipc=ipc, skipped=skipped)
        for ipc in (*(ipc for ipc in pilots if ipc <= far), *beyond)
        for skipped in (_SKIPPED, 1 - ipc / facts.smallest_class)
    )
    return Study(
        labels=labels,
        recipe=recipe,
        sizes=ladder,
        networks=effort.networks,
        pilots=pilots,
        runs=2 if effort.networks > 2 else 1,
        windows=windows,
        seconds=seconds,
    )


def _recipe(facts: DatasetFacts, effort: _Effort) -> Recipe:
    """The pilots' recipe: the method's own, but for width, epochs and steps."""
    task = methods.Task.of(facts, PILOTS[-1])
    recipe = methods.method(METHOD).recipe(task)
    network, evaluation = recipe.network, recipe.evaluation
    depths = range(network.depth, 0, -1) if isinstance(network, Network) and network.depth else ()
    fits = next((depth for depth in depths if _reads(network, depth, facts)), None)
    changes = {
        **({} if fits is None else {"network.depth": fits}),
        "network.width": max(8, round(effort.width * network.width)),
        "evaluation.epochs": max(40, round(effort.epochs * evaluation.epochs)),
        "evaluation.seeds": effort.networks,
        "schedule.steps": effort.steps,
        "objective.real_batch": 64,
    }
    return override(recipe, changes)


def _reads(network: Architecture, depth: int, facts: DatasetFacts) -> bool:
    return reads(network.model_copy(update={"depth": depth}), facts.shape)
