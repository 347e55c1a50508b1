"""What a job leaves in a worker's cache for later jobs, by name: experts, judges of images, the reference's result."""

from __future__ import annotations

import hashlib
from typing import Any, final

from pydantic import BaseModel, ConfigDict, Field

from core.data import DatasetFacts
from core.forecast.network import Geometry
from core.forecast.work import expert_epochs, judged_by, judges
from core.recipe import Generative, Recipe, Trajectory, probes
from core.request import ENGINE_VERSION, canonical_json


@final
class Leaves(BaseModel):
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

    def covers(self, needed: Leaves) -> int:
        """How many trajectories of the needed kind there are, with all the epochs needed."""
        if needed.experts is None or self.experts != needed.experts:
            return 0
        judge = needed.final in (0, self.final) or needed.final <= self.last
        return self.count if self.first <= needed.first and needed.last <= self.last and judge else 0


def leaves(recipe: Recipe, facts: DatasetFacts, network: Geometry) -> Leaves:
    """What a job of this recipe will leave; nothing that can be named while the dataset is not on disk."""
    if facts.digest is None:
        return Leaves()
    common = {
        "engine": ENGINE_VERSION,
        "dataset": facts.digest,
        "network": list(network.name),
        "preprocess": recipe.preprocess.model_dump(mode="json"),
        "augment": recipe.augment.model_dump(mode="json"),
    }
    found: dict[str, Any] = {}
    # how far a job trains its experts is not known before a probe has chosen T+
    if isinstance(recipe.objective, Trajectory) and recipe.experts and probes.END not in probes.left(recipe):
        training = recipe.experts.model_dump(mode="json", exclude={"count", "epochs"})
        # of stages those of the first: what later ones begin with is the job's own
        objective = recipe.objective_at(0, recipe.schedule.stages.count, facts.classes)
        assert isinstance(objective, Trajectory), "stages are of one kind"
        first, last = expert_epochs(objective)
        found = {"experts": _name(common, training), "count": recipe.experts.count, "first": first, "last": last}
        if recipe.judging_epoch is not None and recipe.judging_epoch > last:
            found["final"] = recipe.judging_epoch
    if (judged := judged_by(recipe)) is not None:
        training = judged.model_dump(mode="json", exclude={"networks"}) | {"of": type(judged).__name__}
        found |= {"judged": _name(common, training), "judges": judges(judged)}
    if recipe.teacher is not None:
        found["teacher"] = _name(common, recipe.teacher.model_dump(mode="json") | {"of": "Teacher"})
    if recipe.evaluation.full is not None:
        training = recipe.evaluation.full.model_dump(mode="json") | {"seeds": recipe.evaluation.seeds}
        found["reference"] = _name(common, training)
    if recipe.evaluation.coverage is not None:
        training = recipe.evaluation.coverage.model_dump(mode="json") | {"of": "Coverage"}
        found["witness"] = _name(common, training)
    if isinstance(recipe.objective, Generative):
        training = recipe.objective.model_dump(mode="json", include={"autoencoder", "denoiser"})
        alike = {name: common[name] for name in ("engine", "dataset", "preprocess", "augment")}
        found["generator"] = _name(alike, training)
    return Leaves(**found)


def _name(common: dict[str, Any], particulars: dict[str, Any]) -> str:
    return hashlib.sha256(canonical_json(common | {"training": particulars}).encode()).hexdigest()[:16]
