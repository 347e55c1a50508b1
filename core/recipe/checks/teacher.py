"""The checks of a teacher, and of what it cannot do for other choices."""

from __future__ import annotations

from core.recipe.choices import Choices
from core.recipe.component import invalid_combination
from core.recipe.network import LeNet
from core.recipe.statistics import Statistics


def check_teacher(recipe: Choices) -> None:
    """A teacher is there where one is asked, and nowhere else."""
    asked = recipe.taught_by
    if asked and recipe.teacher is None:
        kinds = {"objective": recipe.objective.kind, "relabel": recipe.relabel.kind, "init": recipe.init.kind}
        raise invalid_combination(
            "teacher",
            f"The {asked[0]} '{kinds[asked[0]]}' asks a teacher, and there is none.",
            'Set teacher, for instance to {"epochs": 15}.',
        )
    if not asked and recipe.teacher is not None:
        raise invalid_combination(
            "teacher",
            "Nothing in this recipe asks a teacher.",
            "Set teacher to null, or relabel.kind to 'soft'.",
        )


def check_norms(recipe: Choices) -> None:
    """Only batch norms keep statistics of the real images."""
    if not isinstance(recipe.objective, Statistics) or recipe.teacher is None:
        return
    norm = recipe.teacher.network.norm
    if recipe.objective.statistics == "norm" and norm != "batch":
        raise invalid_combination(
            "teacher.network.norm",
            f"A teacher with norm '{norm}' keeps no statistics of the real images.",
            "Set objective.statistics to 'convolution', or teacher.network.kind to 'convnet'."
            if isinstance(recipe.teacher.network, LeNet)
            else "Set teacher.network.norm to 'batch', or objective.statistics to 'convolution'.",
        )


def check_adjustment(recipe: Choices) -> None:
    """The images that a teacher is moved to forget have to be images that it knows."""
    if isinstance(recipe.objective, Statistics) and recipe.objective.adjust and recipe.init.is_noise:
        raise invalid_combination(
            "objective.adjust",
            "A teacher is adjusted against the initial images, and noise is nothing that it could forget.",
            "Set init.kind to 'real', or objective.adjust to null.",
        )


def check_order(recipe: Choices) -> None:
    """Stages need an order, and the images that a teacher shows or labels have none."""
    if recipe.schedule.stages.count == 1:
        return
    if recipe.objective.needs_teacher or recipe.relabel.needs_teacher:
        raise invalid_combination(
            "schedule.stages.count",
            "A teacher knows no stages: it is the same for all images, and labels them together.",
            "Set schedule.stages.count to 1.",
        )


def check_relabel(recipe: Choices) -> None:
    """Labels come from one source."""
    if recipe.relabel.needs_teacher and (recipe.labels.learned or recipe.labels.regresses):
        raise invalid_combination(
            "relabel.kind",
            "The teacher's labels would take the place of those that were learned or solved.",
            "Set relabel.kind to 'keep', or labels.kind to 'hard'.",
        )
