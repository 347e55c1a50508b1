"""The bytes of a distilled set in its compact file, and the form in which most of it fits into so many bytes."""

from __future__ import annotations

import math
import re
import sys
from bisect import bisect_right
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, final

from pydantic import JsonValue

from core.compact import Layout, index_type
from core.feasibility import most_ipc
from core.recipe import (
    Compact,
    Evaluation,
    FieldError,
    LabelledViews,
    Learnable,
    MeanStd,
    Recipe,
    RecipeError,
    SoftLabels,
    Zca,
)

if TYPE_CHECKING:
    from core.data import DatasetFacts

_UNITS: Final = {"b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "kib": 1024, "mib": 1024**2, "gib": 1024**3}
_WRITTEN: Final = re.compile(r"(\d{1,12}(?:\.\d{1,6})?) ?([kmg]?i?b)", re.ASCII | re.IGNORECASE)


def bytes_of(text: str) -> int:
    """The bytes that a size means: "200 kB", "1.5 MB", "64 KiB", "900 B".

    Raises:
        ValueError: it is written in another form.
    """
    parts = _WRITTEN.fullmatch(text.strip())
    if parts is None or parts[2].lower() not in _UNITS:
        raise ValueError("A size is a number and a unit: '900 B', '200 kB' or '1.5 MB'.")
    return int(Decimal(parts[1]) * _UNITS[parts[2].lower()])


Changes = dict[str, JsonValue]
"""Fields of a recipe that are changed, by path."""


@final
@dataclass(frozen=True)
class Option:
    """A way to store a set: what it changes of a recipe, by path, and the images per class from which it is taken."""

    changes: Changes
    least: int = 1


_ALL: Final = sys.maxsize
"""The images per class of an option that is taken only where it holds every image there may be."""

PIXELS: Final = (
    *(Option({"storage.bits": bits}, least=_ALL) for bits in (8, 6, 5, 4, 3)),
    Option({"storage.bits": 2}),
    Option({"storage.bits": 1}),
)
"""Bits of a value of a pixel, the most first: two, until there are no more images to hold.

Fewer bits leave room for more images. "Fewer bits or fewer images" of benchmarks/RESULTS.md says which is worth more.
"""

LABELS: Final = (
    Option({"storage.label_bits": 8}),
    Option({"storage.label_bits": 4}),
    Option({"storage.label_bits": 8, "storage.top": 10}),
    Option({"storage.label_bits": 8, "storage.top": 5}),
)
"""Forms of a soft label, the one that says most first."""

LABELS_SHARE: Final = 0.25
"""Share of the images' bytes that soft labels may take; else the form is taken that takes least."""

COMPACT: Final[Changes] = {"storage.kind": "compact"}
"""The change of every set of so many bytes."""

VIEWS: Final[tuple[Changes, ...]] = ({}, {"relabel.bits": 4}, {"relabel.kind": "soft"})
"""Forms of the labels of views: as the recipe has them, in fewer bits, and one label for all views of an image."""

WHITENING_SHARE: Final = 0.25
"""Share of the bytes that the matrix may take by which pixels are whitened; else they are standardised by channel."""

UNWHITENED: Final[Changes] = {"preprocess.kind": "mean_std"}
"""The change of a set in which whitening has no room."""


def layout(recipe: Recipe, facts: DatasetFacts, ipc: int) -> Layout:
    """The arrays of the compact file: all that learning from the images takes, and in its metadata how to read them."""
    storage, classes, each = recipe.storage, facts.classes, recipe.parameterize.formation
    assert isinstance(storage, Compact), "a recipe that has the set stored so"
    kept, number = ipc * classes, index_type(classes)
    n, values = kept * each, math.prod(facts.shape)
    found: dict[str, tuple[str, tuple[int, ...]]] = {
        "pixels": ("uint8", (-(-kept * values * storage.bits // 8),)),
        "labels": (number, (n,)),
    }
    if recipe.regresses:
        found["regression_targets"] = ("float16", (n, classes))
    elif isinstance(recipe.labels, Learnable) or isinstance(recipe.relabel, SoftLabels):
        shares, bits = storage.shares(classes), storage.label_bits
        found["soft_labels"] = ("uint16", (n * shares,)) if bits == 16 else ("uint8", (-(-n * shares * bits // 8),))
        if (own := storage.own(classes)) is not None:
            found["soft_classes"] = (number, (n, own))
    if _is_mixed(recipe):
        found["real"] = ("uint8", (-(-n // 8),))
    stages = recipe.schedule.stages.count
    if stages > 1:
        found["stage"] = ("uint8", (n,))
    if recipe.objective.unrolls:
        found["step_sizes"] = ("float64", (stages,))
    match recipe.preprocess:
        case MeanStd():
            found |= {"mean": ("float32", facts.shape[:1]), "std": ("float32", facts.shape[:1])}
        case Zca():
            found |= {"mean": ("float32", (values,)), "whiten": ("float32", (values, values))}
    about = {
        "schema_version": 2,  # 1 had no share of the classes beyond the top
        "bits": storage.bits,
        "class_names": list(facts.class_names),
        "factor": math.isqrt(each),
        "label_bits": storage.label_bits,
        "shape": [kept, *facts.shape],
        "transform": recipe.preprocess.kind,
    }
    return Layout(found, about)


def _is_mixed(recipe: Recipe) -> bool:
    """Whether some images of a set are real and others not, so that a reader cannot tell them by the recipe."""
    if recipe.rounds is None:
        return recipe.parameterize.update < 1
    return not recipe.objective.keeps_images or recipe.init.alters_images


def of_views(relabel: LabelledViews, images: int, evaluation: Evaluation, classes: int) -> Layout:
    """The arrays of the file with the labels of views."""
    records, size = relabel.stored(images, evaluation.epochs, evaluation.batch_size)
    count, own = relabel.logits(classes), relabel.own(classes)
    logits = {16: ("float16", count), 8: ("uint8", count), 4: ("uint8", -(-count // 2))}[relabel.bits]
    found: dict[str, tuple[str, tuple[int, ...]]] = {
        "index": ("uint16" if images <= 2**16 else "int32", (records, size)),
        "shift": ("int8", (records, size, 2)),
        "mirror": ("bool", (records, size)),
        "share": ("float32", (records,)),
        "box": ("int16", (records, 4)),
        "logits": (logits[0], (records, size, logits[1])),
    }
    if own is not None:
        found["top"] = (index_type(classes), (records, size, own))
    if relabel.bits < 16:
        found["range"] = ("float16", (records, size, 2))
    return Layout(found, {"schema_version": 1, "classes": classes, **relabel.model_dump(mode="json")})


def parts(recipe: Recipe, facts: DatasetFacts, ipc: int) -> dict[str, int]:
    """The bytes of a set by what they hold, which are all of `weight`."""
    found = layout(recipe, facts, ipc)

    def of(*names: str) -> int:
        return sum(map(found.bytes_of, names))

    each = {
        "images": of("pixels"),
        "labels": of("labels", "soft_labels", "soft_classes", "regression_targets"),
        "transform": of("mean", "std", "whiten"),
        "step_sizes": of("step_sizes"),
    }
    rest = found.size - sum(each.values())
    return each | {"labels": each["labels"] + weight(recipe, facts, ipc) - found.size, "rest": rest}


def weight(recipe: Recipe, facts: DatasetFacts, ipc: int) -> int:
    """Bytes of the files that hold a set with everything that learning from it takes: to the byte as they are written.

    These are the compact file and, where a teacher labelled views, the file of their labels.
    """
    found, relabel = layout(recipe, facts, ipc).size, recipe.relabel
    if isinstance(relabel, LabelledViews):
        images = ipc * recipe.parameterize.formation * facts.classes
        found += of_views(relabel, images, recipe.evaluation, facts.classes).size
    return found


@final
@dataclass(frozen=True)
class Fitted:
    """A set that fits: its images per class, and the changes of the recipe that store it so."""

    ipc: int
    changes: Changes


class Changed(Protocol):
    """The recipes of so many images per class with changes, where the client has not set them otherwise.

    One, or of a search one for each kind of labels that it may choose.
    """

    def __call__(self, ipc: int, changes: Changes) -> tuple[Recipe, ...]: ...


def fitted(size: int, facts: DatasetFacts, recipe: Changed, most: int) -> Fitted:
    """The most images per class that so many bytes hold, `most` at most, in the form that the options say.

    Raises:
        RecipeError: one image per class takes more in every form; the fix names the bytes that it takes.
    """

    def heaviest(ipc: int, changes: Changes) -> int:
        return max(weight(each, facts, ipc) for each in recipe(ipc, changes))

    needed = 0
    for views in _views(recipe):
        for option in PIXELS:
            changes = _form(size, facts, recipe, option, views)
            one = recipe(1, changes)[0]
            high = max(1, min(most_ipc(one, facts), most) // one.parameterize.formation)
            few = min(option.least, high)
            needed = heaviest(few, changes)
            if needed <= size:
                of = partial(heaviest, changes=changes)
                return Fitted(bisect_right(range(1, high + 1), size, lo=few, key=of), changes)
    told = f"A set of one image per class takes {needed:,} bytes: pixels, labels, names and what brings images to them."
    raise RecipeError([FieldError("bytes", told, f"Set bytes to at least '{needed} B'.")])


def _views(recipe: Changed) -> list[Changes]:
    """The forms of views' labels that a recipe may have."""
    if not recipe(1, COMPACT)[0].relabel.of_views:
        return [{}]
    return [changes for changes in VIEWS if _is_allowed(recipe, COMPACT | changes)]


def _form(size: int, facts: DatasetFacts, recipe: Changed, pixels: Option, more: Changes) -> Changes:
    """The changes of an option of pixels and `more`, with those of whitening and labels that go with it."""
    changes = COMPACT | more | pixels.changes
    if layout(recipe(1, changes)[0], facts, 1).bytes_of("whiten") > WHITENING_SHARE * size:
        changes = changes | (UNWHITENED if _is_allowed(recipe, changes | UNWHITENED) else {})

    def share(labels: Option) -> float:
        found = layout(recipe(1, changes | labels.changes)[0], facts, 1)
        return (found.bytes_of("soft_labels") + found.bytes_of("soft_classes")) / found.bytes_of("pixels")

    if not share(LABELS[0]):
        return changes
    small = next((option for option in LABELS if share(option) <= LABELS_SHARE), min(LABELS, key=share))
    return changes | small.changes


def _is_allowed(recipe: Changed, changes: Changes) -> bool:
    """Whether the recipe, and what the client has set of it, goes with changes."""
    with suppress(RecipeError):
        recipe(1, changes)
        return True
    return False
