"""Which networks of a recipe nothing of the dataset's images would reach, with what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from core.layers import least_side, reads
from core.recipe import Architecture, FieldError, Network, Recipe

if TYPE_CHECKING:
    from core.data import DatasetFacts


def illegible(recipe: Recipe, facts: DatasetFacts) -> list[FieldError]:
    """Why the dataset's images are too small for a network of the recipe."""
    found = [("network", recipe.network), *([("teacher.network", recipe.teacher.network)] if recipe.teacher else [])]
    listed = [(f"evaluation.across.{place}", each) for place, each in enumerate(recipe.evaluation.across)]
    return [
        *(error for path, network in found for error in _unread(path, network, facts, listed=False)),
        *(error for path, network in listed for error in _unread(path, network, facts, listed=True)),
    ]


def _unread(path: str, network: Architecture, facts: DatasetFacts, *, listed: bool) -> Iterator[FieldError]:
    if reads(network, facts.shape):
        return
    (channels, height, width), field = facts.shape, f"overrides.{path}"
    side, least = min(height, width), least_side(network, channels)
    if isinstance(network, Network):
        depth = f"{path}.depth" if not listed else "its depth"
        told = f"{network.depth} poolings leave nothing of a {side}-pixel image."
        yield FieldError(f"{field}.depth", told, f"Set {depth} to at most {side.bit_length() - 1}.")
        return
    told = f"'{network.kind}' reads images of at least {least} x {least} pixels, and these have {height} x {width}."
    if network.norm == "instance" and reads(network.model_copy(update={"norm": "batch"}), facts.shape):
        told = f"Images of {height} x {width} pixels end in maps of one pixel, of which instance norm leaves nothing."
        norm = f"{path}.norm" if not listed else "its norm"
        yield FieldError(f"{field}.norm", told, f"Set {norm} to 'batch'.")
    elif listed:
        yield FieldError(field, told, "Leave it out of evaluation.across, or ask for 'mlp', which reads any image.")
    else:
        yield FieldError(f"{field}.kind", told, f"Set {path}.kind to 'convnet', or take larger images.")
