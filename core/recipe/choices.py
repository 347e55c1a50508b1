"""Every choice of a recipe together, and the answers that follow from several of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from core.recipe.component import Component, Later
from core.recipe.evaluation import Evaluation
from core.recipe.network import Architecture, Experts, Network
from core.recipe.objective import Objective, Sdc, Trajectory
from core.recipe.pixels import Augment, MeanStd, Preprocess
from core.recipe.relabel import KeepLabels, Relabel
from core.recipe.rounds import Rounds
from core.recipe.schedule import Schedule
from core.recipe.share import Share
from core.recipe.start import Hard, Init, Labels, Parameterize, Pixels, Real, StepSize
from core.recipe.storage import Exact, Storage
from core.recipe.teacher import Teacher


class Choices(Component):
    """The choices of a recipe, whether or not they contradict each other: what the checks read."""

    network: Architecture = Network()
    preprocess: Preprocess = MeanStd()
    augment: Augment = Augment()
    init: Init = Real()
    parameterize: Parameterize = Pixels()
    labels: Labels = Hard()
    step_size: StepSize = StepSize()
    objective: Objective
    sdc: Sdc | None = None
    experts: Experts | None = None
    teacher: Teacher | None = None
    schedule: Schedule = Schedule()
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32",
        description="Of the compiled kernels' large products; bfloat16 only where no ReLU depends on it.",
    )
    relabel: Relabel = KeepLabels()
    storage: Storage = Exact()
    share: Share = Field(
        default="equal",
        description="Images of each class: as many of each, or in proportion to its training images and at least one; "
        "ipc is their mean.",
    )
    rounds: Annotated[Rounds | None, Later(neutral=None)] = None
    evaluation: Evaluation = Evaluation()

    @property
    def regresses(self) -> bool:
        """Whether labels are real-valued targets, which networks learn by squared error."""
        return self.labels.regresses

    @property
    def judging_epoch(self) -> int | None:
        """The end of the experts' training, after which they judge images; None if nothing asks them to."""
        asked = self.init.needs_experts or self.labels.needs_experts
        return self.experts.epochs if asked and self.experts else None

    def objective_at(self, stage: int, ipc: int, classes: int) -> Objective:
        """The objective of a stage, counted from 0: trajectories are matched in its own window of start epochs.

        There a later stage's students draw, where no batch is given, as many images as it has itself, out of all that
        they see. `ipc` is of stored images.
        """
        stages, found = self.schedule.stages, self.objective
        if not isinstance(found, Trajectory):
            return found
        changes: dict[str, object] = {}
        if stages.each:
            changes = stages.each[stage].model_dump(exclude={"step_size"})
        if stage and found.batch_size is None:
            changes["batch_size"] = classes * stages.split(ipc)[stage] * self.parameterize.formation
        return found.model_copy(update=changes)

    def initial_step_size(self, stage: int) -> float:
        """The step size that a stage, counted from 0, begins with."""
        each = self.schedule.stages.each
        return each[stage].step_size if each else self.step_size.initial

    @property
    def taught_by(self) -> tuple[str, ...]:
        """The fields whose choices ask a teacher."""
        asking = {"objective": self.objective, "relabel": self.relabel, "init": self.init}
        return tuple(field for field, choice in asking.items() if choice.needs_teacher)
