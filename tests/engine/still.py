"""Run a recipe on the toy by the engine alone, with experts in a folder."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import TypeVar

from torch import Tensor

from core.engine import distill, experts, features, generating, scores, sdc, teacher, trajectories
from core.engine.distill import Carrying, Objective, State
from core.engine.generating import begin
from core.engine.generative import training
from core.engine.generative.drawing import Judge, draw
from core.engine.init import Learned
from core.engine.judges import Judges
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.networks import build, generator
from core.engine.objectives import distribution, gradient, performance, regression, statistics, trajectory
from core.engine.real import Real
from core.engine.teacher import Teacher
from core.engine.trajectories import Trajectories
from core.recipe import (
    Augment,
    Distribution,
    Generated,
    Generative,
    Gradient,
    Herding,
    KCenter,
    KMeans,
    Noise,
    Nothing,
    Performance,
    Ranked,
    Recipe,
    Regression,
    Statistics,
    Targets,
    Trajectory,
    Window,
)
from core.recipe import Teacher as Training

T = TypeVar("T")

_TAUGHT: dict[tuple[Training, Augment, int], Teacher] = {}
"""By how they are trained and on what, which lives as long as the tests."""


def result(work: Generator[float, None, T]) -> T:
    """What a generator returns in the end."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            found: T = end.value
            return found


def known(recipe: Recipe, real: Real, folder: Path, stage: int = 0, start: Tensor | None = None) -> Trajectories | None:
    """The experts a recipe matches, trained into `folder`; those of a later stage from `start` [S, P]."""
    asked = recipe.objective_at(stage, 2, real.classes)
    if not isinstance(asked, Trajectory):
        return None
    assert recipe.experts is not None
    network = build(recipe.network, real.shape, real.classes)
    needed, stored = experts.window(asked, None if stage else recipe.judging_epoch), []
    keys = [Key(0).fold("expert", index) for index in range(recipe.experts.count)]
    moments = experts.train(
        Eager(network), real.train, real.classes, recipe.experts, recipe.augment, needed.end, keys, start
    )
    snapshots = [moment.theta for moment in moments if moment.step == 0 and needed.holds(moment.epoch)]
    for index in range(recipe.experts.count):
        path = folder / f"{index}.safetensors"
        path.unlink(missing_ok=True)  # written over, the experts of an earlier stage would change where they are mapped
        path.write_bytes(trajectories.pack([theta[index] for theta in snapshots], needed.first, needed.final))
        stored.append(trajectories.read(path, needed, real.device))
    assert all(stored)
    return Trajectories(stored)


def judges(recipe: Recipe, real: Real, experts: Trajectories | None) -> Judges | None:
    """Those of them who judge images; what they say goes nowhere."""
    if recipe.judging_epoch is None or experts is None:
        return None
    return Judges(build(recipe.network, real.shape, real.classes), experts, recipe.judging_epoch, lambda said: None)


def taught(recipe: Recipe, real: Real) -> Teacher | None:
    """The teacher a recipe asks."""
    if recipe.teacher is None:
        return None
    network = build(recipe.teacher.network, real.shape, real.classes)
    known = (recipe.teacher, recipe.augment, id(real))
    if known in _TAUGHT:
        return _TAUGHT[known]
    work = teacher.train(recipe.teacher, Eager(network), real.train, recipe.augment, Key(0).fold("teacher"))
    trained = result(work)
    _TAUGHT[known] = Teacher(network, trained.theta, trained.moments)
    return _TAUGHT[known]


def prepared(recipe: Recipe, real: Real, state: State) -> Tensor | None:
    """The networks [S, P] that the stage of a state begins with; None in the first."""
    if not state.stage:
        return None
    count = recipe.experts.count if recipe.experts else recipe.schedule.stages.networks
    keys = [Key(0).fold("prepare", index) for index in range(count)]
    before = distill.finish(recipe, state, real, 2).before(state.stage)
    network = build(recipe.network, real.shape, real.classes)
    return result(experts.prepare(Eager(network), recipe, before, real.classes, keys))


def objective(
    recipe: Recipe,
    real: Real,
    matched: Trajectories | None,
    stage: int = 0,
    start: Tensor | None = None,
    teaching: Teacher | None = None,
) -> Objective | None:
    """What a recipe asks to match in a stage that begins with `start`."""
    network = build(recipe.network, real.shape, real.classes)
    begin = None if start is None else lambda key: start[key.integer(0, len(start))]
    match recipe.objective_at(stage, 2, real.classes):
        case Trajectory() as wanted:
            assert matched is not None
            return partial(
                trajectory.distance,
                wanted,
                Eager(network),
                recipe.augment,
                matched,
                0,
                difficulty=sdc.difficulty(recipe),
            )
        case Distribution() as wanted:
            return partial(distribution.distance, wanted, network, recipe.augment, real, begin=begin)
        case Gradient() as wanted:
            return Carrying(
                partial(
                    gradient.distance,
                    wanted,
                    Eager(network),
                    recipe.augment,
                    real,
                    weight=sdc.weight(recipe),
                    begin=begin,
                )
            )
        case Performance() as wanted:
            return partial(
                performance.loss, wanted, Eager(network), recipe.augment, real, 0, recipe.schedule.steps, begin=begin
            )
        case Statistics() as wanted:
            assert teaching is not None
            goals, steps = teacher.goals(teaching, wanted, real), recipe.schedule.steps
            return Carrying(partial(statistics.loss, wanted, teaching, goals, real.classes, steps))
        case Regression() as wanted:
            learned = isinstance(recipe.labels, Targets)
            return Carrying(partial(regression.loss, wanted, network, real, learned))
        case Generative() | Nothing():
            return None


def learned(recipe: Recipe, real: Real) -> Learned | None:
    """What a recipe chooses its initial images by."""
    kernels = Eager(build(recipe.network, real.shape, real.classes))
    match recipe.init:
        case Ranked(score=score) | Window(score=score):
            keys = [Key(0).fold("score", index) for index in range(score.networks)]
            mean = result(scores.difficulty(score, kernels, real.train, recipe.augment, keys)).mean(0)
            return lambda index: mean[index]
        case Herding(embedding=embedding) | KCenter(embedding=embedding) | KMeans(embedding=embedding):
            trained = result(features.train(embedding, kernels, real.train, Key(0)))
            return partial(features.embed, kernels.network, trained, real.train)
        case Generated() as choice:
            own = generator.Generator(real.shape[0], choice.width)
            theta = own.init(Key(0))
            for meta in generating.meta_train(choice, own, kernels.network, real, begin(theta), Key(0)):
                theta = meta.theta
            for adapted in generating.adapt(choice, own, kernels.network, real, begin(theta), Key(1)):
                theta = adapted.theta
            return lambda images: generating.generate(own, theta, images)
        case _:
            return None


def drawn(recipe: Recipe, real: Real, key: Key) -> Tensor | None:
    """The images of a recipe's generator, trained now."""
    wanted = recipe.objective
    if not isinstance(wanted, Generative):
        return None
    assert isinstance(recipe.init, Noise)
    a, own = training.architecture(wanted, real.shape, real.classes), Key(0).fold("generator")
    progress = training.begin(wanted, a, own, real.device)
    *_, progress = training.train(wanted, a, real.train, own, progress, "flip" in recipe.augment.transforms)
    generator = training.finished(wanted, a, real.train, progress)
    judge = None
    if wanted.judge is not None:
        kernels = Eager(build(recipe.network, real.shape, real.classes))
        judge = Judge(kernels.network, result(features.train(wanted.judge, kernels, real.train, Key(0))))
    return result(draw(generator, real.classes, 2, recipe.init.std, key, judge, wanted.candidates)).images


def states(recipe: Recipe, real: Real, folder: Path, seed: int = 0, start: State | None = None) -> list[State]:
    """Every state from the start (or a given one) to the end; of a method without steps, the first alone."""
    key, first = Key(seed).fold("distill"), start.stage if start else 0
    teaching = taught(recipe, real)
    matched = None if first else known(recipe, real, folder)
    images = None if start else drawn(recipe, real, key.fold("init"))
    judged = judges(recipe, real, matched)
    state = start or distill.begin(recipe, real, 2, key, learned(recipe, real), judged, teaching, images)
    found = [state]
    for stage in range(first, recipe.schedule.stages.count):
        begins = prepared(recipe, real, state)
        matched = known(recipe, real, folder, stage, begins) if stage else matched
        wanted = objective(recipe, real, matched, stage, begins, teaching)
        if wanted is None:
            return found
        found += distill.distill(recipe, wanted, state, key, real.transform)
        state = distill.next_stage(recipe, found[-1]) or state
    return found
