"""The compact file of an artifact: images and labels in few bits, with all that learning from them takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.artifacts.arrays import save_tensors
from core.artifacts.distilled import Distilled
from core.compact import label_codes, packed_labels, packed_pixels
from core.recipe import Compact, Recipe
from core.weight import layout


def write_compact(path: Path, result: Distilled, stored: NDArray[np.uint8]) -> None:
    """`dataset.compact.safetensors`, of as many bytes as `core.weight` says."""
    recipe = Recipe.model_validate(result.recipe)
    assert isinstance(recipe.storage, Compact), "pixels are rounded where the recipe stores them so"
    planned = layout(recipe, result.facts, len(stored) // result.facts.classes)
    given = _arrays(result, stored, recipe.storage)
    save_tensors(path, {name: given[name].astype(kind) for name, (kind, _) in planned.arrays.items()}, planned.about)


def _arrays(result: Distilled, stored: NDArray[np.uint8], storage: Compact) -> dict[str, NDArray[Any]]:
    """All that a compact file may have, of which each kind of result has some."""
    rates = result.step_sizes or (() if result.step_size is None else (result.step_size,))
    found: dict[str, NDArray[Any]] = {
        "pixels": packed_pixels(stored, storage.bits),
        "labels": result.labels,
        "real": np.packbits(result.real),
        "step_sizes": np.array(rates, dtype=np.float64),
    }
    found |= {
        name: np.asarray(result.transform[name]) for name in ("mean", "std", "whiten") if name in result.transform
    }
    for name, array in (("stage", result.stage), ("regression_targets", result.regression_targets)):
        found |= {} if array is None else {name: array}
    if result.soft_labels is not None:
        places, codes = label_codes(result.soft_labels, storage)
        found["soft_labels"] = packed_labels(codes, storage.label_bits)
        found |= {} if places is None else {"soft_classes": places}
    return found
