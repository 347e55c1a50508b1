"""The bytes of a distilled set as a client keeps it: the plain bundle, and the labels of views beside it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from core.recipe import FieldError, LabelledViews, Learnable, Recipe, RecipeError, SoftLabels

if TYPE_CHECKING:
    from core.data import DatasetFacts

_UNITS: Final = {"b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "kib": 1024, "mib": 1024**2, "gib": 1024**3}
_WRITTEN: Final = re.compile(r"(\d{1,12}(?:\.\d{1,6})?) ?([kmg]?i?b)", re.ASCII | re.IGNORECASE)
_ARRAY: Final = 400
"""Bytes of an array's head and its places in the archive, at most."""
_TEXT: Final = 4
"""Bytes of a character."""


def bytes_of(text: str) -> int:
    """The bytes that a size means: "200 kB", "1.5 MB", "64 KiB", "900 B".

    Raises:
        ValueError: it is written in another form.
    """
    parts = _WRITTEN.fullmatch(text.strip())
    if parts is None or parts[2].lower() not in _UNITS:
        raise ValueError("A size is a number and a unit: '900 B', '200 kB' or '1.5 MB'.")
    return int(float(parts[1]) * _UNITS[parts[2].lower()])


def weight(recipe: Recipe, facts: DatasetFacts, ipc: int) -> int:
    """Bytes of `dataset.npz` with everything that learning from it takes, and of the labels of views; hardly too many.

    Pixels have 8 bits, and nothing is compressed. Classes are indices of 8 bytes; soft labels and targets are floats.
    """
    n, classes, evaluation = ipc * recipe.parameterize.formation * facts.classes, facts.classes, recipe.evaluation
    names = _TEXT * classes * max(map(len, facts.class_names), default=1)
    found = n * math.prod(facts.shape) + 8 * n + names + 3 * _ARRAY
    if recipe.regresses or isinstance(recipe.labels, Learnable) or isinstance(recipe.relabel, SoftLabels):
        found += 4 * n * classes + _ARRAY
    if isinstance(recipe.relabel, LabelledViews):
        found += recipe.relabel.size(n, evaluation.epochs, evaluation.batch_size, classes)
    if recipe.parameterize.update < 1:
        found += n + _ARRAY
    if (stages := recipe.schedule.stages.count) > 1:
        found += 8 * (n + stages) + 2 * _ARRAY
    return found


def ipc_within(size: int, facts: DatasetFacts, recipe: Callable[[int], Recipe]) -> int:
    """The most images per class whose set takes no more than so many bytes.

    Args:
        recipe: of so many images per class.

    Raises:
        RecipeError: one image per class takes more; the fix names the bytes that it takes.
    """
    least = weight(recipe(1), facts, 1)
    if least > size:
        told = f"A set of one image per class takes {least:,} bytes: pixels, labels and names."
        raise RecipeError([FieldError("bytes", told, f"Set bytes to at least '{least} B'.")])
    low, high = 1, facts.smallest_class // recipe(1).parameterize.formation + 1
    while high - low > 1:
        middle = (low + high) // 2
        fits = weight(recipe(middle), facts, middle) <= size
        low, high = (middle, high) if fits else (low, middle)
    return low
