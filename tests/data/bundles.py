"""Small real bundles, cut from the embedded digits, sound and broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.digits import digits

Arrays = dict[str, NDArray[Any]]


def sound(per_class: int = 12, colour: bool = False) -> Arrays:
    """The first digits of each class as a bundle; in colour, three shades of the same."""
    source = digits()
    arrays: Arrays = {"class_names": np.array(["zero", "one", "two", *"3456789"])}
    for split, images in (("train", source.train), ("test", source.test)):
        index = np.concatenate([np.flatnonzero(images.labels == c)[:per_class] for c in range(10)])
        pixels = images.images[index, 0]
        arrays[f"x_{split}"] = np.stack([pixels, pixels // 2, 255 - pixels], axis=-1) if colour else pixels
        arrays[f"y_{split}"] = images.labels[index]
    return arrays


def place(folder: Path, name: str, arrays: Arrays) -> Path:
    """Save `arrays` as `folder/<name>.npz`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]  # the keyword allow_pickle is not among them
    return path
