"""What each stage of a job asks for, and its stages one after the other; a job without stages has one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor

from core.engine import distill
from core.engine.distill import Objective, State
from core.engine.judges import Judges
from core.engine.keys import Key
from core.engine.teacher import Teacher
from core.recipe import Trajectory
from worker.engine import objectives, teachers
from worker.engine.bench import Bench


def objective_of(
    bench: Bench, state: State | None, taught: Teacher | None = None
) -> tuple[Objective | None, Judges | None]:
    """The objective of the stage that a state is in, its experts trained, and who judges the first stage's images.

    No state stands for the beginning; `taught` is the teacher of a recipe that has one.
    """
    recipe, ipc, stage = bench.job.recipe, bench.job.request.ipc, state.stage if state else 0
    before = distill.finish(recipe, state, bench.real, ipc).before(stage) if state and stage else None
    asked = recipe.objective_at(stage, ipc, bench.real.classes)
    if isinstance(asked, Trajectory):
        known = teachers.gather(bench, asked, before)
        return objectives.objective(bench, recipe, asked, known), None if stage else objectives.judges(bench, known)
    begin = None
    if before is not None:
        networks = teachers.prepared(bench, before, recipe.schedule.stages.networks)

        def begin(key: Key) -> Tensor:
            return networks[key.integer(0, len(networks))]

    return objectives.objective(bench, recipe, asked, begin=begin, taught=taught), None


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
