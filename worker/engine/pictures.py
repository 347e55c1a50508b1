"""Pictures of the synthetic images on their way, so that they can be watched: few, small, and of the same places."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from core.artifacts.preview import png
from core.data.facts import Values
from core.data.plots import HEIGHT, WIDTH, plotted, standardised
from core.engine.journal import Journal
from core.engine.synthetic import SyntheticDataset
from core.report import Pair
from worker.protocol import JobFolder

COUNT: Final = 24
"""Pictures of a job, at most, beside the first one; they are evenly spaced."""

_CLASSES = 10
_APART = 4  # pixels between two pairs of pictures
_ROWS = 10
_TILE = 32  # pixels of an image's longer side; plots are twice as wide
_PIXELS = 1 << 15  # of a picture: about 100 kB where they are noise


@final
@dataclass(frozen=True)
class Pictures:
    """Takes a picture every so many steps, writes it beside the job and says so in its journal."""

    folder: JobFolder
    journal: Journal

    def at(self, step: int, total: int, result: Callable[[], SyntheticDataset]) -> None:
        """Take a picture of a result, if it is time to."""
        if step % max(1, math.ceil(total / COUNT)) and step != total:
            return
        made = result()
        labels = made.labels.cpu().numpy()
        shown = _first(labels)
        images = made.images[torch.from_numpy(shown).to(made.images.device)]
        seen = made.transform.inverse(images).cpu().numpy() if made.transform.pixels else plotted(images.cpu().numpy())
        picture = sheet(seen, labels[shown])
        self.journal.say({"type": "preview", "step": step, "path": self._write(str(step), picture)})

    def neighbours(self, pixels: Values, real: Values, found: Sequence[Pair]) -> None:
        """Take a picture of synthetic images beside the real ones nearest to them."""
        if pixels.dtype == np.uint8 and real.dtype == np.uint8:
            picture = pairs(pixels.astype(np.uint8, copy=False), real.astype(np.uint8, copy=False), found)
        else:
            picture = _plotted_pairs(pixels.astype(np.float32), real.astype(np.float32), found)
        name = self._write("neighbours", picture)
        self.journal.say({"type": "neighbours", "path": name})

    def _write(self, name: str, picture: bytes) -> str:
        path = self.folder.pictures / f"{self.folder.attempt}-{name}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(picture)
        return path.name


def sheet(pixels: NDArray[np.uint8], labels: NDArray[np.int64]) -> bytes:
    """Images uint8 [n, C, H, W] as a PNG: a column a class, in it the class's first images.

    Every picture of a job shows the same images at the same places, at their own size or, if large, shrunk.
    """
    size = _size(pixels)
    room = max(1, _PIXELS // (size[0] * size[1]))
    classes = np.unique(labels)[: min(_CLASSES, room)]
    rows = min(_ROWS, room // len(classes), int(np.bincount(labels).max()))
    canvas = Image.new("RGBA", (len(classes) * (size[0] + 1) - 1, rows * (size[1] + 1) - 1))
    for column, label in enumerate(classes):
        for row, index in enumerate(np.flatnonzero(labels == label)[:rows]):
            canvas.paste(_tile(pixels[index], size), (column * (size[0] + 1), row * (size[1] + 1)))
    return png(canvas)


def pairs(pixels: NDArray[np.uint8], real: NDArray[np.uint8], found: Sequence[Pair]) -> bytes:
    """Synthetic images uint8 [n, C, H, W], below each the one of `real` [N, C, H, W] nearest to it, as a PNG.

    A column a class; of more classes than there is room for those with the nearest images. `found` are the pairs of a
    report, by class.
    """
    size = _size(pixels)
    by_class: dict[str, list[Pair]] = {}
    for pair in found:
        by_class.setdefault(pair.class_name, []).append(pair)
    chosen = sorted(by_class, key=lambda name: min(pair.distance for pair in by_class[name]))[:_CLASSES]
    columns = [each for name, each in by_class.items() if name in chosen]
    across, down = size[0] + _APART, 2 * size[1] + 1 + _APART
    canvas = Image.new("RGBA", (len(columns) * across - _APART, max(map(len, columns)) * down - _APART))
    for column, each in enumerate(columns):
        for row, pair in enumerate(each):
            canvas.paste(_tile(pixels[pair.image], size), (column * across, row * down))
            canvas.paste(_tile(real[pair.nearest], size), (column * across, row * down + size[1] + 1))
    return png(canvas)


def _first(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places of the examples that a picture may show."""
    return np.sort(np.concatenate([np.flatnonzero(labels == label)[:_ROWS] for label in np.unique(labels)[:_CLASSES]]))


def _plotted_pairs(values: NDArray[np.float32], real: NDArray[np.float32], found: Sequence[Pair]) -> bytes:
    """The same picture as `pairs` of rows or series: of those alone that it may show plots are drawn."""
    made = plotted(standardised(values[[pair.image for pair in found]], real))
    near = plotted(standardised(real[[pair.nearest for pair in found]], real))
    at = [pair.model_copy(update={"image": place, "nearest": place}) for place, pair in enumerate(found)]
    return pairs(made, near, at)


def _size(pixels: NDArray[np.uint8]) -> tuple[int, int]:
    """Width and height of images in a picture: their own or, if large, shrunk."""
    height, width = pixels.shape[2:]
    shrink = min(1.0, (2 * _TILE if (width, height) == (WIDTH, HEIGHT) else _TILE) / max(height, width))
    return max(1, round(width * shrink)), max(1, round(height * shrink))


def _tile(pixels: NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    tile = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)).convert("RGBA")
    return tile if tile.size == size else tile.resize(size)
