"""The steps of a job as data: what each makes, in which phase, and under which names its results are kept.

`core.plan.build` orders them, the engine executes them, a forecast prices them. Each kind has one cost
(`core.plan.cost`) and one runner (`core.engine.run`). Results with a name are shared by all jobs that would make the
same; a step whose results are all there costs nothing, and one that only serves such a step is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, final

from core.plan.cache_names import Identity, file_name, name_of
from core.plan.phases import Phase
from core.plan.race import Entrants
from core.plan.sizing import Sizing
from core.plan.two_layer import TwoLayerStep
from core.recipe import Embedding, LearnedScore, Recipe, Trajectory
from core.recipe.search import Candidates


@final
@dataclass(frozen=True)
class Kept:
    """The results of a step that are kept for later jobs: a short name for all of them, and the file of each."""

    name: str
    files: tuple[str, ...]
    keys: tuple[str, ...]
    """Names of the results by which an earlier job says that it left them."""

    @classmethod
    def one(cls, identity: Identity, suffix: str = ".safetensors") -> Kept:
        """A single result."""
        return cls(_short(identity), (file_name(identity, suffix),), (_short(identity),))

    @classmethod
    def several(cls, identity: Identity, count: int, suffix: str = ".safetensors") -> Kept:
        """As many results of a kind, each with an index."""
        files = tuple(file_name({**identity, "index": index}, suffix) for index in range(count))
        return cls(_short(identity), files, indexed(_short(identity), count))

    @classmethod
    def each(cls, identities: Sequence[Identity]) -> Kept:
        """Documents that have nothing in common but their kind."""
        names = tuple(map(_short, identities))
        return cls("", tuple(file_name(identity, ".json") for identity in identities), names)


def indexed(name: str, count: int) -> tuple[str, ...]:
    """The keys of the first so many results of a name."""
    return tuple(f"{name}/{index}" for index in range(count))


@final
@dataclass(frozen=True)
class Snapshots:
    """The epochs of an expert that are kept: segments' [first, last], and `final`, a later one, if there is one."""

    first: int
    last: int
    final: int | None = None

    @classmethod
    def of(cls, objective: Trajectory, judging: int | None = None) -> Snapshots:
        """Those an objective can ask for, and the one of the epoch after which experts judge images."""
        last = objective.last_start_epoch + objective.expert_epochs
        return cls(objective.min_start_epoch, last, judging if judging is not None and judging > last else None)

    @property
    def end(self) -> int:
        """The last epoch that is trained."""
        return self.last if self.final is None else self.final

    def __len__(self) -> int:
        return self.last - self.first + 1 + (self.final is not None)

    def holds(self, epoch: int) -> bool:
        """Whether an epoch is kept."""
        return self.first <= epoch <= self.last or epoch == self.final


@final
@dataclass(frozen=True)
class TrainTeacher:
    """The network that says labels, or that images are recovered from."""

    phase: ClassVar[Phase] = "training_experts"
    kept: Kept


@final
@dataclass(frozen=True)
class PrepareNetworks:
    """The networks that a later stage begins with, trained on the images before; those give them their names."""

    phase: ClassVar[Phase] = "training_experts"
    stage: int
    count: int


@final
@dataclass(frozen=True)
class TrainExperts:
    """The expert trajectories of a stage; those of a later one go on from prepared networks and have their names."""

    phase: ClassVar[Phase] = "training_experts"
    stage: int
    count: int
    snapshots: Snapshots
    kept: Kept | None
    some: bool = False
    """Only the few that a search needs; how many those are depends on how many are trained together."""


@final
@dataclass(frozen=True)
class ScoreImages:
    """Scores of the training images by networks, which the init chooses by."""

    phase: ClassVar[Phase] = "selecting"
    score: LearnedScore
    kept: Kept


@final
@dataclass(frozen=True)
class TrainEmbedder:
    """The network whose features the init compares images by, or that judges a generator's samples."""

    phase: ClassVar[Phase] = "selecting"
    embedding: Embedding
    kept: Kept


@final
@dataclass(frozen=True)
class MetaTrain:
    """The generator that initial images pass through, before it is adapted; its data may not be known beforehand."""

    phase: ClassVar[Phase] = "distilling"
    kept: Kept | None


@final
@dataclass(frozen=True)
class AdaptGenerator:
    """The same generator, adapted to this data."""

    phase: ClassVar[Phase] = "distilling"
    kept: Kept


@final
@dataclass(frozen=True)
class Search:
    """Values of fields that the recipe leaves "auto", field by field; the best are the recipe's.

    What short distillations did has names that say which machine they ran on, and no files that are known here.
    """

    phase: Phase
    candidates: tuple[Candidates, ...]
    kept: Kept


@final
@dataclass(frozen=True)
class TrainGenerator:
    """The generator that draws images."""

    phase: ClassVar[Phase] = "training_generator"
    kept: Kept


@final
@dataclass(frozen=True)
class DrawSamples:
    """The images it draws."""

    phase: ClassVar[Phase] = "distilling"


@final
@dataclass(frozen=True)
class Race:
    """Candidates that distil in turns until their time is over; the best set of all is the result."""

    phase: ClassVar[Phase] = "racing"
    entrants: Entrants


@final
@dataclass(frozen=True)
class FindSize:
    """Races at one size after the other, for the smallest set that reaches a target."""

    phase: ClassVar[Phase] = "racing"
    sizing: Sizing


@final
@dataclass(frozen=True)
class Begin:
    """The images and labels that outer steps begin with; without any, the result."""

    phase: ClassVar[Phase] = "distilling"


@final
@dataclass(frozen=True)
class Distil:
    """The outer steps of a stage."""

    phase: ClassVar[Phase] = "distilling"
    stage: int


@final
@dataclass(frozen=True)
class RankImages:
    """Scores of the training images by networks, which rounds of real images choose the simplest by."""

    phase: ClassVar[Phase] = "selecting"
    score: LearnedScore
    kept: Kept


@final
@dataclass(frozen=True)
class ChooseRounds:
    """Rounds of real images, each chosen by a network on the set so far."""

    phase: ClassVar[Phase] = "selecting"


@final
@dataclass(frozen=True)
class Relabel:
    """The labels of the result, by the teacher."""

    phase: ClassVar[Phase] = "relabelling"


@final
@dataclass(frozen=True)
class Evaluate:
    """Networks on the result, and on what it alone is compared with, a line of the report each."""

    phase: ClassVar[Phase] = "evaluating"
    rounds: bool
    """Whether rounding changes the images, so that the rounded ones have networks of their own."""


@final
@dataclass(frozen=True)
class Baseline:
    """Networks on random images, a line of the report that all methods share.

    Their names hold the job's seed: where it is not known beforehand, none is foreseen to be there.
    """

    phase: ClassVar[Phase] = "evaluating"
    count: int
    kept: Kept | None


@final
@dataclass(frozen=True)
class FullReference:
    """Networks on the full training set: the report's line to compare with."""

    phase: ClassVar[Phase] = "evaluating"
    seeds: int
    kept: Kept


@final
@dataclass(frozen=True)
class Transfer:
    """Networks of other architectures on the result and on random images."""

    phase: ClassVar[Phase] = "evaluating"


@final
@dataclass(frozen=True)
class TrainWitness:
    """The network whose features tell what is covered."""

    phase: ClassVar[Phase] = "evaluating"
    kept: Kept


@final
@dataclass(frozen=True)
class Cover:
    """The share of the test images that the result covers."""

    phase: ClassVar[Phase] = "evaluating"


@final
@dataclass(frozen=True)
class FindNeighbours:
    """The real images nearest to the result's."""

    phase: ClassVar[Phase] = "evaluating"


Step = (
    TrainTeacher
    | PrepareNetworks
    | TrainExperts
    | ScoreImages
    | TrainEmbedder
    | MetaTrain
    | AdaptGenerator
    | Search
    | TrainGenerator
    | DrawSamples
    | Race
    | FindSize
    | Begin
    | Distil
    | RankImages
    | ChooseRounds
    | Relabel
    | Evaluate
    | Baseline
    | FullReference
    | Transfer
    | TrainWitness
    | Cover
    | FindNeighbours
    | TwoLayerStep
)
"""Every kind of step."""

SERVES: dict[type[Step], frozenset[type[Step]]] = {
    AdaptGenerator: frozenset({MetaTrain}),
    TrainExperts: frozenset({PrepareNetworks}),
    Begin: frozenset({ScoreImages, TrainEmbedder, MetaTrain, AdaptGenerator}),
    Distil: frozenset({PrepareNetworks, TrainExperts}),
    ChooseRounds: frozenset({RankImages}),
    Cover: frozenset({TrainWitness}),
    Search: frozenset({TrainExperts, ScoreImages, TrainEmbedder, MetaTrain, AdaptGenerator}),
}
"""Kinds of the steps before it, in its part of the plan, that nothing but a step of the kind needs."""


@final
@dataclass(frozen=True)
class Plan:
    """A job's steps in their order. Where they end in a search, what it chose says how the job goes on."""

    recipe: Recipe
    steps: tuple[Step, ...]
    then: Callable[[Recipe], Plan] | None = None
    """The rest of the plan, of the recipe with the numbers that the last step chose."""
    bound: Recipe | None = None
    """The recipe that costs most among those that it may choose."""

    def parts(self) -> Iterator[Plan]:
        """This plan and what follows it, at its dearest."""
        yield self
        if self.then is not None and self.bound is not None:
            yield from self.then(self.bound).parts()

    def needed(self, found: Callable[[Step], bool]) -> Iterator[Step]:
        """The steps, but for those that only serve one whose results are `found`."""
        for place, step in enumerate(self.steps):
            later = self.steps[place + 1 :]
            if not any(type(step) in SERVES.get(type(each), ()) and found(each) for each in later):
                yield step


def keys(step: Step) -> tuple[str, ...]:
    """The keys of the results that a step leaves for later jobs."""
    kept = kept_of(step)
    return kept.keys if kept else ()


def kept_of(step: Step) -> Kept | None:
    """The names of its results, if they are kept."""
    kept: Kept | None = getattr(step, "kept", None)
    return kept


def count(step: Step) -> int:
    """How many results a step makes."""
    return len(keys(step)) or getattr(step, "count", 1)


def _short(identity: Identity) -> str:
    return name_of(identity)[:16]
