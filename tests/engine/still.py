"""Run a recipe on the toy by the engine's own steps, in memory."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from functools import cache
from typing import TypeVar

from core.engine import distill
from core.engine.context import JobContext
from core.engine.expert_predictions import Judges
from core.engine.init import Learned
from core.engine.keys import Key
from core.engine.made import Made
from core.engine.networks import build
from core.engine.objectives.build import judges as judges_of
from core.engine.planner import eager
from core.engine.real import Real
from core.engine.run import RUNNERS, alone, walk
from core.engine.state import State
from core.engine.steps.distillation import objective_of
from core.engine.teacher import Teacher
from core.engine.trajectories import Trajectories
from core.engine.workspace import InMemory
from core.plan import steps
from core.plan.build import plan as build_plan
from core.plan.steps import Plan
from core.recipe import Recipe
from tests.engine.conftest import two_digits

T = TypeVar("T")

_TAUGHT: dict[str, bytes] = {}
"""Teachers, as long as the tests live; everything else is learned anew each time."""
_KNOWN: dict[int, Real] = {}
"""Data by what it is called in the names of teachers: as long as it is here, nothing else is called so."""

_toy = cache(two_digits)


def result(work: Generator[float, None, T]) -> T:
    """The value that a generator returns at its end."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            found: T = end.value
            return found


def job(recipe: Recipe, real: Real, seed: int = 0) -> JobContext:
    """A job of two images a class, in a workspace of its own."""
    _KNOWN[id(real)] = real
    network, toy = build(recipe.network, real.shape, real.classes), _toy()
    return JobContext(
        recipe=recipe,
        ipc=2,
        key=Key(seed),
        run="",
        dataset=replace(toy, facts=replace(toy.facts, digest=str(id(real)))),
        real=real,
        network=network,
        plan=eager(recipe, toy.facts, 2, network, real.device),
        workspace=InMemory(results=dict(_TAUGHT)),
        load=alone,
    )


def ahead(recipe: Recipe, real: Real, seed: int = 0, start: State | None = None) -> Made:
    """Everything that was made before the loop begins, or goes on from a state."""
    made = Made(job(recipe, real, seed), resumed=start, taught=taught(recipe, real))
    return walk(made, _plan(recipe, made.context), [steps.Begin])


def known(recipe: Recipe, real: Real) -> Trajectories | None:
    """The experts a recipe matches in its first stage."""
    return ahead(recipe, real).experts


def judges(recipe: Recipe, real: Real, experts: Trajectories | None) -> Judges | None:
    """The experts that judge images, if the recipe asks for them; their messages go nowhere."""
    network = build(recipe.network, real.shape, real.classes)
    return None if experts is None else judges_of(recipe, network, experts, lambda said: None)


def taught(recipe: Recipe, real: Real) -> Teacher | None:
    """The teacher a recipe asks."""
    asking = job(recipe, real)
    planned = _plan(recipe, asking)
    teachers = tuple(step for step in planned.steps if isinstance(step, steps.TrainTeacher))
    found = walk(Made(asking), replace(planned, steps=teachers)).taught
    assert isinstance(asking.workspace, InMemory)
    _TAUGHT.update(asking.workspace.results)
    return found


def learned(recipe: Recipe, real: Real) -> Learned | None:
    """The learned function by which a recipe chooses or makes its initial images; None without one."""
    return ahead(recipe, real).learned


def states(recipe: Recipe, real: Real, seed: int = 0, start: State | None = None) -> list[State]:
    """Every state from the start (or a given one) to the end; of a method without steps, the first alone."""
    made, found = ahead(recipe, real, seed, start), list[State]()
    context, planned = made.context, _plan(recipe, made.context)
    later = planned.steps[planned.steps.index(steps.Begin()) :]
    for step in later:
        if isinstance(step, steps.Relabel | steps.Evaluate):
            break
        if not isinstance(step, steps.Distil):
            made = RUNNERS[type(step)](made, step)
            if isinstance(step, steps.Begin):
                assert made.state is not None
                found = [made.state]
            if isinstance(step, steps.ChooseRounds):
                assert made.state is not None
                found.append(made.state)
        elif made.state is not None and made.state.stage == step.stage:
            state, more = made.state, (real.transform, context.counts)
            objective = objective_of(context, state, made.experts, made.networks, made.taught)
            if objective is not None:
                found += distill.distill(recipe, objective, state, context.key.fold("distill"), *more)
            made = replace(made, experts=None, networks=None, state=distill.next_stage(recipe, found[-1]) or found[-1])
    return found


def _plan(recipe: Recipe, context: JobContext) -> Plan:
    return build_plan(recipe, context.dataset.facts, context.ipc)
