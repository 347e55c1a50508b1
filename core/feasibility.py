"""Requests that a dataset cannot serve: images too small for a network, and regressions that memory does not hold."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from core.architectures import least_side, reads
from core.recipe import (
    Architecture,
    Crops,
    FieldError,
    Generated,
    LabelledViews,
    Network,
    Recipe,
    RecipeError,
    share,
)

if TYPE_CHECKING:
    from core.data import DatasetFacts

MAX_LOGITS = 500_000_000
"""Most logits of labelled views: a gigabyte in half precision."""
MAX_IMAGES = 8192
"""Synthetic images of which every two are compared: half a gigabyte of float64."""
MAX_PIXELS = 4096
"""Pixels of which every two are compared."""

_ANY = {
    "mlp": "'mlp', which reads any image and has neither depth nor norm",
    "resnet18": "'resnet18', which reads any image and has no depth",
}


def taken(recipe: Recipe, ipc: int, facts: DatasetFacts) -> list[tuple[int, int]]:
    """The images that a set takes of each class, and how many there are: where it takes as many, of the smallest."""
    if recipe.share == "equal":
        return [(ipc, facts.smallest_class)]
    return list(zip(share.counts(recipe.share, ipc, facts.sizes), facts.sizes, strict=True))


def most_ipc(recipe: Recipe, facts: DatasetFacts) -> int:
    """The images per class of a set that has all there are: by the smallest class, in proportion by the mean one."""
    return facts.smallest_class if recipe.share == "equal" else facts.mean_class


def illegible(recipe: Recipe, facts: DatasetFacts) -> list[FieldError]:
    """Why the dataset's images are too small for a network of the recipe."""
    found = [("network", recipe.network, "mlp")]
    if recipe.teacher:
        matched = recipe.objective.needs_teacher  # of which an MLP has none
        found.append(("teacher.network", recipe.teacher.network, "resnet18" if matched else "mlp"))
    listed = [(f"evaluation.across.{place}", each) for place, each in enumerate(recipe.evaluation.across)]
    return [
        *(error for path, network, other in found for error in _unread(path, network, facts, other)),
        *(error for path, network in listed for error in _unread(path, network, facts, None)),
    ]


def _unread(path: str, network: Architecture, facts: DatasetFacts, other: str | None) -> Iterator[FieldError]:
    """The network's error, if it has one; `other` is the kind that reads any image, None for one of a list."""
    if reads(network, facts.shape):
        return
    (channels, height, width), field = facts.shape, f"overrides.{path}"
    side, least = min(height, width), least_side(network, channels)
    if isinstance(network, Network) and side >= 2:
        depth = f"{path}.depth" if other else "its depth"
        told = f"{network.depth} poolings leave nothing of a {side}-pixel image."
        yield FieldError(f"{field}.depth", told, f"Set {depth} to at most {side.bit_length() - 1}.")
        return
    told = f"'{network.kind}' reads images of at least {least} x {least} pixels, and these have {height} x {width}."
    if network.norm == "instance" and reads(network.model_copy(update={"norm": "batch"}), facts.shape):
        told = f"Images of {height} x {width} pixels end in maps of one pixel, of which instance norm leaves nothing."
        norm = f"{path}.norm" if other else "its norm"
        yield FieldError(f"{field}.norm", told, f"Set {norm} to 'batch'.")
    elif other is None:
        yield FieldError(field, told, "Leave it out of evaluation.across, or ask for 'mlp', which reads any image.")
    elif side < 2:
        yield FieldError(f"{field}.kind", told, f"Set {path}.kind to {_ANY[other]}.")
    else:
        yield FieldError(f"{field}.kind", told, f"Set {path}.kind to 'convnet', or take larger images.")


def unsolvable(recipe: Recipe, ipc: int, facts: DatasetFacts) -> list[FieldError]:
    """Why the recipe's regression cannot be solved for so many images a class, with what to do about it."""
    if not recipe.regresses and not recipe.objective.regresses:
        return []
    images, pixels = (
        ipc * facts.classes * recipe.parameterize.formation,
        facts.shape[0] * facts.shape[1] * facts.shape[2],
    )
    errors = []
    if images > MAX_IMAGES:
        most = MAX_IMAGES // (facts.classes * recipe.parameterize.formation)
        told = f"{images:,} images would be compared two by two, which takes more memory than there is for it."
        fix = f"Set ipc to at most {most}." if most else "Take method 'random'."
        errors.append(FieldError("ipc", told, fix))
    if recipe.labels.for_pixels and pixels > MAX_PIXELS:
        told = f"{pixels:,} values of an image would be compared two by two, more than the {MAX_PIXELS:,} that fit."
        fix = "Take method 'random', or a dataset of smaller images."
        errors.append(FieldError("overrides.labels.features", told, fix))
    return errors


def source(recipe: Recipe) -> str | None:
    """The other dataset that a recipe's generator is meta-trained on, if there is one."""
    return recipe.init.source if isinstance(recipe.init, Generated) else None


def sourced(recipe: Recipe, origin: DatasetFacts, facts: DatasetFacts) -> Recipe:
    """The recipe with name and digest of its generator's source, so that another source is another request.

    Raises:
        RecipeError: the source has other channels than the dataset or images too small for the network that is to
            learn from both, or is not the one the recipe names.
    """
    assert isinstance(recipe.init, Generated), "a recipe that names a source has a generator"
    if origin.shape[0] != facts.shape[0]:
        told = f"A generator for images of {origin.shape[0]} channels cannot be adapted to images of {facts.shape[0]}."
        fix = "Name a source with as many channels, or set init.source to null to meta-train on the dataset itself."
        raise RecipeError([FieldError("overrides.init.source", told, fix)])
    if not reads(recipe.network, origin.shape):
        side, least = min(origin.shape[1:]), least_side(recipe.network, origin.shape[0])
        told = f"The network reads images of at least {least} pixels, and those of '{origin.label}' have {side}."
        fix = "Name a source of larger images, or set init.source to null to meta-train on the dataset itself."
        raise RecipeError([FieldError("overrides.init.source", told, fix)])
    if recipe.init.digest not in (None, origin.digest):
        told = f"The source '{origin.label}' is another one by now: {origin.digest}."
        fix = "Put the file back that this digest was taken of, or leave the digest out."
        raise RecipeError([FieldError("overrides.init.digest", told, fix)])
    named = recipe.init.model_copy(update={"source": origin.name, "digest": origin.digest})
    return recipe.model_copy(update={"init": named})


def of_one_class(facts: DatasetFacts) -> list[FieldError]:
    """Why images of a single class teach nothing."""
    if facts.classes > 1:
        return []
    return [
        FieldError(
            "dataset",
            "Its images are of one class: networks have nothing to tell apart, and any set trains them to 100 %.",
            "Take a dataset of two classes or more.",
        )
    ]


def untileable(recipe: Recipe, facts: DatasetFacts) -> list[FieldError]:
    """Why images cannot be cut into the recipe's tiles."""
    tiles, (height, width) = recipe.parameterize, facts.shape[1:]
    if height % tiles.factor == 0 and width % tiles.factor == 0:
        return []
    fit = [str(factor) for factor in range(2, 9) if height % factor == 0 and width % factor == 0]
    return [
        FieldError(
            "overrides.parameterize.factor",
            f"Images of {height} x {width} pixels cannot be cut into {tiles.factor} x {tiles.factor} equal tiles.",
            f"Set parameterize.factor to {' or '.join(fit)}." if fit else "Set parameterize.kind to 'pixels'.",
        )
    ]


def uncuttable(recipe: Recipe, ipc: int, facts: DatasetFacts) -> list[FieldError]:
    """Why images cannot be put together of parts of others."""
    if not isinstance(recipe.init, Crops):
        return []
    factor, (height, width) = recipe.init.factor, facts.shape[1:]
    if height % factor or width % factor:
        fit = [str(n) for n in range(1, 9) if height % n == 0 and width % n == 0]
        return [
            FieldError(
                "overrides.init.factor",
                f"Images of {height} x {width} pixels do not hold {factor} x {factor} equal parts.",
                f"Set init.factor to {' or '.join(fit)}.",
            )
        ]
    short = [(wanted, size) for wanted, size in taken(recipe, ipc, facts) if wanted * factor**2 > size]
    if not short:
        return []
    wanted, size = min(short, key=lambda each: each[1] / each[0])
    return [
        FieldError(
            "overrides.init.factor",
            f"{wanted} x {factor} x {factor} parts take as many images, and the smallest class of "
            f"'{facts.label}' has {size}.",
            f"Set ipc to at most {size // factor**2}, or init.factor to 1."
            if recipe.share == "equal"
            else "Set init.factor to 1, or lower ipc.",
        )
    ]


def too_many_labels(recipe: Recipe, ipc: int, facts: DatasetFacts) -> list[FieldError]:
    """Why the labels of views are more than a result may hold."""
    if not isinstance(recipe.relabel, LabelledViews):
        return []
    images, evaluation = ipc * facts.classes * recipe.parameterize.formation, recipe.evaluation
    epochs = max(evaluation.epochs, recipe.rounds.epochs if recipe.rounds else 0)
    records, size = recipe.relabel.stored(images, epochs, evaluation.batch_size)
    each = recipe.relabel.logits(facts.classes)
    logits = records * size * each
    if logits <= MAX_LOGITS:
        return []
    most = math.floor(1000 * recipe.relabel.keep * MAX_LOGITS / logits) / 1000
    return [
        FieldError(
            "overrides.relabel.keep",
            f"{records * size:,} labelled views of {each} logits each exceed the {MAX_LOGITS:,} logits of one result.",
            f"Set relabel.keep to at most {most:g}, or relabel.kind to 'soft'."
            if most
            else "Set relabel.kind to 'soft'.",
        )
    ]
