"""Which networks of a recipe nothing of the dataset's images would reach, with what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from core.layers import least_side, reads
from core.recipe import Architecture, FieldError, Network, Recipe, Statistics

if TYPE_CHECKING:
    from core.data import DatasetFacts

_ANY = {
    "mlp": "'mlp', which reads any image and has neither depth nor norm",
    "resnet18": "'resnet18', which reads any image and has no depth",
}


def illegible(recipe: Recipe, facts: DatasetFacts) -> list[FieldError]:
    """Why the dataset's images are too small for a network of the recipe."""
    found = [("network", recipe.network, "mlp")]
    if recipe.teacher:
        matched = isinstance(recipe.objective, Statistics)  # of which an MLP has none
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
