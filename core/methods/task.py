"""The task a recipe may depend on, and the choices it decides by itself, whatever the method."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from core.overrides import override
from core.recipe import (
    Architecture,
    Augment,
    Coverage,
    Dual,
    El2n,
    Embedding,
    Evaluation,
    Forgetting,
    FullTraining,
    Generative,
    LearnedScore,
    Mlp,
    Network,
    Performance,
    Recipe,
    Regression,
    Rounds,
    SeriesConvNet,
    Solved,
    search,
)

if TYPE_CHECKING:
    from core.data import DatasetFacts

Settings = Mapping[tuple[str, int], Mapping[str, Any]]
"""Changes to a method's recipe, by path, per dataset and ipc."""

Presets = Mapping[str, Settings]
"""The settings of each method of a family that has any, by its name in the catalogue.

Published ones, and ours for digits. What no one published for a dataset, the recipe leaves to probes.
"""

_FAR = 2  # times the ipc of a preset
_BATCH, _SMALL_BATCH = 256, 64  # real images of an expert's step
_EPOCHS, _MOST_EPOCHS = 2, 10  # of an expert's segment, M
_AHEAD = 5  # steps of an expert's segment for each of the student's
_FEW, _FEW_IPC = 10 * _BATCH, 5  # images: an epoch of fewer is short, and students of so many a class overshoot it
_LEAST_BATCH, _LEAST_EPOCH, _FEW_STEPS = 16, 40, 10  # with few images: of an expert, its steps, and those of a student


@dataclass(frozen=True)
class Task:
    """The facts a recipe may depend on: the dataset by name and content, and the images per class."""

    dataset: str
    ipc: int
    shape: tuple[int, int, int]
    classes: int
    mirror: bool
    """Whether a mirrored picture stays what it is."""
    unequal: bool = False
    """Whether some class has far fewer images than others (`core.data.DatasetFacts.unequal`)."""
    kind: str = "pictures"
    """The kind of data: pictures, vectors or series."""
    images: int | None = None
    """Images that distillation may use; None stands for as many as the papers' datasets have."""

    @classmethod
    def of(cls, facts: DatasetFacts, ipc: int) -> Self:
        """The task of a dataset and so many images per class."""
        shape, mirror, images = facts.shape, facts.mirroring.allowed, sum(facts.sizes)
        return cls(facts.name, ipc, shape, facts.classes, mirror, facts.unequal, facts.kind, images)


class Segment(NamedTuple):
    """A part of an expert's trajectory and of the student's that stands for it."""

    batch: int
    """Real images of an expert's step."""
    epochs: int
    """Epochs of the expert, M."""
    steps: int
    """Steps of the student, N."""


def tiny(task: Task) -> bool:
    """Whether the images are too small for the settings of the papers, which begin at 28 pixels."""
    return min(task.shape[1:]) < 16


def large_from(smallest_class: int) -> int:
    """The images a class from which on a set is large: 25, and a twentieth of the smallest class."""
    return max(25, math.ceil(smallest_class / 20))


def segment(task: Task, steps: int) -> Segment:
    """The segment of experts that a student of `steps` steps stands for, and the steps of one that stands for it.

    With the papers' datasets an epoch is some 200 steps of an expert. With a thousand images it would be five, and a
    student would have more of them than its segment: it overshoots, its step size falls, and its images hardly move
    any more. So where images are tiny, batches are smaller and, if images are few, segments of more epochs. Of larger
    images that is worth it at a few images a class, where the student takes fewer steps as well
    (benchmarks/RESULTS.md, "Where a segment is short").
    """
    if task.images is not None and tiny(task):
        epoch = math.ceil(task.images / _SMALL_BATCH)
        return Segment(_SMALL_BATCH, min(_MOST_EPOCHS, max(_EPOCHS, math.ceil(_AHEAD * steps / epoch))), steps)
    if task.images is not None and task.images < _FEW and task.ipc <= _FEW_IPC:
        batch = max(_LEAST_BATCH, 2 ** int(math.log2(max(1, task.images / _LEAST_EPOCH))))
        epochs = math.ceil(_LEAST_EPOCH / math.ceil(task.images / batch))
        return Segment(batch, min(_MOST_EPOCHS, epochs), min(steps, _FEW_STEPS))
    return Segment(_BATCH, _EPOCHS, steps)


def augment(task: Task) -> Augment:
    """The augmentation that keeps an image of this dataset what it is: of vectors and series none."""
    if task.kind != "pictures":
        return Augment(transforms=())
    # Half of an 8x8 digit cut out leaves no digit, and its brightness is the pen's.
    left_out = {"color", "cutout"} if tiny(task) else set[str]()
    if not task.mirror:
        left_out.add("flip")
    return Augment(transforms=tuple(name for name in Augment().transforms if name not in left_out))


def network(task: Task) -> Architecture:
    """The ConvNet of the papers, or a small one for tiny images; of vectors an MLP, of series a ConvNet along time."""
    if task.kind == "vectors":
        return Mlp()
    if task.kind == "series":
        return SeriesConvNet(width=64)
    return Network(width=32, depth=2) if tiny(task) else Network()


def evaluation(task: Task, lr: float | None) -> Evaluation:
    """The protocol of the MTT line, or a short one for tiny images; `lr` as in `Evaluation`."""
    if tiny(task):
        return Evaluation(
            lr=lr,
            epochs=300,
            baseline_lrs=(0.003, 0.01, 0.03),
            full=FullTraining(epochs=40, batch_size=64, lr=0.05),
        )
    return Evaluation(lr=lr, full=FullTraining(epochs=30))


def alike(recipe: Recipe) -> Recipe:
    """The recipe for classes of unequal size: each counts alike, in what is learned and in what is chosen by.

    Without that experts of a dataset of 9 to 1 answer the larger class whatever they are shown for most of their
    training, and targets of a regression hold the classes' frequencies: networks trained on what matches them answer it
    as well. The reference on the full training set would answer it too, and lie below random images, by which the gap
    that a result closes would mean nothing.
    """
    changes: dict[str, Any] = {"evaluation.measure": "balanced"}
    if recipe.experts is not None:
        changes["experts.balance"] = "batches"
    if recipe.teacher is not None:
        changes["teacher.balance"] = "batches"
    if isinstance(getattr(recipe.init, "score", None), LearnedScore):
        changes["init.score.balance"] = "loss"
    if recipe.rounds is not None:
        changes["rounds.score.balance"] = "loss"
    if hasattr(recipe.init, "embedding"):
        changes["init.embedding.balance"] = "loss"
    if recipe.evaluation.full is not None:
        changes["evaluation.full.balance"] = "loss"
    if recipe.evaluation.coverage is not None:
        changes["evaluation.coverage.balance"] = "loss"
    if isinstance(recipe.objective, Generative) and recipe.objective.judge is not None:
        changes["objective.judge.balance"] = "loss"
    if isinstance(recipe.objective, Regression | Performance):
        changes["objective.balance"] = "loss"
    if isinstance(recipe.labels, Solved) and not recipe.labels.for_pixels:
        changes["labels.balance"] = "loss"
    return override(recipe, changes)


def forgetting(task: Task) -> Forgetting:
    """The forgetting score, or a short one for tiny images."""
    return Forgetting(networks=3, epochs=10, batch_size=64) if tiny(task) else Forgetting()


def el2n(task: Task) -> El2n:
    """The EL2N score, or a short one for tiny images."""
    return El2n(networks=5, epochs=4, batch_size=64) if tiny(task) else El2n()


def dual(task: Task) -> Dual:
    """The DUAL score, or a short one for tiny images."""
    return Dual(epochs=6, window=3, batch_size=64) if tiny(task) else Dual()


def rounds(task: Task, *, first: float, score: LearnedScore) -> Rounds | None:
    """Three rounds of real images, or as many as there are images for; None where there are none. `first` as there."""
    asked = Rounds(first=first, epochs=100 if tiny(task) else 200, score=score)
    left = task.ipc - asked.made(task.ipc)
    return asked.model_copy(update={"count": min(asked.count, left)}) if left else None


def embedding(task: Task) -> Embedding:
    """The network that embeds images to be compared, trained shortly for tiny ones."""
    return Embedding(epochs=20, batch_size=64) if tiny(task) else Embedding()


def coverage(task: Task) -> Coverage:
    """The analysis of what a result covers, by a network trained shortly for tiny images."""
    return Coverage(epochs=20, batch_size=64) if tiny(task) else Coverage()


def preset(settings: Settings, task: Task, recipe: Recipe) -> Recipe:
    """The recipe with the settings published (or measured by us) for this dataset at the nearest ipc, if any.

    Beyond twice that ipc, or below half of it, what the recipe leaves to probes stays with them.
    """
    known = {ipc: changes for (dataset, ipc), changes in settings.items() if dataset == task.dataset}
    if not known:
        return recipe
    nearest = min(known, key=lambda ipc: abs(ipc - task.ipc))
    far = not nearest <= _FAR * task.ipc <= _FAR**2 * nearest
    left = set(search.left(recipe)) if far else set()
    if search.END in left:
        left.add("schedule.stages.each")  # which say it of each stage
    return override(recipe, {path: value for path, value in known[nearest].items() if path not in left})
