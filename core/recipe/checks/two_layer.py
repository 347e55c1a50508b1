"""The check of a regression memory, of which the other parts of a recipe say nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from core.recipe.choices import Choices
from core.recipe.component import invalid_combination
from core.recipe.evaluation import Evaluation
from core.recipe.network import Mlp
from core.recipe.pixels import Unprocessed
from core.recipe.schedule import Schedule
from core.recipe.start import Noise
from core.recipe.two_layer import TwoLayer

LAB: Final = Choices(
    preprocess=Unprocessed(),
    network=Mlp(),
    init=Noise(),
    objective=TwoLayer(),
    schedule=Schedule(steps=0),
    evaluation=Evaluation(seeds=5, lr=0.01, full=None),
)
"""The recipe of such a memory: but for its objective and the number of students it never differs."""

_METHOD: Final = "progressive-two-layer"


def check_lab(recipe: Choices) -> None:
    """A memory of points and labels has no pictures, whose choices would be said in vain."""
    if not isinstance(recipe.objective, TwoLayer):
        return
    own, plain = (dict(_leaves(each.model_dump(mode="json", exclude={"objective"}))) for each in (recipe, LAB))
    own.pop("evaluation.seeds"), plain.pop("evaluation.seeds")
    path = next((path for path in {**plain, **own} if own.get(path) != plain.get(path)), None)
    if path is not None:
        raise invalid_combination(
            path,
            f"A regression memory for two-layer networks has nothing that '{path}' would change.",
            f"Leave it out, as method '{_METHOD}' has fields under objective, and evaluation.seeds; or, on pictures, "
            "set objective.kind to 'distribution'.",
        )


def _leaves(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
