"""The checks of the experts, and of the window that their trajectories are matched in."""

from __future__ import annotations

from core.recipe import search
from core.recipe.choices import Choices
from core.recipe.component import invalid_combination
from core.recipe.objective import Trajectory


def check_experts(recipe: Choices) -> None:
    """Experts are there where they are read, and nowhere else."""
    if recipe.init.needs_experts and not recipe.objective.reads_experts:
        raise invalid_combination(
            "init.kind",
            f"The objective '{recipe.objective.kind}' trains no experts that could be right about an image.",
            "Set init.kind to 'real', or objective.kind to 'trajectory'.",
        )
    if recipe.labels.needs_experts and not recipe.objective.reads_experts:
        raise invalid_combination(
            "labels.start",
            f"The objective '{recipe.objective.kind}' trains no experts that could say what labels start as.",
            "Set labels.start to 'confidence', or objective.kind to 'trajectory'.",
        )
    if recipe.labels.needs_experts and recipe.init.is_noise:
        raise invalid_combination(
            "labels.start",
            "An expert is right about noise by chance only, and what it says of it is no label.",
            "Set labels.start to 'confidence', or init.kind to 'correct'.",
        )
    if recipe.objective.reads_experts:
        if recipe.experts is None:
            raise invalid_combination(
                "experts",
                "Trajectories can only be matched to experts.",
                'Set experts, for instance to {"count": 20}.',
            )
    elif recipe.experts is not None:
        raise invalid_combination(
            "experts",
            f"The objective '{recipe.objective.kind}' reads no expert trajectories.",
            "Set experts to null.",
        )


def check_probes(recipe: Choices) -> None:
    """A probe compares matching losses, and needs an epoch that it may choose."""
    objective = recipe.objective
    if not isinstance(objective, Trajectory):
        if recipe.schedule.image_lr == search.PROBED:
            raise invalid_combination(
                "schedule.image_lr",
                f"Probes compare how well trajectories are matched; the objective is '{objective.kind}'.",
                "Set schedule.image_lr to a number.",
            )
    elif recipe.experts is not None and not search.start_epochs(recipe):
        first = max(
            objective.min_start_epoch + search.START_EPOCHS[0], objective.growth.start if objective.growth else 0
        )
        raise invalid_combination(
            "objective.max_start_epoch",
            f"Experts of {recipe.experts.epochs} epochs reach no end of the window that a probe would try.",
            f"Set experts.epochs to at least {first - 1 + objective.expert_epochs}, or objective.max_start_epoch "
            "to a number.",
        )


def check_reach(recipe: Choices) -> None:
    """Every segment that may be drawn ends before the experts do."""
    if not isinstance(recipe.objective, Trajectory) or recipe.experts is None:
        return
    if search.END in search.left(recipe):  # chosen so that it does
        return
    ends = [stage.max_start_epoch - 1 for stage in recipe.schedule.stages.each]
    lower = "the stages' max_start_epoch" if ends else "objective.max_start_epoch"
    reach = max(ends or [recipe.objective.last_start_epoch]) + recipe.objective.expert_epochs
    if reach > recipe.experts.epochs:
        raise invalid_combination(
            "experts.epochs",
            f"Segments reach epoch {reach}, but experts stop at {recipe.experts.epochs}.",
            f"Set experts.epochs to at least {reach}, or lower {lower}.",
        )
