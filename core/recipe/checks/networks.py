"""The checks of what a network can be asked for: compiled kernels, convolutions, and to be unseen."""

from __future__ import annotations

from core.recipe.choices import Choices
from core.recipe.component import invalid_combination
from core.recipe.objective import Gradient


def check_precision(recipe: Choices) -> None:
    """Only passes that are written out are ever compiled."""
    if recipe.precision != "float32" and not recipe.network.compiles:
        raise invalid_combination(
            "precision",
            f"Only a ConvNet's kernels are compiled, which precision is about; this is '{recipe.network.kind}'.",
            "Set precision to 'float32', or network.kind to 'convnet'.",
        )


def check_convolutions(recipe: Choices) -> None:
    """An objective that matches convolutions needs a network that has some."""
    objective, teacher = recipe.objective, recipe.teacher
    if isinstance(objective, Gradient) and objective.distance != "cosine" and not recipe.network.convolves:
        raise invalid_combination(
            "objective.distance",
            f"The distance '{objective.distance}' is that of convolutions' gradients, and an 'mlp' has no convolution.",
            "Set objective.distance to 'cosine', or network.kind to 'convnet'.",
        )
    if objective.needs_teacher and teacher is not None and not teacher.network.convolves:
        raise invalid_combination(
            "teacher.network.kind",
            "An 'mlp' has no convolution or batch norm whose statistics or features could be matched.",
            "Set teacher.network.kind to 'convnet'.",
        )


def check_unseen(recipe: Choices) -> None:
    """An architecture that the result was distilled with is not unseen."""
    if recipe.network in recipe.evaluation.across:
        raise invalid_combination(
            "evaluation.across",
            f"'{recipe.network.kind}' is the recipe's own network, which is trained on the result anyway.",
            "Leave it out of evaluation.across, or set evaluation.across to [].",
        )
