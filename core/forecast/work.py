"""What the engine will do for a recipe, phase by phase, as numbers of kernel calls.

The counts are the engine's own: a test runs a small job and compares. They know the dataset by its facts only, so where
the classes are of unequal size an epoch may be off by the one step that a few images make.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, final

from core.data import DatasetFacts
from core.recipe import Distribution, Nothing, Recipe, Trajectory

Phase = Literal["preparing", "training_experts", "distilling", "evaluating", "publishing"]

Kernel = Literal["forward", "gradient", "adjoint", "data"]
"""A forward pass; a gradient; the adjoint of a step; what surrounds them: picking and augmenting a batch, updating."""

TEST_BATCH = 1024
"""Images the engine tests at a time."""


class Work(NamedTuple):
    """So many calls of a kernel in a phase, each on so many images."""

    phase: Phase
    kernel: Kernel
    calls: int
    images: int


@final
@dataclass(frozen=True)
class Sizes:
    """Images the engine will see: training and validation are the two parts of the source's training images."""

    train: int
    validation: int
    test: int
    classes: int
    synthetic: int

    @classmethod
    def of(cls, facts: DatasetFacts, ipc: int) -> Sizes:
        """One training image in ten is held out, class by class."""
        held_out = (facts.train_count + 5) // 10
        return cls(facts.train_count - held_out, held_out, facts.test_count, facts.classes, ipc * facts.classes)


@final
@dataclass(frozen=True)
class Cached:
    """What needs not be done again: expert trajectories, and the reference on the full training set."""

    experts: int = 0
    reference: bool = False


def work(recipe: Recipe, sizes: Sizes, cached: Cached | None = None) -> list[Work]:
    """Every kernel call of a job, calls of a kind together."""
    cached = cached or Cached()
    return [
        *_training_experts(recipe, sizes, cached),
        *_distilling(recipe, sizes),
        *_looks(recipe, sizes),
        *_evaluating(recipe, sizes, cached),
    ]


def expert_epochs(objective: Trajectory) -> tuple[int, int]:
    """First and last snapshot that segments read; training goes as far as the last."""
    return objective.min_start_epoch, objective.max_start_epoch - 1 + objective.expert_epochs


def _training_experts(recipe: Recipe, sizes: Sizes, cached: Cached) -> Iterator[Work]:
    if not isinstance(recipe.objective, Trajectory):
        return
    assert recipe.experts is not None, "a recipe that matches trajectories has experts"
    epochs = max(0, recipe.experts.count - cached.experts) * expert_epochs(recipe.objective)[1]
    yield from _training("training_experts", epochs, sizes.train, recipe.experts.batch_size)


def _distilling(recipe: Recipe, sizes: Sizes) -> Iterator[Work]:
    steps = recipe.schedule.steps
    match recipe.objective:
        case Trajectory() as objective:
            for calls, images in _student_steps(objective, sizes.synthetic):
                yield Work("distilling", "gradient", steps * calls, images)
                yield Work("distilling", "adjoint", steps * calls, images)
                # once on the way forth; on the way back again, and pulled back
                yield Work("distilling", "data", 3 * steps * calls, images)
        case Distribution() as objective:
            real = min(objective.real_batch, sizes.train // sizes.classes)
            own = sizes.synthetic // sizes.classes
            yield Work("distilling", "forward", steps * sizes.classes, real)
            yield Work("distilling", "gradient", steps * sizes.classes, own)
            yield Work("distilling", "data", steps * sizes.classes, real)
            yield Work("distilling", "data", steps * sizes.classes, own)
        case Nothing():
            return


def _looks(recipe: Recipe, sizes: Sizes) -> Iterator[Work]:
    """Networks trained for a look at the validation split."""
    evaluation = recipe.evaluation
    if evaluation.look_every is not None:
        looks = recipe.schedule.steps // evaluation.look_every
        yield from _training("distilling", looks * evaluation.epochs, sizes.synthetic, evaluation.batch_size)
        yield from _testing("distilling", looks, sizes.validation)


def _evaluating(recipe: Recipe, sizes: Sizes, cached: Cached) -> Iterator[Work]:
    evaluation = recipe.evaluation
    tried = len(evaluation.baseline_lrs)
    looks = tried if tried > 1 else 0
    networks = 3 * evaluation.seeds  # distilled, the same in 8 bits, random
    epochs = (networks + looks) * evaluation.epochs
    yield from _training("evaluating", epochs, sizes.synthetic, evaluation.batch_size)
    yield from _testing("evaluating", looks, sizes.validation)
    full = evaluation.full
    if full is not None and not cached.reference:
        networks += evaluation.seeds
        yield from _training("evaluating", evaluation.seeds * full.epochs, sizes.train, full.batch_size)
    yield from _testing("evaluating", networks, sizes.test)
    yield from _testing("evaluating", networks, sizes.validation)


def _training(phase: Phase, epochs: int, n: int, batch: int) -> Iterator[Work]:
    for calls, images in _batches(n, batch):
        yield Work(phase, "gradient", epochs * calls, images)
        yield Work(phase, "data", epochs * calls, images)


def _testing(phase: Phase, networks: int, n: int) -> Iterator[Work]:
    for calls, images in _batches(n, TEST_BATCH):
        yield Work(phase, "forward", networks * calls, images)


def _student_steps(objective: Trajectory, n: int) -> list[tuple[int, int]]:
    """(calls, images) of the steps of one segment: epochs of minibatches, cut off after the last step."""
    per_epoch = [images for calls, images in _batches(n, objective.batch_size or n) for _ in range(calls)]
    whole, rest = divmod(objective.syn_steps, len(per_epoch))
    steps = [(per_epoch.count(size) * whole + per_epoch[:rest].count(size), size) for size in dict.fromkeys(per_epoch)]
    return [(calls, size) for calls, size in steps if calls]


def _batches(n: int, batch: int) -> list[tuple[int, int]]:
    """(calls, images) of one pass over n images."""
    whole, rest = divmod(n, batch)
    return [(calls, images) for calls, images in ((whole, batch), (1, rest)) if calls and images]
