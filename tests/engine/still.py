"""Run a recipe on the toy by the engine's own steps, in memory."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from functools import cache, partial
from typing import TypeVar

from core.engine import distill
from core.engine.context import JobContext
from core.engine.distill import State
from core.engine.expert_predictions import Judges
from core.engine.init import Learned
from core.engine.keys import Key
from core.engine.networks import build
from core.engine.objectives.build import judges as judges_of
from core.engine.real import Real
from core.engine.run import alone, eager
from core.engine.steps import diffusion, experts, scores, teacher
from core.engine.steps.distillation import objective_of, outer_steps
from core.engine.teacher import Teacher
from core.engine.trajectories import Trajectories
from core.engine.workspace import InMemory
from core.recipe import Recipe, Trajectory
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


def known(recipe: Recipe, real: Real) -> Trajectories | None:
    """The experts a recipe matches in its first stage."""
    asked = recipe.objective_at(0, 2, real.classes)
    return experts.gather(job(recipe, real), asked) if isinstance(asked, Trajectory) else None


def judges(recipe: Recipe, real: Real, experts: Trajectories | None) -> Judges | None:
    """The experts that judge images, if the recipe asks for them; their messages go nowhere."""
    network = build(recipe.network, real.shape, real.classes)
    return None if experts is None else judges_of(recipe, network, experts, lambda said: None)


def taught(recipe: Recipe, real: Real) -> Teacher | None:
    """The teacher a recipe asks."""
    asking = job(recipe, real)
    found = teacher.gather(asking)
    assert isinstance(asking.workspace, InMemory)
    _TAUGHT.update(asking.workspace.results)
    return found


def learned(recipe: Recipe, real: Real) -> Learned | None:
    """The learned function by which a recipe chooses or makes its initial images; None without one."""
    return scores.learned(job(recipe, real))


def states(recipe: Recipe, real: Real, seed: int = 0, start: State | None = None) -> list[State]:
    """Every state from the start (or a given one) to the end; of a method without steps, the first alone."""
    own, teaching = job(recipe, real, seed), taught(recipe, real)
    key = own.key.fold("distill")
    objective, judging = objective_of(own, start, teaching)
    state = start
    if state is None:
        drawn = diffusion.settled(own).sampled
        images = drawn.images if drawn else None
        state = distill.begin(recipe, real, 2, key, scores.learned(own), judging, teaching, images)
    if objective is None:
        return [state]
    following = partial(distill.next_stage, recipe)
    return [state, *outer_steps(own, objective, state, key, following, teaching)]
