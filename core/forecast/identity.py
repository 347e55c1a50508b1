"""The names of what a job leaves in a worker's cache for later jobs: experts, judges, the reference's result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, final

from pydantic import BaseModel, ConfigDict, Field

from core.data import DatasetFacts
from core.plan import steps
from core.plan.steps import Plan, Step, indexed, kept_of
from core.recipe import search


@final
class ResultNames(BaseModel):
    """Equal names stand for equal content: same data, network, preprocessing, augmentation and training."""

    model_config = ConfigDict(frozen=True)

    experts: str | None = Field(default=None, description="Name of the expert trajectories.")
    count: int = Field(default=0, description="How many of them.")
    first: int = Field(default=0, description="First epoch of theirs that is kept.")
    last: int = Field(default=0, description="Last epoch.")
    final: int = Field(default=0, description="A later one after which they judge images, 0 if nothing asks them to.")
    judged: str | None = Field(default=None, description="Name of what networks said of the training images.")
    judges: int = Field(default=0, description="How many networks said it.")
    ranked: str | None = Field(default=None, description="Name of what networks said for rounds of real images.")
    rankers: int = Field(default=0, description="How many networks said that.")
    reference: str | None = Field(default=None, description="Name of the networks on the full training set.")
    references: int = Field(default=0, description="How many of them.")
    baseline: str | None = Field(default=None, description="Name of the networks on random images.")
    baselines: int = Field(default=0, description="How many of them.")
    witness: str | None = Field(default=None, description="Name of the network whose features tell what is covered.")
    teacher: str | None = Field(default=None, description="Name of the teacher.")

    generator: str | None = Field(default=None, description="Name of the generator that draws the images.")
    windows: tuple[str, ...] = Field(default=(), description="Names of the windows of difficulty that were judged.")
    search: str | None = Field(default=None, description="Name of what probes found, and of the experts they chose.")
    meta: str | None = Field(default=None, description="Name of the meta-trained generator of initial images.")
    adapted: str | None = Field(default=None, description="Name of the same, adapted to the dataset.")

    def keys(self, needed: ResultNames) -> frozenset[str]:
        """The keys of the results that a job which needs others finds of these (`core.plan.steps.Kept`)."""
        judge = needed.final in (0, self.final) or needed.final <= self.last
        covers = self.first <= needed.first and needed.last <= self.last and judge
        found = {getattr(self, name) for name in ONE} | set(self.windows)
        if self.experts is not None and self.experts == needed.experts and covers:
            found |= set(indexed(self.experts, self.count))
        if self.judged is not None:
            found |= {self.judged, *indexed(self.judged, self.judges)}
        if self.ranked is not None:
            found |= {self.ranked, *indexed(self.ranked, self.rankers)}
        if self.reference is not None:
            found |= set(indexed(self.reference, self.references))
        if self.baseline is not None:
            found |= set(indexed(self.baseline, self.baselines))
        return frozenset(found - {None})


ONE: Final = ("witness", "teacher", "generator", "search", "meta", "adapted")
"""Fields that name a single result."""

_FIELDS: Final[Mapping[type[Step], str]] = {
    steps.TrainExperts: "experts",
    steps.ScoreImages: "judges",
    steps.TrainEmbedder: "judges",
    steps.RankImages: "judges",
    steps.Baseline: "baselines",
    steps.FullReference: "reference",
    steps.TrainWitness: "witness",
    steps.TrainTeacher: "teacher",
    steps.TrainGenerator: "generator",
    steps.Search: "search",
    steps.MetaTrain: "meta",
    steps.AdaptGenerator: "adapted",
}
_WINDOWS: Final = "windows"

FIELDS: Final = (*dict.fromkeys(_FIELDS.values()), _WINDOWS)
"""The names that a forecast's fields give to the results of steps."""


def field(step: Step) -> str | None:
    """The one among them of a step's results; None where no forecast speaks of them."""
    if isinstance(step, steps.Search) and step.kept.files:  # of each window there is one, known beforehand
        return _WINDOWS
    return _FIELDS.get(type(step))


def leaves(plan: Plan, facts: DatasetFacts) -> ResultNames:
    """The names of what a job leaves; none while the dataset is not on disk."""
    found: dict[str, Any] = {}
    for step in every_step(plan) if facts.digest is not None else ():
        kept, name = kept_of(step), field(step)
        if kept is None or name is None:
            continue
        match step:
            case steps.TrainExperts(snapshots=snapshots):
                # how far a job trains its experts is not known before a search has chosen T+
                if search.END not in search.left(plan.recipe):
                    found |= {"experts": kept.name, "count": step.count, "first": snapshots.first}
                    found |= {"last": snapshots.last, "final": snapshots.final or 0}
            case steps.ScoreImages() | steps.TrainEmbedder():
                found |= {"judged": kept.name, "judges": len(kept.keys)}
            case steps.RankImages():
                found |= {"ranked": kept.name, "rankers": len(kept.keys)}
            case steps.Baseline():
                found |= {"baseline": kept.name, "baselines": step.count}
            case steps.FullReference():
                found |= {"reference": kept.name, "references": step.seeds}
            case steps.Search() if name == _WINDOWS:
                found[name] = kept.keys
            case _:
                found[name] = kept.name
    return ResultNames(**found)


def every_step(plan: Plan) -> Iterator[Step]:
    """Every step of a plan and of what follows it at its dearest."""
    return (step for part in plan.parts() for step in part.steps)
