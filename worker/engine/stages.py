"""What each stage of a job asks for, and its stages one after the other; a job without stages has one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from torch import Tensor

from core.engine import distill, sdc, teacher
from core.engine.distill import Carrying, Objective, State
from core.engine.judges import Judges
from core.engine.keys import Key
from core.engine.objectives import distribution, gradient, performance, statistics, trajectory
from core.engine.teacher import Teacher
from core.engine.trajectories import Trajectories
from core.recipe import Distribution, Gradient, Nothing, Performance, Statistics, Trajectory
from worker.engine import teachers
from worker.engine.bench import Bench


def objective_of(
    bench: Bench, state: State | None, taught: Teacher | None = None
) -> tuple[Objective | None, Judges | None]:
    """The objective of the stage that a state is in, its experts trained, and who judges the first stage's images.

    No state stands for the beginning; `taught` is the teacher of a recipe that has one.
    """
    recipe, ipc, stage = bench.job.recipe, bench.job.request.ipc, state.stage if state else 0
    kernels, augment, real, room = bench.kernels, recipe.augment, bench.real, bench.plan.room
    before = distill.finish(recipe, state, real, ipc).before(stage) if state and stage else None
    asked = recipe.objective_at(stage, ipc, real.classes)
    if isinstance(asked, Nothing):
        return None, None
    if isinstance(asked, Trajectory):
        known = teachers.gather(bench, asked, before)
        penalty = sdc.difficulty(recipe)
        matching = partial(trajectory.distance, asked, kernels, augment, known, room, difficulty=penalty)
        return matching, None if stage else _judges(bench, known)
    if isinstance(asked, Statistics):
        assert taught is not None, "statistics are those of a teacher"
        goals, steps = teacher.goals(taught, asked, real), recipe.schedule.steps
        return Carrying(partial(statistics.loss, asked, taught, goals, real.classes, steps)), None
    begin = None
    if before is not None:
        networks = teachers.prepared(bench, before, recipe.schedule.stages.networks)

        def begin(key: Key) -> Tensor:
            return networks[key.integer(0, len(networks))]

    match asked:
        case Distribution():
            return partial(distribution.distance, asked, bench.network, augment, real, begin=begin), None
        case Gradient():
            weight = sdc.weight(recipe)
            return Carrying(partial(gradient.distance, asked, kernels, augment, real, weight=weight, begin=begin)), None
        case Performance():
            steps = recipe.schedule.steps
            return partial(performance.loss, asked, kernels, augment, real, room, steps, begin=begin), None


def _judges(bench: Bench, known: Trajectories) -> Judges | None:
    epoch = bench.job.recipe.judging_epoch
    return None if epoch is None else Judges(bench.network, known, epoch, partial(bench.channel.log, level="warning"))


def outer_steps(
    bench: Bench,
    objective: Objective,
    state: State,
    key: Key,
    turn: Callable[[State], State | None],
    taught: Teacher | None,
) -> Iterator[State]:
    """The state after each outer step of every stage. `turn` makes of a stage's last one the next one's first."""
    recipe = bench.job.recipe
    while True:
        for state in distill.distill(recipe, objective, state, key, bench.real.transform):  # noqa: B020 (the loop goes on from the state)
            yield state
        following = turn(state)
        if following is None:
            return
        state = following
        bench.channel.log(f"Stage {state.stage + 1} of {recipe.schedule.stages.count} begins.")
        further, _ = objective_of(bench, state, taught)
        assert further is not None, "only objectives have stages"
        objective = further
        bench.channel.enter("distilling", recipe.schedule.total_steps)
        bench.channel.progress(state.step, recipe.schedule.total_steps)
