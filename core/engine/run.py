"""A whole job in this process: `distil` executes its plan and returns everything a report is made of.

    from core.data import Catalogue
    from core.engine.run import distil

    done = distil(method("dm").recipe(task), Catalogue(folder).load("digits"), ipc=1, seed=0)
    done.result.images, done.rows

Everything slow is kept in the workspace as soon as it is done (experts in the cache, the loop's state and each line of
the report in the checkpoint), so a run that follows a crash goes on where the last one was.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final

import torch

from core.data import Dataset, UnknownDataset
from core.engine import baseline, distill, ending, jury
from core.engine.context import JobContext, KernelPlan
from core.engine.continued import Continued
from core.engine.kernels import Kernels
from core.engine.keys import Key
from core.engine.made import Made
from core.engine.meta_generator import Training
from core.engine.networks import Network, build
from core.engine.planner import Planner, eager
from core.engine.real import Real
from core.engine.report import Distillation
from core.engine.state import State
from core.engine.steps import (
    coverage,
    diffusion,
    distillation,
    evaluation,
    experts,
    meta_generator,
    race,
    rounds,
    scores,
    search,
    sizing,
    teacher,
)
from core.engine.steps.meta_generator import Place
from core.engine.steps.neighbours import nearest
from core.engine.steps.transfer import across
from core.engine.teacher import Teacher
from core.engine.whitened import real_data
from core.engine.winner import Enough, Winner, never
from core.engine.workspace import InMemory, PartMade, TimeUp, Workspace
from core.plan import steps
from core.plan.build import plan as build_plan
from core.plan.cache_names import name_of
from core.plan.race import Entrants
from core.plan.sizing import Sizes, Sizing
from core.plan.steps import Plan, Step
from core.recipe import Generated, Recipe

_CPU = torch.device("cpu")


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
    searching: Entrants | Sizing | None = None,
    sizes: Sizes | None = None,
    continues: Continued | None = None,
    most_steps: int = 0,
) -> Distillation:
    """Distil a dataset to `ipc` images a class, evaluate them, and compare them with real images.

    The same arguments give the same images. `run` names what the workspace's checkpoint belongs to, by default all that
    the images depend on. `load` is asked for the dataset of `init.source`. Where candidates are `searching`, `recipe`
    has what they share, the network and the evaluation; for the smallest set that reaches a target `sizes` has those of
    each size. `continues` is an earlier result whose images it begins with; then `run` has to be said. With
    `most_steps` the loop goes on to so many outer steps while the workspace has time to spare.

    Raises:
        Drained: the workspace said to stop; everything up to then is in its checkpoint.
        ValueError: the recipe cannot be followed on this dataset, or the training diverged.
    """
    workspace = InMemory() if workspace is None else workspace
    real = real_data(dataset, recipe.preprocess, device, workspace)
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
        most_steps=most_steps,
    )
    made = walk(replace(Made.of(context, plan), sizes=sizes), build_plan(recipe, dataset.facts, ipc, searching))
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
        seeds=recipe.evaluation.seeds,
    )


def assist(
    recipe: Recipe,
    dataset: Dataset,
    real: Real,
    ipc: int,
    seed: int,
    workspace: Workspace,
    order: Mapping[str, Any],
    kernels: Callable[[Network], Kernels],
) -> bool:
    """Make the results of an order of a job that others work on (`core.engine.crew`), and keep them in the workspace.

    `real` is the dataset as the recipe has it preprocessed. False where no step of the recipe's plan has results of
    these names, or its jury is not to be had. What the step would go on with is left out.

    Raises:
        Drained: the workspace said to stop.
    """
    only, network = frozenset(order["files"]), build(recipe.network, real.shape, real.classes)
    context = JobContext(
        recipe=recipe,
        ipc=ipc,
        key=Key(seed),
        run="",
        dataset=dataset,
        real=real,
        network=network,
        plan=KernelPlan(kernels(network), "", 0, {}, frozenset()),
        workspace=workspace,
        load=alone,
        only=only,
    )
    if "jury" in order:
        return jury.assist(context, order)
    for step in build_plan(recipe, dataset.facts, ipc, seed=seed).steps:
        kept = steps.kept_of(step)
        if kept is not None and only <= frozenset(kept.files):
            with suppress(PartMade):
                if isinstance(step, steps.Baseline):  # its runner wants a result, of which it needs no more than this
                    known = tuple(order["counts"]), order["stages"]
                    baseline.line("random", context, *known, rate=order.get("rate"))
                RUNNERS[type(step)](Made(context), step)
            return True
    return False


def walk(made: Made, planned: Plan | None, before: Collection[type[Step]] = ()) -> Made:
    """Execute a plan up to the first step of some kinds, or to its end. What serves nothing any more is left out."""
    while planned is not None:
        searches = (step for step in planned.steps if isinstance(step, steps.Search))
        made = replace(made, found=next((search.known(made.context, step) for step in searches), None))
        for step in planned.needed(lambda step: _is_found(made, step)):  # noqa: B023 (asked at each step)
            if type(step) in before:
                return made
            with suppress(TimeUp):  # of steps that a result can be without
                made = RUNNERS[type(step)](made, step)
        planned = planned.then and planned.then(made.context.recipe)
    return made


def _is_found(made: Made, step: Step) -> bool:
    """Whether nothing has to be made for a step that others serve."""
    context = made.context
    match step:
        case steps.Search():
            return made.found is not None
        case steps.AdaptGenerator():
            return meta_generator.is_there(context, step)
        case steps.TrainExperts(stage=stage) if stage and made.state is not None and made.state.stage == stage:
            return made.before is not None and experts.are_there(context, step, made.before)
        case steps.Begin():
            if context.recipe.objective.draws_images:  # they are drawn in any case
                return False
            return made.resumed is not None or distillation.is_given(context)
        case steps.Distil(stage=stage):
            return distillation.is_over(context, made.resumed, stage)
        case steps.ChooseRounds():
            return rounds.are_over(context)
        case steps.Cover():
            return coverage.is_known(context)
        case _:
            return False


def prepared(context: JobContext) -> tuple[JobContext, Teacher | None]:
    """A job before what serves outer steps alone: with what was searched for, its teacher, and what was drawn."""
    made, planned = Made.of(context), build_plan(context.recipe, context.dataset.facts, context.ipc)
    while planned.then is not None:
        made = walk(made, replace(planned, then=None))
        planned = planned.then(made.context.recipe)
    made = walk(made, replace(planned, steps=_parted(planned)[0]))
    return made.context, made.taught


def stretched(context: JobContext, taught: Teacher | None) -> State:
    """The best state of a job that was prepared, distilled from where its checkpoint ends."""
    planned = build_plan(context.recipe, context.dataset.facts, context.ipc)
    made = walk(Made.of(context, taught=taught), replace(planned, steps=_parted(planned)[1]), _REPORTING)
    assert made.distilled is not None, "every plan distils"
    return made.distilled.chosen


def _parted(planned: Plan) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """The steps that a job is prepared by, and those that follow."""
    kinds: tuple[type[Step], ...] = (steps.TrainTeacher, steps.TrainGenerator, steps.DrawSamples)
    if planned.recipe.objective.draws_images:
        kinds = (*kinds, steps.TrainEmbedder)
    ahead = tuple(step for step in planned.steps if isinstance(step, kinds))
    return ahead, tuple(step for step in planned.steps if step not in ahead)


_REPORTING: Final = (steps.Relabel, steps.Evaluate)


def _raced(made: Made, context: JobContext, step: steps.Race, enough: Enough = never, compiles: bool = True) -> Winner:
    def kernels(recipe: Recipe, *, waits: bool) -> KernelPlan:
        asked = recipe, context.dataset.facts, context.ipc, context.network, context.real.device
        return made.plan(*asked, waits=waits and compiles)

    return race.raced(context, step, prepared, stretched, kernels, enough=enough)


def _find_size(made: Made, step: steps.FindSize) -> Made:
    assert made.sizes is not None, "a job with a target comes with its candidates"
    return _won(made, sizing.sized(made.context, step.sizing, made.sizes, partial(_raced, made)))


def _won(made: Made, won: Winner) -> Made:
    result = distill.finish(won.context.recipe, won.state, won.context.real, won.context.ipc)
    return replace(made, context=won.context, taught=won.taught, selection=won.selection, result=result)


def _train_experts(made: Made, step: steps.TrainExperts) -> Made:
    if step.stage and (made.state is None or made.state.stage != step.stage):  # it ended before this stage
        return made
    recipe = made.context.recipe
    begins = made.resumed is None and (recipe.init.is_noise or recipe.judging_epoch is not None)
    is_needed = begins and not step.stage and not step.some  # without them there are no images
    context = made.context if is_needed else made.context.late
    before = made.before if step.stage else None
    return replace(made, experts=experts.gather(context, step, before, made.networks))


def _prepare_networks(made: Made, step: steps.PrepareNetworks) -> Made:
    if made.state is None or made.state.stage != step.stage or made.before is None:  # it ended before this stage
        return made
    return replace(made, networks=experts.prepared(made.context.hurried, step, made.before))


def _train_embedder(made: Made, step: steps.TrainEmbedder) -> Made:
    trained = scores.embedder(made.context, step)
    return replace(made, embedder=trained, learned=scores.embedding(made.context, trained))


def _search(made: Made, step: steps.Search) -> Made:
    given = search.Given(made.experts, made.learned or scores.given(made.context), made.taught)
    return replace(made, context=search.settled(made.context, step, given, made.found))


def _draw_samples(made: Made, step: steps.DrawSamples) -> Made:
    assert made.generator is not None, "a generator is trained before it draws"
    return replace(made, context=diffusion.drawn(made.context, made.generator, made.embedder))


def _begin(made: Made, step: steps.Begin) -> Made:
    learned = made.learned or (None if made.resumed else scores.given(made.context))
    return replace(made, state=distillation.begun(made.context, made.resumed, made.experts, learned, made.taught))


def _distil(made: Made, step: steps.Distil) -> Made:
    state, context, before = made.state, made.context, made.distilled
    assert state is not None, "there is something to begin with"
    if state.stage != step.stage:  # the checkpoint is beyond it, or the job ended before it
        return made
    is_over = distillation.is_over(context, made.resumed, step.stage)
    objective = None
    if not is_over:
        objective = distillation.objective_of(context, state, made.experts, made.networks, made.taught)
    found = distillation.distilled(context, state, objective, before.last if before else None)
    if context.most_steps and found.last.step > context.recipe.schedule.steps:  # what another job would ask for
        selects = context.recipe.evaluation.select == "best_validation"
        steps_made = found.last.step if selects else found.chosen.step
        context = replace(context, recipe=distillation.lasting(context.recipe, steps_made))
    result = distillation.result_of(context, found.chosen)
    return replace(
        made,
        context=context,
        experts=None,
        networks=None,
        state=found.following or found.last,
        distilled=found,
        selection=found.selection,
        result=result,
    )


def _choose_rounds(made: Made, step: steps.ChooseRounds) -> Made:
    state = made.distilled.chosen if made.distilled else made.state
    assert state is not None, "there is something to begin with"
    found, words = rounds.taken(made.context, state, made.hardness, made.taught)
    distilled = made.distilled and replace(made.distilled, chosen=found)
    selection, result = ", ".join(filter(None, (made.selection, words))), distillation.result_of(made.context, found)
    return replace(made, state=found, distilled=distilled, selection=selection, result=result)


def _evaluate(made: Made, step: steps.Evaluate) -> Made:
    context = ending.judged(made.context)
    return replace(made, context=context, rows=evaluation.rows(context, step, made.whole, made.taught))


RUNNERS: Final[Mapping[type[Step], Callable[[Made, Any], Made]]] = {
    steps.TrainTeacher: lambda made, step: replace(made, taught=teacher.gather(made.context, step)),
    steps.PrepareNetworks: _prepare_networks,
    steps.TrainExperts: _train_experts,
    steps.ScoreImages: lambda made, step: replace(made, learned=scores.difficulty(made.context, step)),
    steps.TrainEmbedder: _train_embedder,
    steps.MetaTrain: lambda made, _: replace(made, meta_trained=meta_generator.meta_trained_of(made.context)),
    steps.AdaptGenerator: lambda made, step: replace(
        made, learned=meta_generator.adapted(made.context, step, made.meta_trained)
    ),
    steps.Search: _search,
    steps.TrainGenerator: lambda made, step: replace(made, generator=diffusion.trained(made.context, step)),
    steps.DrawSamples: _draw_samples,
    steps.Race: lambda made, step: _won(made, _raced(made, made.context, step)),
    steps.FindSize: _find_size,
    steps.Begin: _begin,
    steps.Distil: _distil,
    steps.RankImages: lambda made, step: replace(made, hardness=scores.hardness(made.context, step)),
    steps.ChooseRounds: _choose_rounds,
    steps.Relabel: lambda made, _: replace(made, result=teacher.relabelled(made.context, made.taught, made.whole)),
    steps.Evaluate: _evaluate,
    steps.Baseline: lambda made, _: replace(
        made, rows=evaluation.baseline(ending.judged(made.context), made.whole, made.rows)
    ),
    steps.FullReference: lambda made, step: replace(made, rows=evaluation.full(made.context.hurried, step, made.rows)),
    steps.Transfer: lambda made, _: replace(
        made, across=across(made.context.hurried, made.whole, made.trained, made.taught)
    ),
    steps.TrainWitness: lambda made, step: replace(made, witness=coverage.witness(made.context.hurried, step)),
    steps.Cover: lambda made, _: replace(
        made, coverage=coverage.covered(made.context.hurried, made.whole, made.trained, made.witness)
    ),
    steps.FindNeighbours: lambda made, _: replace(made, neighbours=nearest(made.context.hurried, made.whole)),
}
"""The runner of each kind of step."""


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
    real = real_data(source, recipe.preprocess, device, workspace)
    meta_generator.meta_trained(place, recipe, choice, source.facts, real)
