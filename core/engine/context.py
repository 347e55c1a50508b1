"""One job as its steps see it: what is asked, the data, the network, and where results are kept."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar, final

from torch import Tensor

from core import report
from core.data import Dataset
from core.engine.continued import Continued
from core.engine.diffusion.generator import Generator as Sampler
from core.engine.init import counts_of
from core.engine.journal import Journal
from core.engine.kernels import Eager, Kernels, Program
from core.engine.keys import Key
from core.engine.networks import Network, SquaredError
from core.engine.real import Real
from core.engine.workspace import Drained, TimeUp, Workspace
from core.plan.cache_names import CacheNames
from core.recipe import Counts, Recipe, search

T = TypeVar("T")


@final
@dataclass(frozen=True)
class KernelPlan:
    """The kernels of a job, and bytes for what student steps keep of their forward pass."""

    kernels: Kernels
    reason: str
    residual_bytes: int
    memory: dict[str, Any]
    """The report's entry on memory: the strategy, how many of a segment's steps keep theirs, the predicted peak."""
    programs: frozenset[Program]
    """Compiled programs that the job will call."""


@final
@dataclass(frozen=True)
class Sampled:
    """A trained generator and the images it drew, [n, C, H, W]; `selection` says how they came to be these.

    `facts` and `doubts` are of the report.
    """

    generator: Sampler
    images: Tensor
    selection: str
    facts: report.Generator
    doubts: tuple[str, ...]


@final
@dataclass(frozen=True)
class JobContext:
    """The things that every step of a job works with."""

    recipe: Recipe
    ipc: int
    key: Key
    run: str
    """Names what a checkpoint belongs to."""
    dataset: Dataset
    real: Real
    network: Network
    plan: KernelPlan
    workspace: Workspace
    load: Callable[[str], Dataset]
    """Another dataset by its name: the one a generator is meta-trained on."""
    choices: tuple[report.Probe, ...] = ()
    """The report's entries on searches: each field, its value and why, and the candidates with their figures."""
    race: report.Race | None = None
    """The report's entry on the race of candidates that chose the recipe."""
    aim: report.Aim | None = None
    """The report's entry on the search for the smallest set that reaches a target."""
    sampled: Sampled | None = None
    """Where the recipe has a generator."""
    continues: Continued | None = None
    """The earlier result that it goes on from."""
    most_steps: int = 0
    """Outer steps up to which the loop goes on beyond those of the recipe, while there is time to spare."""
    leaves: Literal["never", "hurried", "late"] = "never"
    """When the work at hand is left, since a result can be without it: once no time is left, or once it is futile."""

    only: frozenset[str] | None = None
    """Names of the results that alone are made, for a job of another worker; then PartMade is raised."""

    @property
    def hurried(self) -> JobContext:
        """The same job for work that a result can be without: it raises TimeUp once no time is left."""
        return replace(self, leaves="hurried")

    @property
    def late(self) -> JobContext:
        """The same job for work that distilling cannot begin without: TimeUp is raised once it is futile."""
        return replace(self, leaves="late")

    @property
    def counts(self) -> Counts:
        """The stored images of each class, `ipc` in the mean."""
        return counts_of(self.recipe, self.real, self.ipc)

    @property
    def names(self) -> CacheNames:
        """The names of the files that this job keeps for later ones."""
        return CacheNames(self.recipe, self.dataset.facts.digest, self.real.shape)

    @property
    def sweep(self) -> report.Sweep | None:
        """The report's entry on the choice of a window of difficulty."""
        return next((report.Sweep.of(each) for each in self.choices if each.field == search.WINDOW), None)

    @property
    def probes(self) -> tuple[report.Probe, ...]:
        """The report's entries on what short distillations chose."""
        return tuple(each for each in self.choices if each.field != search.WINDOW)

    @property
    def journal(self) -> Journal:
        """Told how far the job is."""
        return self.workspace.journal

    @property
    def kernels(self) -> Kernels:
        """The kernels that networks are trained with, but for the trainings of `judging`."""
        return self.plan.kernels

    @property
    def judging(self) -> Kernels:
        """The kernels that train networks on the synthetic set, and on as many real images, with its kind of labels."""
        return Eager(self.network, SquaredError) if self.recipe.regresses else self.kernels

    def kernels_of(self, network: Network) -> Kernels:
        """The kernels of a network, compiled if it is the job's own."""
        return self.kernels if network == self.network else Eager(network)

    def raise_if_draining(self) -> None:
        """Called wherever stopping loses nothing.

        Raises:
            Drained: the job was told to stop.
            TimeUp: no time is left, and a result can be without this work.
        """
        if self.workspace.should_stop():
            raise Drained
        if self.leaves == "hurried" and self.workspace.time_left() <= 0:
            raise TimeUp
        if self.leaves == "late" and self.workspace.grace() <= 0:
            raise TimeUp


def follow(context: JobContext, work: Generator[float, None, T], say: Callable[[float], None] | None = None) -> T:
    """The result of work that yields the share of it that is done, told to `say`.

    Raises:
        Drained: the job was told to stop.
        TimeUp: no time is left, and the context is `hurried`.
    """
    while True:
        try:
            share = next(work)
        except StopIteration as end:
            result: T = end.value
            return result
        try:
            context.raise_if_draining()
        except (Drained, TimeUp):
            work.close()  # it stores what it has
            raise
        if say is not None:
            say(share)
