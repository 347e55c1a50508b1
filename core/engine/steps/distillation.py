"""The distilling phase: the loop, stage after stage, from its checkpoint on; a job without stages has one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

from torch import Tensor

from core.engine import checkpoint, continued, distill, ending, init, stored
from core.engine.context import JobContext
from core.engine.distill import Objective, State
from core.engine.expert_predictions import Judges
from core.engine.keys import Key
from core.engine.objectives import build
from core.engine.steps import experts, scores
from core.engine.teacher import Teacher
from core.engine.validation import Looks
from core.engine.workspace import Drained, TimeUp
from core.recipe import Trajectory
from core.recipe.checks.images import learns_step_size

_STATE, _CURVES = "state.safetensors", "curves.json"
_CURVE_POINTS = 500  # of the loss, at most


def distilled(context: JobContext, taught: Teacher | None) -> tuple[State, str]:
    """The state that is the result, and in words how it was chosen.

    Once no time is left, the loop ends where it is. Before its first step that is with the images it would begin with,
    unless they are noise: then it takes one step.
    """
    recipe, workspace, key = context.recipe, context.workspace, context.key.fold("distill")
    state = checkpoint.load(workspace.checkpoint(_STATE), context.run, context.real.device)
    needs_objective = state is None and (recipe.init.is_noise or recipe.judging_epoch is not None)
    over, objective, judges = state is not None and ending.early(context), None, None
    if not over:
        try:
            objective, judges = objective_of(context if needs_objective else context.hurried, state, taught)
        except TimeUp:
            over = True
    given, classes = context.continues, context.real.classes
    all_given = given is not None and given.fills(context.ipc, classes)
    learned = scores.learned(context) if state is None and not all_given else None
    total = recipe.schedule.total_steps
    if objective is not None or recipe.regresses or over:
        context.journal.enter("distilling", max(1, total))
    if state is None:
        drawn = context.sampled.images if context.sampled else None
        if given is not None:
            begun, place = key.fold("init"), recipe.parameterize
            further = partial(
                init.images, recipe.init, context.real, context.ipc, begun, learned, judges, place, taught
            )
            drawn = continued.images(given, context.ipc, classes, further)
        state = distill.begin(recipe, context.real, context.ipc, key, learned, judges, taught, drawn)
        state = state if given is None else continued.onto(given, recipe, state, classes)
    if objective is None and not over:
        return state, context.sampled.selection if context.sampled else "initialisation"
    if state.step:
        context.journal.log(f"Resumed from the checkpoint of outer step {state.step}.")
        points = stored.document(workspace.checkpoint(_CURVES), [])
        context.journal.recall([p for p in points if p["step"] <= state.step])

    def store(state: State) -> None:
        # The curves first: a crash between the two leaves points beyond the state, which resuming drops.
        workspace.store(_CURVES, stored.written(context.journal.curves()))
        real = int(init.untouched(recipe, context.real, context.ipc).sum())
        workspace.store(_STATE, checkpoint.packed(state, context.run, real))

    def show(state: State) -> None:
        workspace.preview(state.step, total, lambda: distill.finish(recipe, state, context.real, context.ipc))

    looks, selects = Looks(context.hurried), recipe.evaluation.select == "best_validation"

    def turn(state: State) -> State | None:
        following = distill.next_stage(recipe, looks.best(state)[0] if selects else state)
        if following is not None:
            store(following)  # what it begins with takes long, and the best state gives way to its own
        return following

    saved = time.monotonic()
    context.journal.progress(state.step, total)
    if state.step == 0:
        show(state)
    if objective is None or (workspace.time_left() <= 0 and (state.step or not recipe.init.is_noise)):
        steps: Iterator[State] = iter(())
    else:
        steps = outer_steps(context.hurried, objective, state, key, turn, taught)
    while (following := _next(steps)) is not None:
        state = following
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
        stops = workspace.should_stop()
        if stops or time.monotonic() - saved >= workspace.interval:
            store(state)
            saved = time.monotonic()
        if stops:  # asked once: what stops has stored
            raise Drained
        if workspace.time_left() <= 0:
            break
    store(state)
    if state.step < total and not ending.early(context):
        ending.note(context, state.step, total)
    if state.step == 0:
        return state, "initialisation"
    return looks.best(state) if selects else (state, "last iterate")


def _next(steps: Iterator[State]) -> State | None:
    """The next state; None at the end, and where no time is left for what a later stage begins with."""
    with suppress(TimeUp):
        return next(steps, None)
    return None


def objective_of(
    context: JobContext, state: State | None, taught: Teacher | None = None
) -> tuple[Objective | None, Judges | None]:
    """The objective of the stage that a state is in, its experts trained, and the judges of the first stage's images.

    No state stands for the beginning; `taught` is the teacher of a recipe that has one.
    """
    recipe, ipc, stage = context.recipe, context.ipc, state.stage if state else 0
    before = distill.finish(recipe, state, context.real, ipc).before(stage) if state and stage else None
    asked = recipe.objective_at(stage, ipc, context.real.classes)
    if isinstance(asked, Trajectory):
        known, say = experts.gather(context, asked, before), partial(context.journal.log, level="warning")
        matched = build.objective(recipe, asked, context.kernels, context.real, context.plan.residual_bytes, known)
        return matched, None if stage else build.judges(recipe, context.network, known, say)
    begin = None
    if before is not None:
        networks = experts.prepared(context, before, recipe.schedule.stages.networks)

        def begin(key: Key) -> Tensor:
            return networks[key.integer(0, len(networks))]

    kernels, real, residual_bytes = context.kernels, context.real, context.plan.residual_bytes
    return build.objective(recipe, asked, kernels, real, residual_bytes, begin=begin, taught=taught), None


def outer_steps(
    context: JobContext,
    objective: Objective,
    state: State,
    key: Key,
    turn: Callable[[State], State | None],
    taught: Teacher | None,
) -> Iterator[State]:
    """The state after each outer step of every stage. `turn` makes of a stage's last one the next one's first."""
    recipe = context.recipe
    while True:
        for state in distill.distill(recipe, objective, state, key, context.real.transform):  # noqa: B020 (the loop goes on from the state)
            yield state
        following = turn(state)
        if following is None:
            return
        state = following
        context.journal.log(f"Stage {state.stage + 1} of {recipe.schedule.stages.count} begins.")
        further, _ = objective_of(context, state, taught)
        assert further is not None, "only objectives have stages"
        objective = further
        context.journal.enter("distilling", recipe.schedule.total_steps)
        context.journal.progress(state.step, recipe.schedule.total_steps)
