"""Choices of a recipe that mean nothing for a kind of data: mirrored rows, tiles, networks of another kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from core.methods.catalogue import FOR_NUMBERS
from core.recipe import (
    Architecture,
    Columns,
    Compact,
    Crops,
    FieldError,
    Generated,
    Generative,
    LabelledViews,
    Linear,
    Mixed,
    Mlp,
    Recipe,
    SeriesConvNet,
    Statistics,
    Zca,
)

if TYPE_CHECKING:
    from core.data import DatasetFacts
    from core.data.facts import Kind

USUAL: Final[dict[Kind, str]] = {"pictures": "convnet", "vectors": "mlp", "series": "convnet-1d"}
"""The kind of network that a kind of data is distilled with."""

_NOUNS: Final[dict[Kind, str]] = {"pictures": "pictures", "vectors": "rows of a table", "series": "series"}


def unsuited(recipe: Recipe, facts: DatasetFacts) -> list[FieldError]:
    """Why a recipe means nothing for the dataset's kind of data, with what to do about it."""
    networks = list(_networks(recipe, facts.kind))
    if isinstance(recipe.storage, Columns) and facts.kind != "vectors":
        told = f"Columns are those of a table, and these are {_NOUNS[facts.kind]}."
        networks.append(FieldError("overrides.storage.kind", told, "Set storage.kind to 'exact'."))
    return networks if facts.kind == "pictures" else [*_of_pictures(recipe, facts.kind), *networks]


def reads_kind(network: Architecture, kind: Kind) -> bool:
    """Whether a network is one for that kind of data."""
    if isinstance(network, Mlp | Linear):
        return True
    return kind == ("series" if isinstance(network, SeriesConvNet) else "pictures")


def _of_pictures(recipe: Recipe, kind: Kind) -> Iterator[FieldError]:
    nouns = _NOUNS[kind]
    needs = {
        Statistics: "It recovers images by the statistics of convolutions' maps, from crops",
        Generative: "Its generator draws pictures",
        Crops: "It puts images together of parts of others",
        Mixed: "It puts several images into one",
        Generated: "Its generator makes images of images",
    }
    for part in (recipe.objective, recipe.init):
        if (why := needs.get(type(part))) is not None:
            yield FieldError("method", f"{why}, and these are {nouns}.", FOR_NUMBERS)
    if recipe.augment.transforms:
        told = f"'{recipe.augment.transforms[0]}' is a change to pictures, and these are {nouns}."
        yield FieldError("overrides.augment.transforms", told, "Set augment.transforms to [].")
    if recipe.evaluation.cutmix is not None:
        told = f"A box is cut out of pictures, and these are {nouns}."
        yield FieldError("overrides.evaluation.cutmix", told, "Set evaluation.cutmix to null.")
    if recipe.schedule.clamp:
        told = f"Black and white are values of a pixel, and these are {nouns}."
        yield FieldError("overrides.schedule.clamp", told, "Set schedule.clamp to false.")
    if isinstance(recipe.preprocess, Zca):
        told = f"Whitening is of pixels of one scale, and the numbers of {nouns} have scales of their own."
        yield FieldError("overrides.preprocess.kind", told, "Set preprocess.kind to 'mean_std'.")
    if recipe.parameterize.formation > 1:
        told = f"Tiles are cut out of pictures, and these are {nouns}."
        yield FieldError("overrides.parameterize.kind", told, "Set parameterize.kind to 'pixels'.")
    if isinstance(recipe.relabel, LabelledViews):
        told = f"Views are crops of pictures, and these are {nouns}."
        yield FieldError("overrides.relabel.kind", told, "Set relabel.kind to 'soft'.")
    if isinstance(recipe.storage, Compact):
        told = f"The compact file holds pixels from 0 to 255, and these are {nouns}."
        yield FieldError("overrides.storage.kind", told, "Set storage.kind to 'exact', and say 'ipc' and not 'bytes'.")


def _networks(recipe: Recipe, kind: Kind) -> Iterator[FieldError]:
    taught = [("teacher.network", recipe.teacher.network)] if recipe.teacher else []
    for path, network in (("network", recipe.network), *taught):
        if not reads_kind(network, kind):
            told = f"'{network.kind}' does not read {_NOUNS[kind]}."
            yield FieldError(f"overrides.{path}.kind", told, f"Set {path}.kind to '{USUAL[kind]}'.")
    for place, network in enumerate(recipe.evaluation.across):
        if not reads_kind(network, kind):
            told = f"'{network.kind}' does not read {_NOUNS[kind]}."
            fix = "Leave it out of evaluation.across, or ask for 'mlp' or 'linear'."
            yield FieldError(f"overrides.evaluation.across.{place}", told, fix)
