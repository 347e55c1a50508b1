"""The names of what a job leaves in a worker's cache for later jobs: experts, judges, the reference's result."""

from __future__ import annotations

from typing import Any, final

from pydantic import BaseModel, ConfigDict, Field

from core.data import DatasetFacts
from core.forecast.work import expert_epochs, judged_by, judges
from core.plan.cache_names import CacheNames, Identity, name_of
from core.recipe import Embedding, Generated, Generative, Network, Recipe, Trajectory, Window, search


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
    reference: str | None = Field(default=None, description="Name of the reference on the full training set.")
    witness: str | None = Field(default=None, description="Name of the network whose features tell what is covered.")
    teacher: str | None = Field(default=None, description="Name of the teacher.")

    generator: str | None = Field(default=None, description="Name of the generator that draws the images.")
    windows: tuple[str, ...] = Field(default=(), description="Names of the windows of difficulty that were judged.")
    search: str | None = Field(default=None, description="Name of what probes found, and of the experts they chose.")
    meta: str | None = Field(default=None, description="Name of the meta-trained generator of initial images.")
    adapted: str | None = Field(default=None, description="Name of the same, adapted to the dataset.")

    def covers(self, needed: ResultNames) -> int:
        """How many trajectories of the needed kind there are, with all the epochs needed."""
        if needed.experts is None or self.experts != needed.experts:
            return 0
        judge = needed.final in (0, self.final) or needed.final <= self.last
        return self.count if self.first <= needed.first and needed.last <= self.last and judge else 0


def leaves(recipe: Recipe, facts: DatasetFacts, ipc: int) -> ResultNames:
    """The names of what a job of this recipe will leave; none while the dataset is not on disk."""
    if facts.digest is None:
        return ResultNames()
    names = CacheNames(recipe, facts.digest, facts.shape)
    found: dict[str, Any] = {}
    # how far a job trains its experts is not known before a probe has chosen T+
    if isinstance(recipe.objective, Trajectory) and recipe.experts and search.END not in search.left(recipe):
        # of stages those of the first: what later ones begin with is the job's own
        objective = recipe.objective_at(0, recipe.schedule.stages.count, facts.classes)
        assert isinstance(objective, Trajectory), "stages are of one kind"
        first, last = expert_epochs(objective)
        found = {"experts": _short(names.expert()), "count": recipe.experts.count, "first": first, "last": last}
        if recipe.judging_epoch is not None and recipe.judging_epoch > last:
            found["final"] = recipe.judging_epoch
    if (judged := judged_by(recipe)) is not None:
        identity = names.embedder(judged) if isinstance(judged, Embedding) else names.difficulty(judged)
        found |= {"judged": _short(identity), "judges": judges(judged)}
    if recipe.teacher is not None:
        found["teacher"] = _short(names.teacher())
    if recipe.evaluation.full is not None:
        found["reference"] = _short(names.reference())
    if recipe.evaluation.coverage is not None:
        found["witness"] = _short(names.witness(recipe.evaluation.coverage))
    if isinstance(recipe.objective, Generative):
        found["generator"] = _short(names.generator(recipe.objective))
    if search.asks(recipe):
        found["search"] = _short(names.search(ipc))
    if isinstance(recipe.init, Window) and recipe.init.beta == "auto":
        tried = recipe.init.swept(ipc, facts.smallest_class)
        found["windows"] = tuple(_short(names.window(window, ipc)) for window in tried)
    if isinstance(recipe.init, Generated):
        found["adapted"] = _short(names.adapted(recipe.init))
        if recipe.init.meta is not None and (origin := _origin(recipe, recipe.init, facts)) is not None:
            found["meta"] = _short(origin.meta_trained(recipe.init))
    return ResultNames(**found)


def _origin(recipe: Recipe, choice: Generated, facts: DatasetFacts) -> CacheNames | None:
    """The names on the data that a generator is meta-trained on; None where its network is not known.

    A ConvNet without a depth fits it to the images, whose size is known of this dataset alone.
    """
    if choice.source is None:
        return CacheNames(recipe, facts.digest, facts.shape)
    fits = isinstance(recipe.network, Network) and recipe.network.depth is None
    return None if choice.digest is None or fits else CacheNames(recipe, choice.digest, facts.shape)


def _short(identity: Identity) -> str:
    return name_of(identity)[:16]
