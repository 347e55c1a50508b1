"""The best recipe of a ladder that a price says can end in a given time."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, final

from pydantic import ValidationError

from core.budget.changes import Change, Tree, changed, get, held, number, put
from core.budget.ladders import LADDERS, MEASURED, NARROW, Ladder
from core.data import DatasetFacts
from core.durations import written
from core.feasibility import taken
from core.recipe import FieldError, Recipe, RecipeError, search

Price = Callable[[Recipe], float]
"""Seconds that a job by a recipe takes, all of it, rather too many than too few."""

REFERENCE_SHARE: Final = 0.2
"""Share of the time that the reference on the full training set may take, if no earlier job has left it.

A recipe of which nothing else is given up may use all the time that is left for it.
"""

_REFERENCE_EPOCHS: Final = (10, 5)
"""Epochs of the reference that are tried after the recipe's own: few, so that jobs share what is trained."""

_FULL: Final = "evaluation.full"
_FAR: Final = 2  # times the ipc of a measured setting
_HALVINGS: Final = 10
_STAYING: Final = 0.6
"""Share of a recipe's own steps that is given up for nothing below a rung."""
_CONSEQUENCES: Final = (
    "schedule.ema",
    "objective.growth",
    "objective.min_start_epoch",
    "objective.denoiser.ema",
    "objective.denoiser.warmup",
    "experts.epochs",
    "schedule.stages.each",
)
"""Fields that follow others, and need no words of their own."""


@final
@dataclass(frozen=True)
class Fitted:
    """A recipe that ends in time: what was given up for that, a phrase each, and the seconds that it shall take."""

    recipe: Recipe
    given_up: tuple[str, ...]
    seconds: float
    most_steps: int = 0
    """Outer steps that it may go on to while there is time; 0 where it ends with its own."""


def fit(
    recipe: Recipe, facts: DatasetFacts, ipc: int, seconds: float, price: Price, fixed: Collection[str] = ()
) -> Fitted:
    """The recipe, with as little given up as the time asks for.

    The reference on the full training set has a share of the time for itself; what does not fit into it is left out.

    Args:
        recipe, facts, ipc: the job; the recipe may leave fields to a search.
        seconds: the time from the attempt's start to its published result.
        price: seconds that a job takes; it must not rise as a recipe is made smaller.
        fixed: paths of fields that the client has set, which stay.

    Raises:
        TooShort: no version of the recipe ends in that time; its fix names the time in which one does.
    """
    own = any(_FULL.startswith(path) or path.startswith(_FULL) for path in fixed)
    bare = recipe if own else _with(recipe, {_FULL: None})
    scaling = _Scaling(bare, facts, ipc, LADDERS[recipe.objective.kind], frozenset(fixed))
    low, high = 0, len(scaling.ladder.rungs) - 1
    if price(scaling.shortest(high)) > seconds:
        raise TooShort(seconds, price(scaling.shortest(high)), ipc)
    while low < high:  # a lower rung costs no more
        middle = (low + high) // 2
        low, high = (low, middle) if price(scaling.shortest(middle)) <= seconds else (middle + 1, high)
    if not own:
        share = REFERENCE_SHARE * seconds if low else max(REFERENCE_SHARE * seconds, seconds - price(bare))
        full = _reference(recipe, scaling.shortest(low), seconds, share, price)
        scaling = replace(scaling, recipe=_with(recipe, {_FULL: full}))
    found = scaling.filled(low, seconds, price)
    return Fitted(found, differences(recipe, found), price(found), scaling.most_steps(found))


@final
@dataclass(frozen=True)
class _Scaling:
    """A recipe, and the ladder down which it goes."""

    recipe: Recipe
    facts: DatasetFacts
    ipc: int
    ladder: Ladder
    fixed: frozenset[str]

    def shortest(self, rung: int) -> Recipe:
        """The recipe at a rung, with as few steps as it is taken with."""
        return _shortest(self, rung)

    def least(self, rung: int) -> int:
        """The steps for which the rung is left: a preset of few steps does without some of them first."""
        paths = self._lengths()
        own = number(self.recipe.model_dump(mode="json"), paths[0][0]) if paths else 0
        return min(self.ladder.rungs[rung].least, max(1, math.ceil(_STAYING * own)))

    def filled(self, rung: int, seconds: float, price: Price) -> Recipe:
        """The recipe at a rung, with as many steps as there is time for; if for all, with the last changes undone."""
        changes, least = self.down_to(rung), self.least(rung)
        found = self.changed(changes)
        if price(found) > seconds:
            return self._as_long_as(found, least, seconds, price)
        for place in reversed(range(len(changes))):
            fewer = [*changes[:place], *changes[place + 1 :]]
            better = self.changed(fewer)
            if better == found or price(better) <= seconds:
                changes, found = fewer, better
        return found

    def down_to(self, rung: int) -> list[Change]:
        """The changes of a rung and of all above it."""
        return [change for each in self.ladder.rungs[: rung + 1] for change in each.changes]

    def changed(self, changes: Sequence[Change]) -> Recipe:
        """The recipe after some changes; one that would contradict what the client has set is left out."""
        found, beta = self.recipe, _beta(self.recipe, self.facts, self.ipc)
        for change in changes:
            before, tree = found.model_dump(mode="json"), found.model_dump(mode="json")
            changed(tree, change, self.fixed, beta)
            if tree != before:  # most touch few recipes, and validating takes longer
                with contextlib.suppress(ValidationError):
                    found = Recipe.model_validate(tree)
        tree = found.model_dump(mode="json")
        if changes and number(tree, "network.width") <= NARROW:
            for path, value in _measured(self.recipe, self.facts, self.ipc).items():
                if not held(path, self.fixed):
                    put(tree, path, value)
        return Recipe.model_validate(tree)

    def _as_long_as(self, recipe: Recipe, least: int, seconds: float, price: Price) -> Recipe:
        """The recipe with as many steps as there is time for, which is fewer than its own."""
        if not (paths := self._lengths()):
            return recipe
        beyond = int(number(recipe.model_dump(mode="json"), paths[0][0]))
        fits = min(least, beyond)
        for _ in range(_HALVINGS):
            middle = _even((fits + beyond) // 2)
            if not fits < middle < beyond:
                break
            cheap = price(self.lasting(recipe, middle)) <= seconds
            fits, beyond = (middle, beyond) if cheap else (fits, middle)
        return self.lasting(recipe, fits)

    def lasting(self, recipe: Recipe, steps: int) -> Recipe:
        """The recipe with so many steps, or all of its own if those are fewer; what is counted in steps follows."""
        paths, tree = self._lengths(), recipe.model_dump(mode="json")
        if not paths or number(tree, paths[0][0]) <= steps:
            return recipe
        share = steps / number(tree, paths[0][0])
        for path, floor in paths:
            if number(tree, path) > floor:
                put(tree, path, max(floor, round(number(tree, path) * share)))
        _follow(tree, share)
        for path in self.ladder.paced:
            if number(tree, path) > 0 and not held(path, self.fixed):
                put(tree, path, float(f"{number(tree, path) * min(1 / share, self.ladder.quicker):.3g}"))
        return Recipe.model_validate(tree)

    def most_steps(self, found: Recipe) -> int:
        """The recipe's own steps, of which a shorter one has fewer; 0 where each step depends on how many there are."""
        schedule, planned = found.schedule, not steps_alike(found)
        quicker = any(not held(path, self.fixed) for path in self.ladder.paced)  # they go as far in fewer steps
        if planned or quicker or "schedule.steps" not in dict(self._lengths()):
            return 0
        return self.recipe.schedule.steps if self.recipe.schedule.steps > schedule.steps else 0

    def _lengths(self) -> list[tuple[str, int]]:
        """The numbers of steps that may be fewer, and how many at least."""
        return [(path, floor) for path, floor in self.ladder.filled if not held(path, self.fixed)]


def steps_alike(recipe: Recipe) -> bool:
    """Whether an outer step is the same however many there will be."""
    schedule, sdc = recipe.schedule, recipe.sdc
    planned = schedule.decay != "constant" or schedule.stages.count > 1 or schedule.blend is not None
    return not planned and not recipe.objective.is_paced and (not sdc or sdc.schedule == "constant")


@lru_cache(maxsize=1024)
def _shortest(scaling: _Scaling, rung: int) -> Recipe:
    """The same for every time that a job is to end within."""
    return scaling.lasting(scaling.changed(scaling.down_to(rung)), scaling.least(rung))


def _beta(recipe: Recipe, facts: DatasetFacts, ipc: int) -> float | None:
    """Half of a class is skipped where that leaves enough, as by a window that is asked for by its method's name."""
    tried = search.windows(recipe, taken(recipe, ipc, facts))
    return max((share for share in tried.values if share <= 0.5), default=None) if tried else None


def _measured(recipe: Recipe, facts: DatasetFacts, ipc: int) -> dict[str, float]:
    known = {
        size: settings
        for (*of, size, preprocess), settings in MEASURED.items()
        if of == [recipe.objective.kind, facts.name] and size <= _FAR * ipc <= _FAR**2 * size
        if preprocess == recipe.preprocess.kind
    }
    return dict(known[min(known, key=lambda size: abs(size - ipc))]) if known else {}


def _follow(tree: Tree, share: float) -> None:
    """Running means over the same share of the steps as before, and what grows or warms up in so many of them."""
    for path in ("schedule.ema", "objective.denoiser.ema"):
        if number(tree, path) > 0:
            put(tree, path, round(get(tree, path) ** (1 / share), 6))
    for path, least in (("objective.growth.steps", 1), ("objective.denoiser.warmup", 0)):
        if number(tree, path) > least:
            put(tree, path, max(least, round(get(tree, path) * share)))


def _reference(recipe: Recipe, shortest: Recipe, seconds: float, share: float, price: Price) -> Tree | None:
    """The reference, if it fits into its share of the seconds, in as many epochs as do; None if it does in none."""
    asked, alone = recipe.evaluation.full, price(shortest)
    if asked is None:
        return None
    for epochs in (asked.epochs, *(each for each in _REFERENCE_EPOCHS if each < asked.epochs)):
        full: Tree = asked.model_copy(update={"epochs": epochs}).model_dump(mode="json")
        whole = price(_with(shortest, {_FULL: full}))
        if whole <= seconds and whole - alone <= share:
            return full
    return None


@final
class TooShort(RecipeError):
    """No version of a recipe ends in the time; `enough` is one in which the smallest does, in seconds."""

    def __init__(self, seconds: float, least: float, ipc: int) -> None:
        """
        Args:
            seconds: the time.
            least: seconds that the smallest version takes.
            ipc: images per class that were asked for; 1 also where nobody has asked for any number.
        """
        self.least, self.ipc = least, ipc
        self.enough = _rounded_up(1.05 * least)  # the next forecast may differ a little
        enough, about = written(self.enough), written(_rounded_up(least))
        super().__init__(
            [
                FieldError(
                    "within",
                    f"The smallest job of this kind takes about {about} on the workers' hardware, "
                    f"its evaluation included: more than {written(math.floor(seconds))}.",
                    f"Set within to at least '{enough}'{', or lower ipc' if ipc > 1 else ''}.",
                )
            ]
        )


def _rounded_up(seconds: float) -> int:
    """A time that people would say, at least so many seconds."""
    unit = next(unit for unit in (1, 5, 10, 30, 60, 300, 600, 3600) if unit >= seconds / 20 or unit == 3600)
    return math.ceil(seconds / unit) * unit


def differences(before: Recipe, after: Recipe) -> tuple[str, ...]:
    """The phrases that say what was given up: "network.width 128 -> 32"."""
    return tuple(_words(before, after))


def _words(before: Recipe, after: Recipe) -> Iterator[str]:
    tree = after.model_dump(mode="json")
    new = dict(_leaves(tree))
    for path, value in _leaves(before.model_dump(mode="json")):
        now, part = new.get(path), _left_out(path, tree)
        if part is not None:
            if path == part or path.endswith((".epochs", ".tasks")):  # once a part
                yield f"{part} left out"
        elif now != value and not path.startswith(_CONSEQUENCES):
            yield f"{path} {_shown(value)} -> {_shown(now)}"


def _left_out(path: str, tree: Tree) -> str | None:
    """The part that a path leads into, if a recipe's tree has no such part any more."""
    names = path.split(".")
    for depth in range(2, len(names) + 1):
        part = ".".join(names[:depth])
        if get(tree, part) in (None, []):
            return part
    return None


def _leaves(tree: Tree, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        elif value not in (None, []):
            yield f"{prefix}{name}", value


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _even(steps: int) -> int:
    """Rounded down to two digits: forecasts that differ a little give the same recipe."""
    digits = max(0, len(str(steps)) - 2)
    unit: int = 10**digits
    return steps // unit * unit


def _with(recipe: Recipe, values: dict[str, Any]) -> Recipe:
    tree = recipe.model_dump(mode="json")
    for path, value in values.items():
        put(tree, path, value)
    return Recipe.model_validate(tree)
