"""A whole job in this process: `distil` executes its plan and returns everything a report is made of.

    from core.data import Catalogue
    from core.engine.run import distil

    done = distil(method("dm").recipe(task), Catalogue(folder).load("digits"), ipc=1, seed=0)
    done.result.images, done.rows

Everything slow is kept in the workspace as soon as it is done (experts in the cache, the loop's state and each line of
the report in the checkpoint), so a run that follows a crash goes on where the last one was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, final

import torch

from core.data import Dataset, DatasetFacts, UnknownDataset
from core.engine import distill, ending
from core.engine.context import JobContext, KernelPlan
from core.engine.continued import Continued
from core.engine.coverage import Witness
from core.engine.distill import State
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.meta_generator import Training
from core.engine.networks import Network, build
from core.engine.real import prepare
from core.engine.report import Distillation
from core.engine.steps import coverage, diffusion, evaluation, meta_generator, race, search, teacher
from core.engine.steps.distillation import distilled
from core.engine.steps.meta_generator import Place
from core.engine.steps.neighbours import nearest
from core.engine.steps.transfer import across
from core.engine.synthetic import SyntheticDataset
from core.engine.teacher import Teacher
from core.engine.workspace import InMemory, TimeUp, Workspace
from core.plan import steps
from core.plan.build import plan as build_plan
from core.plan.cache_names import name_of
from core.plan.race import Entrants
from core.plan.steps import Plan, Step
from core.recipe import Generated, Recipe
from core.report import Coverage, Neighbours

Planner = Callable[[Recipe, DatasetFacts, int, Network, torch.device], KernelPlan]
"""Decides which kernels compute a job of so many images a class."""

_CPU = torch.device("cpu")


def eager(recipe: Recipe, facts: DatasetFacts, ipc: int, network: Network, device: torch.device) -> KernelPlan:
    """Kernels as they are written, that keep nothing between the steps of a student."""
    return KernelPlan(Eager(network), "The kernels are not compiled.", 0, {}, frozenset())


def alone(name: str) -> Dataset:
    """No other dataset than the job's own."""
    raise UnknownDataset(f"The recipe's generator is meta-trained on '{name}': say how to load it.")


def distil(
    recipe: Recipe,
    dataset: Dataset,
    ipc: int,
    seed: int,
    workspace: Workspace | None = None,
    *,
    device: torch.device = _CPU,
    run: str | None = None,
    plan: Planner = eager,
    load: Callable[[str], Dataset] = alone,
    entrants: Entrants | None = None,
    continues: Continued | None = None,
) -> Distillation:
    """Distil a dataset to `ipc` images a class, evaluate them, and compare them with real images.

    The same arguments give the same images. `run` names what the workspace's checkpoint belongs to, which by default
    is all that the images depend on. `load` is asked for the dataset of `init.source`. Where `entrants` race, `recipe`
    has what they share: the network, and how they are evaluated. `continues` is an earlier result whose images it
    begins with; then `run` has to be said.

    Raises:
        Drained: the workspace said to stop; everything up to then is in its checkpoint.
        ValueError: the recipe cannot be followed on this dataset, or the training diverged.
    """
    real = prepare(dataset, recipe.preprocess, device)
    workspace = InMemory() if workspace is None else workspace
    workspace.journal.progress(2, 2)
    network = build(recipe.network, real.shape, real.classes)
    content = {"recipe": recipe.model_dump(mode="json"), "dataset": dataset.facts.digest, "ipc": ipc, "seed": seed}
    context = JobContext(
        recipe=recipe,
        ipc=ipc,
        key=Key(seed),
        run=run or name_of(content),
        dataset=dataset,
        real=real,
        network=network,
        plan=plan(recipe, dataset.facts, ipc, network, device),
        workspace=workspace,
        load=load,
        continues=continues,
    )
    made = _run(_Made(context, plan=plan), build_plan(recipe, dataset.facts, ipc, entrants))
    assert made.result is not None, "every plan distils"
    return Distillation(
        context=made.context,
        result=made.result,
        selection=made.selection,
        rows=made.rows,
        across=made.across,
        analyses={"coverage": made.coverage, "neighbours": made.neighbours},
        teacher=made.taught,
        ended=ending.entry(made.context, made.left_out),
    )


@final
@dataclass(frozen=True)
class _Made:
    """The results of the steps so far; `context.recipe` has the numbers that searches chose."""

    context: JobContext
    plan: Planner = eager
    taught: Teacher | None = None
    state: State | None = None
    selection: str = ""
    result: SyntheticDataset | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    across: list[dict[str, Any]] = field(default_factory=list)
    witness: Witness | None = None
    coverage: Coverage | None = None
    neighbours: Neighbours | None = None

    @property
    def distilled(self) -> SyntheticDataset:
        """The result, once there is one."""
        assert self.result is not None, "a plan distils before it reports"
        return self.result

    @property
    def left_out(self) -> tuple[str, ...]:
        """The analyses of the recipe that there was no time for."""
        asked, made = self.context.recipe.evaluation, self.distilled
        missing = {
            "the reference on the full training set": asked.full and "full" not in [line["name"] for line in self.rows],
            "unseen architectures": asked.across and not self.across,
            "the coverage of the test images": asked.coverage and not self.coverage,
            "the nearest real images": not self.neighbours and not made.real.all(),
        }
        return tuple(name for name, is_missing in missing.items() if is_missing)

    @property
    def trained(self) -> int:
        """Networks of the table and of other architectures that have been trained."""
        seeds = self.context.recipe.evaluation.seeds
        own = [line for line in self.rows if line["name"] != evaluation.TEACHER]
        return seeds * (len(own) + 2 * len(self.across))


def _run(made: _Made, planned: Plan | None, before: type[Step] | None = None) -> _Made:
    """Execute a plan up to the first step of a kind, or to its end."""
    while planned is not None:
        for step in planned.needed(lambda step: _is_found(made.context, step)):  # noqa: B023 (asked at each step)
            if type(step) is before:
                return made
            if type(step) not in ASKED_FOR:
                with suppress(TimeUp):  # of steps that a result can be without
                    made = RUNNERS[type(step)](made, step)
        planned = planned.then and planned.then(made.context.recipe)
    return made


def _is_found(context: JobContext, step: Step) -> bool:
    """Whether the checkpoint holds the result of a step that others only serve."""
    return isinstance(step, steps.Cover) and coverage.is_known(context)


def prepared(context: JobContext) -> tuple[JobContext, Teacher | None]:
    """Everything that comes before the first outer step of a job: its teacher, and what is searched for."""
    planned = build_plan(context.recipe, context.dataset.facts, context.ipc)
    made = _run(_Made(context), planned, before=steps.Distil)
    return made.context, made.taught


def _race(made: _Made, step: steps.Race) -> _Made:
    first = made.context

    def kernels(recipe: Recipe) -> KernelPlan:
        return made.plan(recipe, first.dataset.facts, first.ipc, first.network, first.real.device)

    won = race.raced(first, step, prepared, kernels)
    result = distill.finish(won.context.recipe, won.state, first.real, first.ipc)
    return replace(
        made, context=won.context, taught=won.taught, state=won.state, selection=won.selection, result=result
    )


def _distil(made: _Made, step: steps.Distil) -> _Made:
    if step.stage:  # which the first one goes on to, as its checkpoint does
        return made
    state, selection = distilled(made.context, made.taught)
    context = made.context
    result = distill.finish(context.recipe, state, context.real, context.ipc)
    return replace(made, state=state, selection=selection, result=result)


def _evaluate(made: _Made, step: steps.Evaluate) -> _Made:
    context = ending.judged(made.context)
    return replace(made, context=context, rows=evaluation.rows(context, made.distilled, made.taught))


RUNNERS: Final[Mapping[type[Step], Callable[[_Made, Any], _Made]]] = {
    steps.TrainTeacher: lambda made, step: replace(made, taught=teacher.gather(made.context, step)),
    steps.Search: lambda made, step: replace(made, context=search.settled(made.context, step, made.taught)),
    steps.DrawSamples: lambda made, _: replace(made, context=diffusion.settled(made.context)),
    steps.Race: _race,
    steps.Distil: _distil,
    steps.Relabel: lambda made, _: replace(made, result=teacher.relabelled(made.context, made.taught, made.distilled)),
    steps.Evaluate: _evaluate,
    steps.FullReference: lambda made, step: replace(made, rows=evaluation.full(made.context.hurried, step, made.rows)),
    steps.Transfer: lambda made, _: replace(
        made, across=across(made.context.hurried, made.distilled, made.trained, made.taught)
    ),
    steps.TrainWitness: lambda made, step: replace(made, witness=coverage.witness(made.context.hurried, step)),
    steps.Cover: lambda made, _: replace(
        made, coverage=coverage.covered(made.context.hurried, made.distilled, made.trained, made.witness)
    ),
    steps.FindNeighbours: lambda made, _: replace(made, neighbours=nearest(made.context.hurried, made.distilled)),
}
"""The runner of each kind of step that is not asked for."""

ASKED_FOR: Final[frozenset[type[Step]]] = frozenset(
    {
        steps.PrepareNetworks,
        steps.TrainExperts,
        steps.ScoreImages,
        steps.TrainEmbedder,
        steps.MetaTrain,
        steps.AdaptGenerator,
        steps.TrainGenerator,
    }
)
"""The kinds of steps that make what other jobs share: the runner of the step that needs it asks for it, so that what a
checkpoint holds costs nothing."""


def meta_train(
    recipe: Recipe,
    choice: Generated,
    source: Dataset,
    workspace: Workspace,
    told: Callable[[Training], None],
    device: torch.device = _CPU,
) -> None:
    """Meta-train on `source` the generator that jobs of a recipe will look for; `told` hears of each step."""
    place = Place(workspace, told)
    meta_generator.meta_trained(place, recipe, choice, source.facts, prepare(source, recipe.preprocess, device))
