"""Pictures of the synthetic images on their way, so that they can be watched: few, small, and of the same places."""

from __future__ import annotations

import io
import math
from typing import Final, final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.engine import distill
from core.engine.distill import State
from worker.engine.bench import Bench

COUNT: Final = 24
"""Pictures of a job, at most, beside the first one; they are evenly spaced."""

_CLASSES = 10
_ROWS = 10
_TILE = 32  # pixels of an image's longer side
_PIXELS = 1 << 15  # of a picture: about 100 kB where they are noise


@final
class Pictures:
    """Takes a picture every so many steps, writes it beside the job and says so on the channel."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._total = bench.job.recipe.schedule.total_steps
        self._every = max(1, math.ceil(self._total / COUNT))

    def at(self, state: State) -> None:
        """Take a picture, if it is time to."""
        if state.step % self._every and state.step != self._total:
            return
        bench = self._bench
        result = distill.finish(bench.job.recipe, state, bench.real, bench.job.request.ipc)
        picture = sheet(result.transform.inverse(result.images).cpu().numpy(), result.labels.cpu().numpy())
        path = bench.folder.pictures / f"{bench.folder.attempt}-{state.step}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(picture)
        bench.channel.preview(state.step, path.name)


def sheet(pixels: NDArray[np.uint8], labels: NDArray[np.int64]) -> bytes:
    """Images uint8 [n, C, H, W] as a PNG: a column a class, in it the class's first images.

    Every picture of a job shows the same images at the same places, at their own size or, if large, shrunk.
    """
    height, width = pixels.shape[2:]
    shrink = min(1.0, _TILE / max(height, width))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    room = max(1, _PIXELS // (size[0] * size[1]))
    classes = np.unique(labels)[: min(_CLASSES, room)]
    rows = min(_ROWS, room // len(classes), int(np.bincount(labels).max()))
    canvas = Image.new("RGBA", (len(classes) * (size[0] + 1) - 1, rows * (size[1] + 1) - 1))
    for column, label in enumerate(classes):
        for row, index in enumerate(np.flatnonzero(labels == label)[:rows]):
            image = pixels[index][0] if pixels.shape[1] == 1 else pixels[index].transpose(1, 2, 0)
            tile = Image.fromarray(image).convert("RGBA")
            canvas.paste(tile if shrink == 1.0 else tile.resize(size), (column * (size[0] + 1), row * (size[1] + 1)))
    file = io.BytesIO()
    canvas.save(file, "PNG", optimize=True)
    return file.getvalue()
