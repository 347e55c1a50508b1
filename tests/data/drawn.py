"""Drawn pictures of 28 x 28 grey pixels, of which a mirrored one is another thing, or the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tests.data.bundles import Arrays

Picture = NDArray[np.uint8]
Draw = Callable[[np.random.Generator], Picture]


def arrow_left(rng: np.random.Generator) -> Picture:
    """An arrow to the left, at any place."""
    image = _ground(rng)
    y, x = rng.integers(10, 18), rng.integers(6, 12)
    image[y - 1 : y + 2, x : x + 11] = 220
    for k in range(6):
        image[y - k : y + k + 1, x + k] = 220
    return image


def arrow_right(rng: np.random.Generator) -> Picture:
    """An arrow to the right."""
    return arrow_left(rng)[:, ::-1]


def letter_b(rng: np.random.Generator) -> Picture:
    """A stem with a ring at its foot, to the right of it."""
    image, (y, x, r) = _ground(rng), rng.integers((15, 10, 3), (19, 15, 6))
    rows, columns = np.mgrid[:28, :28]
    apart = np.hypot(rows - y, columns - x)
    image[(apart < r + 1) & (apart > r - 1)] = 230
    image[y - 2 * r - 2 : y + r, x - r - 1 : x - r + 1] = 230
    return image


def letter_d(rng: np.random.Generator) -> Picture:
    """The ring on the left."""
    return letter_b(rng)[:, ::-1]


def disc(rng: np.random.Generator) -> Picture:
    """A disc."""
    image, (y, x, r) = _ground(rng), rng.integers((10, 10, 4), (18, 18, 8))
    rows, columns = np.mgrid[:28, :28]
    image[np.hypot(rows - y, columns - x) < r] = 200
    return image


def cross(rng: np.random.Generator) -> Picture:
    """An upright cross."""
    image, (y, x, r) = _ground(rng), rng.integers((10, 10, 4), (18, 18, 8))
    image[y - r : y + r, x - 1 : x + 2] = 200
    image[y - 1 : y + 2, x - r : x + r] = 200
    return image


def square(rng: np.random.Generator) -> Picture:
    """A square."""
    image, (y, x, r) = _ground(rng), rng.integers((10, 10, 4), (18, 18, 8))
    image[y - r : y + r, x - r : x + r] = 200
    return image


def bundle(kinds: Sequence[Draw], per_class: int, seed: int = 0, tests: int = 4) -> Arrays:
    """So many training pictures of each kind, and a few test pictures."""
    rng = np.random.default_rng(seed)
    arrays: Arrays = {"class_names": np.array([kind.__name__ for kind in kinds])}
    for split, count in (("train", per_class), ("test", tests)):
        labels = np.arange(count * len(kinds), dtype=np.int64) % len(kinds)
        arrays[f"x_{split}"] = np.stack([kinds[label](rng) for label in labels])
        arrays[f"y_{split}"] = labels
    return arrays


def _ground(rng: np.random.Generator) -> Picture:
    return rng.integers(0, 40, (28, 28)).astype(np.uint8)
