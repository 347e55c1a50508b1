"""The distilling phase: the loop, stage after stage, from its checkpoint on; a job without stages has one."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import final

from torch import Tensor

from core.engine import checkpoint, continued, distill, ending, init, stored
from core.engine.beyond import Beyond
from core.engine.context import JobContext
from core.engine.distill import Objective
from core.engine.keys import Key
from core.engine.objectives import build
from core.engine.state import State
from core.engine.synthetic import SyntheticDataset
from core.engine.teacher import Teacher
from core.engine.trajectories import Trajectories
from core.engine.validation import Looks
from core.engine.workspace import Drained, TimeUp
from core.recipe import Recipe
from core.recipe.checks.images import learns_step_size

_STATE, _CURVES = "state.safetensors", "curves.json"
_CURVE_POINTS = 500  # of the loss, at most


@final
@dataclass(frozen=True)
class Distilled:
    """A stage at its end: the state that is the result, in words how it was chosen, and what the loop goes on from."""

    chosen: State
    selection: str
    last: State
    """The state after its last outer step."""
    following: State | None
    """The first state of the next stage; None after the last stage, and where the job ends early."""


def resumed(context: JobContext) -> State | None:
    """The state of the checkpoint, if there is one."""
    return checkpoint.load(context.workspace.checkpoint(_STATE), context.run, context.real.device)


def is_over(context: JobContext, state: State | None, stage: int) -> bool:
    """Whether nothing of a stage is left to do."""
    if state is None:
        return False
    return ending.early(context) or state.step >= _last_step(context, stage)


def begun(
    context: JobContext,
    found: State | None,
    known: Trajectories | None,
    learned: init.Learned | None,
    taught: Teacher | None,
) -> State:
    """The state that the loop goes on from: that of the checkpoint, or one before the first step.

    `known` are the experts of a recipe that matches trajectories, `learned` is what the init chooses images by.
    """
    recipe = context.recipe
    if found is not None:
        if found.step:
            context.journal.log(f"Resumed from the checkpoint of outer step {found.step}.")
            points = stored.document(context.workspace.checkpoint(_CURVES), [])
            context.journal.recall([p for p in points if p["step"] <= found.step])
        return found
    if recipe.init.needs_teacher:
        context.journal.enter("selecting", 1)
    elif recipe.objective.optimises_images or recipe.regresses:
        context.journal.enter("distilling", max(1, recipe.schedule.total_steps))
    say = partial(context.journal.log, level="warning")
    judges = None if known is None else build.judges(recipe, context.network, known, say)
    given, counts, key = context.continues, context.counts, context.key.fold("distill")
    drawn = context.sampled.images if context.sampled else None
    if given is not None:
        start, place = key.fold("init"), recipe.parameterize
        further = partial(init.images, recipe.init, context.real, counts, start, learned, judges, place, taught)
        drawn = continued.images(given, counts, further)
    state = distill.begin(recipe, context.real, context.ipc, key, learned, judges, taught, drawn)
    return state if given is None else continued.onto(given, recipe, state, counts)


def is_given(context: JobContext) -> bool:
    """Whether the images are those of an earlier job, so that nothing chooses or makes any."""
    return context.continues is not None and context.continues.fills(context.counts)


def result_of(context: JobContext, state: State) -> SyntheticDataset:
    """The dataset that a state stands for; images of an earlier job that nothing moves are as real as they were."""
    result = distill.finish(context.recipe, state, context.real, context.ipc)
    if context.continues is not None and is_given(context) and context.recipe.objective.keeps_images:
        return replace(result, real=context.continues.real)
    return result


def distilled(context: JobContext, state: State, objective: Objective | None, before: State | None) -> Distilled:
    """The stage that a state is in, to its end or until no time is left; beyond its end while there is time to spare.

    Before the first step of all that is with the images it would begin with, unless they are noise: then it takes one
    step. No objective stands for a recipe without outer steps, and for one whose experts there was no time for.
    `before` is the last state of the stage before, if that ended in this attempt: where nothing of a stage is done, it
    is gone back to.
    """
    recipe, workspace = context.recipe, context.workspace
    if not recipe.objective.optimises_images:
        selection = context.sampled.selection if context.sampled else "initialisation"
        if is_given(context):
            selection = "result of the job that it goes on from"
        return Distilled(state, selection, state, None)
    total = planned = recipe.schedule.total_steps
    until = _last_step(context, state.stage)
    looks, selects = Looks(context.hurried), recipe.evaluation.select == "best_validation"
    beyond = Beyond(context) if context.most_steps > planned else None

    def store(state: State) -> None:
        # The curves first: a crash between the two leaves points beyond the state, which resuming drops.
        workspace.store(_CURVES, stored.written(context.journal.curves()))
        real = int(init.untouched(recipe, context.real, context.counts).sum())
        workspace.store(_STATE, checkpoint.packed(state, context.run, real))

    def show(state: State) -> None:
        workspace.preview(state.step, total, lambda: distill.finish(recipe, state, context.real, context.ipc))

    def choose(state: State) -> tuple[State, str]:
        if state.step == 0:
            return state, "initialisation"
        if beyond is not None and not selects and state.step > planned:
            return beyond.best(state)
        return looks.best(state) if selects else (state, "last iterate")

    if context.journal.phase != "distilling":
        context.journal.enter("distilling", max(1, total))
    context.journal.progress(state.step, total)
    if state.step == 0:
        show(state)
    saved = time.monotonic()
    no_time = workspace.time_left() <= 0 and (state.step > 0 or not recipe.init.is_noise)
    is_left = state.step < until and (objective is None or no_time)
    if is_left and before is not None:
        state = before
    steps = iter(()) if is_left or objective is None else _steps(context, objective, state, until)
    for state in steps:
        if state.step > total:
            total = _in_time(context, state.step, until)
        context.journal.progress(state.step, total)
        if state.step % max(1, total // _CURVE_POINTS) == 0 and not math.isnan(state.loss):
            points = {"loss": state.loss, **state.curves}
            if learns_step_size(recipe):
                points["step_size"] = float(state.leaves.log_step_size.exp())
            for name, value in points.items():
                context.journal.metric(name, state.step, value)
        show(state)
        with suppress(TimeUp):
            looks.at(state)
        more = workspace.time_left() > 0 and (beyond is None or state.step < planned or beyond.goes_on(state))
        stops = workspace.should_stop()
        if stops or time.monotonic() - saved >= workspace.interval:
            store(state)
            saved = time.monotonic()
        if stops:  # asked once: what stops has stored
            raise Drained
        if not more:
            break
    chosen, selection = choose(state)
    if (before_it := distill.settled(chosen)) is not chosen:
        context.journal.log(
            f"Outer step {chosen.step} led to what are no numbers: the result is what it began with. Lower "
            "schedule.image_lr or step_size.lr by a factor of ten.",
            level="warning",
        )
        chosen, selection = before_it, f"{selection}, as it was before its last move"
    is_whole = state.step == until and not is_left and workspace.time_left() > 0
    following = distill.next_stage(recipe, chosen) if is_whole else None
    # what a stage begins with takes long, and the best state of this one gives way to its own
    store(state if following is None else following)
    if following is not None:
        context.journal.log(f"Stage {following.stage + 1} of {recipe.schedule.stages.count} begins.")
    elif state.step < until and not ending.early(context):
        ending.note(context, state.step, planned)
    return Distilled(chosen, selection, state, following)


def objective_of(
    context: JobContext, state: State, known: Trajectories | None, networks: Tensor | None, taught: Teacher | None
) -> Objective | None:
    """The objective of the stage that a state is in; None without one, and where what it begins with is missing.

    `known` are the stage's experts, `networks` [S, P] those that a later stage begins with, `taught` is the teacher of
    a recipe that has one.
    """
    recipe = context.recipe
    asked = recipe.objective_at(state.stage, context.ipc, context.real.classes)
    if known is None if asked.reads_experts else state.stage and networks is None:
        return None
    begin = None
    if networks is not None:

        def begin(key: Key) -> Tensor:
            return networks[key.integer(0, len(networks))]

    kernels, real, residual_bytes = context.kernels, context.real, context.plan.residual_bytes
    # rounds take the others, which are real; where slots are matched, each class has as many
    slots = init.decoded(recipe.parameterize, init.made(recipe, context.counts))[0]
    return build.objective(recipe, asked, kernels, real, residual_bytes, known, begin, taught, slots)


def lasting(recipe: Recipe, steps: int) -> Recipe:
    """The recipe with so many outer steps, of a kind that are all alike."""
    schedule = recipe.schedule.model_copy(update={"steps": steps})
    return recipe.model_copy(update={"schedule": schedule})


def _last_step(context: JobContext, stage: int) -> int:
    """The outer step that ends a stage if nothing else does."""
    return max(context.most_steps, (stage + 1) * context.recipe.schedule.steps)


def _in_time(context: JobContext, step: int, most: int) -> int:
    """The outer steps that there is time for, at the pace of those so far, of a loop that goes on."""
    workspace, journal = context.workspace, context.journal
    further = workspace.spare() * step / max(journal.taken()["distilling"], 1e-9)
    total = most if further >= most - step else step + int(further)
    workspace.lengthen("distilling", total / context.recipe.schedule.steps)
    journal.log(f"There is time for more outer steps: about {total:,} in all.")
    return total


def _steps(context: JobContext, objective: Objective, state: State, until: int) -> Iterator[State]:
    recipe, key = context.recipe, context.key.fold("distill")
    if context.most_steps:
        recipe = lasting(recipe, until)
    return distill.distill(recipe, objective, state, key, context.real.transform, context.counts)
