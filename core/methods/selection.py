"""Methods that select real images instead of optimising synthetic ones."""

from __future__ import annotations

from core.methods.task import Presets, Task, augment, evaluation, network, preset
from core.recipe import Nothing, Recipe, Schedule

__all__ = ["random"]


def random(task: Task) -> Recipe:
    """Random selection.

    Real training images of each class, drawn at random and left as they are. The line every other method has to beat,
    and the answer when the budget approaches the size of the dataset.

    Family: selection
    Equation: S_c ~ Uniform{subsets of T_c of size ipc}
    Citation: baseline of every paper in the field
    Published: CIFAR-10, ConvNet-3: 14.4 / 26.0 / 43.4 % at ipc 1 / 10 / 50 (reported by Zhao & Bilen 2021)
    Use: as a baseline, for a dry run of a pipeline, or above a third of the dataset.
    Avoid: at small ipc, where every distillation method is far ahead.
    """
    return preset(
        PRESETS["random"],
        task,
        Recipe(
            augment=augment(task),
            network=network(task),
            objective=Nothing(),
            schedule=Schedule(steps=0),
            evaluation=evaluation(task, lr=0.01),
        ),
    )


PRESETS: Presets = {"random": {}}
