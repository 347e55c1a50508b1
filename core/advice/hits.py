"""Results of jobs beside what was advised on their dataset: how many of them the intervals hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, final

from core.advice.answer import Estimate
from core.advice.measured import Measured, Source
from core.advice.model import Model
from core.advice.study import METHOD

_PROTOCOL: Final = ("epochs", "batch_size", "lr", "optimiser", "momentum", "weight_decay", "schedule", "augment")
_VIEWS: Final[Mapping[str, Any]] = {"policy": "batch", "cutmix": None}
"""The fields of an evaluation by which networks learn, and those by which they see images, with the value of recipes
from before the field."""
_LINES: Final[Mapping[str, Source]] = {"distilled": "distilled", "random": "random"}


@final
class Hit(NamedTuple):
    """A line of a job's report, the interval that was advised, and whether it holds the result."""

    line: str
    advised: Estimate
    reached: float

    @property
    def held(self) -> bool:
        """Whether the interval holds it."""
        return self.advised.low <= self.reached <= self.advised.high


def compared(
    measured: Measured, model: Model, method: str, ipc: int, recipe: Mapping[str, Any], results: Mapping[str, Any]
) -> list[Hit]:
    """The lines of a finished job that the measurements speak of.

    Only what was measured is compared: the same network under the same training with hard labels on images that are
    prepared, parameterised and shown alike, and of distilled images those of the pilots' method at as many steps at
    least, stored as exactly. `recipe` and `results` are those of the job object.
    """
    own = measured.study.recipe.model_dump(mode="json")
    evaluation = recipe.get("evaluation") or {}
    same = recipe.get("network") == own["network"] and recipe.get("augment") == own["augment"]
    same &= all(evaluation.get(field) == own["evaluation"].get(field) for field in _PROTOCOL)
    same &= all(evaluation.get(field, old) == own["evaluation"].get(field, old) for field, old in _VIEWS.items())
    same &= recipe.get("share", "equal") == own["share"]
    stages, theirs = own["schedule"]["stages"], (recipe.get("schedule") or {}).get("stages")
    parts = ((own[part], recipe.get(part)) for part in ("preprocess", "parameterize"))
    same &= all(_alike(*each) for each in ((stages, theirs), *parts))
    if not same or measured.study.labels != "hard" or (recipe.get("relabel") or {}).get("kind", "keep") != "keep":
        return []
    hits, measure = [], "balanced_accuracy_mean" if measured.balanced else "accuracy_mean"
    for line, source in _LINES.items():
        row = results.get(line) or {}
        reached, networks = row.get(measure), row.get("n_seeds") or 1
        if line == "distilled" and not _like_a_pilot(method, recipe, own):
            continue
        advised = model.estimate(source, ipc, networks)
        if isinstance(reached, int | float) and advised is not None:
            hits.append(Hit(line, advised, float(reached)))
    return hits


def coverage(hits: Sequence[Hit]) -> float | None:
    """The share of the results that their intervals hold."""
    return sum(hit.held for hit in hits) / len(hits) if hits else None


def _alike(own: Mapping[str, Any], theirs: Mapping[str, Any] | None) -> bool:
    """Whether a part of a recipe is the pilots'; fields that there were not yet, or the whole part, are as theirs."""
    return {**own, **(theirs or {})} == own


def _like_a_pilot(method: str, recipe: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    return (
        method == METHOD
        and recipe.get("objective") == own["objective"]
        and (recipe.get("storage") or {}).get("kind", "exact") != "compact"
        and (recipe.get("schedule") or {}).get("steps", 0) >= own["schedule"]["steps"]
    )
