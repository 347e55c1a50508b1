"""The results of a job's steps so far, which each step adds to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, final

from torch import Tensor

from core.engine import distill, ending
from core.engine.context import JobContext
from core.engine.coverage import Witness
from core.engine.diffusion.generator import Generator
from core.engine.evaluate import Trained
from core.engine.init import Learned
from core.engine.planner import Planner, eager
from core.engine.state import State
from core.engine.steps import distillation, evaluation
from core.engine.steps.distillation import Distilled
from core.engine.synthetic import SyntheticDataset
from core.engine.teacher import Teacher
from core.engine.trajectories import Trajectories
from core.plan.sizing import Sizes
from core.report import Coverage, Neighbours, Probe


@final
@dataclass(frozen=True)
class Made:
    """The results of the steps so far; `context.recipe` has the numbers that searches chose."""

    context: JobContext
    plan: Planner = eager
    sizes: Sizes | None = None
    resumed: State | None = None
    """The state that the checkpoint held when the walk began."""
    taught: Teacher | None = None
    networks: Tensor | None = None
    """Those that a later stage begins with, [S, P]."""
    experts: Trajectories | None = None
    embedder: Trained | None = None
    meta_trained: Tensor | None = None
    """The parameters of the generator that initial images pass through, before it is adapted."""
    learned: Learned | None = None
    """The function that initial images are chosen, or made, by."""
    hardness: Tensor | None = None
    """How hard training images are, [n], for rounds that take the simplest."""
    generator: Generator | None = None
    """The one that draws the images."""
    found: tuple[Probe, ...] | None = None
    """The choices of the search at the end of this part of the plan, where nothing has to be tried for them."""
    state: State | None = None
    """The one that the loop goes on from."""
    distilled: Distilled | None = None
    selection: str = ""
    result: SyntheticDataset | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    across: list[dict[str, Any]] = field(default_factory=list)
    witness: Witness | None = None
    coverage: Coverage | None = None
    neighbours: Neighbours | None = None

    @classmethod
    def of(cls, context: JobContext, plan: Planner = eager, taught: Teacher | None = None) -> Made:
        """Nothing yet, but for what the checkpoint holds."""
        return cls(context, plan, resumed=distillation.resumed(context), taught=taught)

    @property
    def whole(self) -> SyntheticDataset:
        """The result, once there is one."""
        assert self.result is not None, "a plan distils before it reports"
        return self.result

    @property
    def before(self) -> SyntheticDataset | None:
        """The images of the stages before the present one, if there are any."""
        state, context = self.state or self.resumed, self.context
        if state is None or not state.stage:
            return None
        return distill.finish(context.recipe, state, context.real, context.ipc).before(state.stage)

    @property
    def left_out(self) -> tuple[str, ...]:
        """The analyses of the recipe that there was no time for."""
        asked, made = self.context.recipe.evaluation, self.whole
        missing = {
            "the reference on the full training set": asked.full and "full" not in [line["name"] for line in self.rows],
            "unseen architectures": asked.across and not self.across,
            ending.COVERAGE: asked.coverage and not self.coverage and (self.witness is None or self.witness.is_sound),
            "the nearest real images": not self.neighbours and not made.real.all(),
        }
        return tuple(name for name, is_missing in missing.items() if is_missing)

    @property
    def trained(self) -> int:
        """Networks of the table and of other architectures that have been trained."""
        seeds = self.context.recipe.evaluation.seeds
        own = [line for line in self.rows if line["name"] != evaluation.TEACHER]
        return seeds * (len(own) + 2 * len(self.across))
