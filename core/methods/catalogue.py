"""The catalogue of methods: what the modules of the families list, under the names users write.

A method is a function of one of `FAMILIES` that its `__all__` names. The catalogue calls it by the function's name with
a dash for every underscore, and its entry is the function's docstring.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from core.methods import (
    automatic,
    distribution,
    flat_experts,
    generative,
    gradient,
    performance,
    regression,
    selection,
    selmatch,
    sequential,
    statistics,
    theory,
    trajectory,
)
from core.methods.task import Settings, Task, alike
from core.overrides import nearest, override
from core.recipe import FieldError, Recipe, RecipeError

if TYPE_CHECKING:
    from core.data import DatasetFacts

FAMILIES: Final = (
    automatic,
    selection,
    distribution,
    gradient,
    performance,
    trajectory,
    flat_experts,
    selmatch,
    sequential,
    statistics,
    regression,
    generative,
)

FOR_NUMBERS: Final = "Take method 'random', 'herding', 'k-means', 'dm', 'dc', 'mtt', 'rat-bptt' or 'frepo'."
"""The fix where a method needs pictures."""

LAB: Final = (theory,)
"""Families of the theory lab, whose methods are of no pictures."""

_SECTIONS = ("Family", "Equation", "Citation", "Published", "Use", "Avoid")


@dataclass(frozen=True)
class Method:
    """A method as the catalogue shows it; the text is the function's docstring."""

    name: str
    family: str
    title: str
    summary: str
    equation: str
    citation: str
    published: str
    use: str
    avoid: str
    presets: tuple[tuple[str, int], ...]
    expression: Callable[[Task], Recipe]
    of_pictures: bool = False
    """Whether it means nothing for vectors and series."""

    def recipe(self, task: Task) -> Recipe:
        """The recipe for a task; where its classes are of unequal size, each counts alike. A table keeps its numbers.

        Raises:
            RecipeError: the method is for pictures, and the task has none.
        """
        if self.of_pictures and task.kind != "pictures":
            told = f"'{self.name}' makes pictures, of crops or by convolutions, and these are {task.kind}."
            raise RecipeError([FieldError("method", told, FOR_NUMBERS)])
        recipe = self.expression(task)
        if task.kind == "vectors" and self.family != "theory":
            recipe = override(recipe, {"storage.kind": "columns"})
        return alike(recipe) if task.unequal else recipe


class UnknownMethod(ValueError):
    """No method has this name."""


@dataclass(frozen=True)
class Listing:
    """A method as its family lists it: the expression, and the settings known for it."""

    recipe: Callable[[Task], Recipe]
    settings: Settings
    of_pictures: bool


def listed(*families: ModuleType) -> dict[str, Listing]:
    """The methods of the families by their names in the catalogue, in alphabetical order.

    Raises:
        ValueError: two methods would share a name, or settings belong to none.
    """
    found: dict[str, Listing] = {}
    for family in families:
        presets = dict(family.PRESETS)
        for function in family.__all__:
            name = function.replace("_", "-")
            if name in found:
                raise ValueError(f"{family.__name__}: there is a method '{name}' already. Name this one differently.")
            of_pictures = function in getattr(family, "OF_PICTURES", ())
            found[name] = Listing(getattr(family, function), presets.pop(name, {}), of_pictures)
        if presets:
            raise ValueError(f"{family.__name__}: PRESETS of no method here: {', '.join(presets)}. Mend the name.")
    return dict(sorted(found.items()))


_METHODS: Final = listed(*FAMILIES)
_LAB: Final = listed(*LAB)
_ALL: Final = dict(sorted({**_METHODS, **_LAB}.items()))


def names() -> tuple[str, ...]:
    """Names of all methods that distil images of classes, in alphabetical order."""
    return tuple(_METHODS)


def all_names() -> tuple[str, ...]:
    """Names of all methods, those of the theory lab included, in alphabetical order."""
    return tuple(_ALL)


@cache
def method(name: str) -> Method:
    """The catalogue entry of a method.

    Raises:
        UnknownMethod: with the closest name.
    """
    if name not in _ALL:
        raise UnknownMethod(f"There is no method '{name}'. {nearest(name, all_names())}")
    listing = _ALL[name]
    title, _, rest = inspect.cleandoc(listing.recipe.__doc__ or "").partition("\n\n")
    summary, _, sections = rest.partition("\n\n")
    text = {label: _section(sections, label) for label in _SECTIONS}
    return Method(
        name=name,
        family=text["Family"],
        title=title.rstrip("."),
        summary=_one_line(summary),
        equation=text["Equation"],
        citation=text["Citation"],
        published=text["Published"],
        use=text["Use"],
        avoid=text["Avoid"],
        presets=tuple(sorted(listing.settings)),
        expression=listing.recipe,
        of_pictures=listing.of_pictures,
    )


def cuts_tiles(name: str, facts: DatasetFacts) -> bool:
    """Whether a method cuts stored images of a dataset into tiles, if their sides are even.

    Raises:
        UnknownMethod: with the closest name.
    """
    if facts.kind != "pictures":
        return False
    channels, height, width = facts.shape
    even = (channels, height + height % 2, width + width % 2)
    task = Task(facts.name, 1, even, facts.classes, facts.mirroring.allowed)
    return method(name).recipe(task).parameterize.formation > 1


@cache
def override_schema() -> dict[str, Any]:
    """JSON Schema of a recipe: the paths and values a request's `overrides` may hold.

    Everybody gets the same object, made once, and must leave it as it is.
    """
    return Recipe.model_json_schema()


def _section(text: str, label: str) -> str:
    found = re.search(rf"^{label}: (.*?)(?=^\w+: |\Z)", textwrap.dedent(text), re.MULTILINE | re.DOTALL)
    assert found, f"the docstring of a method needs the section '{label}:'"
    return _one_line(found[1])


def _one_line(text: str) -> str:
    return " ".join(text.split())
