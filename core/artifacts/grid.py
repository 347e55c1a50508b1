"""Where each image of a preview goes: pure arithmetic, no drawing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

MOST_TILES = 100
MOST_ROWS = 20
MOST_COLUMNS = 10
_BROADEST = 960
_WIDEST_LABEL = 150

Measure = Callable[[str], float]
"""Width in pixels of a label when written."""


@final
@dataclass(frozen=True)
class Tile:
    """One picture: image `index`, and its left upper corner in pixels."""

    index: int
    left: int
    top: int


@final
@dataclass(frozen=True)
class Label:
    """A class name of at most `width` pixels; `anchor` (as in Pillow) says which of its points lies at (x, y)."""

    text: str
    x: int
    y: int
    width: int
    anchor: str


@final
@dataclass(frozen=True)
class Grid:
    """Tiles and labels from the grid's own corner; all sizes are (width, height) in pixels."""

    tiles: tuple[Tile, ...]
    labels: tuple[Label, ...]
    tile_size: tuple[int, int]
    size: tuple[int, int]
    omitted: str
    """The parts that were left out, in words; empty if there are none."""


def arrange(labels: NDArray[np.int64], names: Sequence[str], image_size: tuple[int, int], measure: Measure) -> Grid:
    """Lay out images of class `labels` and (width, height) `image_size`; `names` are the classes' names.

    One image a class: the classes flow like text, each with its caption, at most 100 of them. More: every class is a
    row of at most 10, at most 20 rows in a block, and as many blocks side by side as are reasonably broad.
    """
    if np.bincount(labels).max() == 1:
        return _flow(labels, names, image_size)
    return _rows(labels, names, image_size, measure)


def _flow(labels: NDArray[np.int64], names: Sequence[str], image_size: tuple[int, int]) -> Grid:
    shown = min(len(labels), MOST_TILES)
    width, height = _tile_size(image_size, 128 if shown <= 20 else 72)
    columns = shown if shown <= 6 else 5 if shown <= 20 else 10
    across, down = max(width, 72) + 16, height + 34
    tiles, captions = [], []
    for place, index in enumerate(np.argsort(labels, kind="stable")[:shown]):
        left, top = place % columns * across, place // columns * down
        tiles.append(Tile(int(index), left, top))
        captions.append(Label(names[labels[index]], left + width // 2, top + height + 6, across - 6, "ma"))
    return Grid(
        tiles=tuple(tiles),
        labels=tuple(captions),
        tile_size=(width, height),
        size=(columns * across - 16, math.ceil(shown / columns) * down - 8),
        omitted=f"Shown: the first {shown} of {len(labels)} classes." if shown < len(labels) else "",
    )


def _rows(labels: NDArray[np.int64], names: Sequence[str], image_size: tuple[int, int], measure: Measure) -> Grid:
    present, most = np.unique(labels), int(np.bincount(labels).max())
    width, height = _tile_size(image_size, 64)
    columns = min(most, MOST_COLUMNS)
    label_width = min(_WIDEST_LABEL, math.ceil(max(measure(names[label]) for label in present))) + 12
    block = label_width + columns * (width + 6) - 6
    blocks = max(1, min((_BROADEST + 40) // (block + 40), math.ceil(len(present) / 5)))
    shown = present[: blocks * MOST_ROWS]
    rows = math.ceil(len(shown) / blocks)
    tiles, captions = [], []
    for place, label in enumerate(shown):
        left, top = place // rows * (block + 40), place % rows * (height + 6)
        captions.append(
            Label(names[label], left + label_width - 12, top + height // 2, label_width - 12, "rm"),
        )
        for column, index in enumerate(np.flatnonzero(labels == label)[:columns]):
            tiles.append(Tile(int(index), left + label_width + column * (width + 6), top))
    return Grid(
        tiles=tuple(tiles),
        labels=tuple(captions),
        tile_size=(width, height),
        size=(math.ceil(len(shown) / rows) * (block + 40) - 40, rows * (height + 6) - 6),
        omitted=_omitted(len(shown), len(present), columns, most),
    )


def _omitted(classes: int, all_classes: int, images: int, all_images: int) -> str:
    parts = [f"the first {classes} of {all_classes} classes"] if classes < all_classes else []
    if images < all_images:
        parts.append(f"{images} of {all_images} images per class")
    return f"Shown: {', '.join(parts)}." if parts else ""


def _tile_size(image_size: tuple[int, int], target: int) -> tuple[int, int]:
    """The image enlarged by a whole factor to about `target`, so that all its pixels stay equal, or shrunk to it."""
    width, height = image_size
    longest = max(width, height)
    scale = max(1, round(target / longest)) if longest <= 1.5 * target else target / longest
    return max(1, round(width * scale)), max(1, round(height * scale))
