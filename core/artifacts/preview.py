"""preview.png: the synthetic images at a readable size, labelled by class, under a line that says what they are."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from core.artifacts.distilled import Distilled
from core.artifacts.grid import arrange
from core.artifacts.lettering import FRAME, INK, PAPER, QUIET, length, write
from core.data.plots import plotted, standardised
from core.nouns import worded
from core.report import Report

_MARGIN = 28
_TITLE, _TEXT, _SMALL = 24, 15, 13


def preview(result: Distilled) -> Image.Image:
    """The picture of a finished job, titled with dataset, images per class, method and, if known, its accuracy."""
    title = f"{result.facts.label} · {result.size} · {result.request.get('method', 'distilled')}"
    worth = worded(_worth(result.report), result.facts.kind)
    return draw(pictures(result), result.labels, result.facts.class_names, title, worth)


def pictures(result: Distilled) -> NDArray[np.uint8]:
    """The images uint8 [n, C, H, W]; of rows and series plots of them."""
    if result.facts.kind == "pictures":
        return result.pixels.astype(np.uint8, copy=False)
    whitened = result.transform["kind"] == "mean_std"
    return plotted(result.images if whitened else standardised(result.images, result.images))


def png(picture: Image.Image) -> bytes:
    """A picture as a PNG file, as small as it gets."""
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def draw(
    pixels: NDArray[np.uint8],
    labels: NDArray[np.int64],
    class_names: Sequence[str],
    title: str,
    subtitle: str = "",
) -> Image.Image:
    """Draw images uint8 [n, C, H, W] as a labelled grid; what does not fit is left out, and the picture says so."""
    names = [_legible(name, label) for label, name in enumerate(class_names)]
    height, width = pixels.shape[2:]
    grid = arrange(labels, names, (width, height), lambda text: length(text, _SMALL))
    lines = [line for line in ((title, _TITLE, INK, 34), (subtitle, _TEXT, QUIET, 24)) if line[0]]
    header, footer = sum(line[3] for line in lines) + 14, 30 if grid.omitted else 0
    broadest = max(grid.size[0], *(math.ceil(length(text, size)) for text, size, _, _ in lines))
    canvas = Image.new("RGB", (broadest + 2 * _MARGIN, header + grid.size[1] + footer + 2 * _MARGIN), PAPER)
    top = _MARGIN
    for text, size, colour, step in lines:
        write(canvas, (_MARGIN, top), text, size, colour)
        top += step
    pen, top = ImageDraw.Draw(canvas), _MARGIN + header
    for tile in grid.tiles:
        left, upper = _MARGIN + tile.left, top + tile.top
        pen.rectangle((left - 1, upper - 1, left + grid.tile_size[0], upper + grid.tile_size[1]), outline=FRAME)
        canvas.paste(_enlarge(pixels[tile.index], grid.tile_size), (left, upper))
    for label in grid.labels:
        text = _shortened(label.text, label.width, _SMALL)
        write(canvas, (_MARGIN + label.x, top + label.y), text, _SMALL, INK, label.anchor)
    if grid.omitted:
        write(canvas, (_MARGIN, top + grid.size[1] + 14), grid.omitted, _SMALL, QUIET)
    return canvas


def _enlarge(image: NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    picture = Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0)).convert("RGB")
    smooth = size[0] < picture.width
    return picture.resize(size, Image.Resampling.LANCZOS if smooth else Image.Resampling.NEAREST)


def _legible(name: str, label: int) -> str:
    # The built-in font has Latin letters only; and of a list of synonyms the first is enough.
    name = name.split(",")[0].replace("_", " ").strip()
    return name if name and all(ord(letter) < 0x180 for letter in name) else f"class {label}"


def _shortened(text: str, width: float, size: int) -> str:
    if length(text, size) <= width:
        return text
    while text and length(text + "…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def _worth(report: Report) -> str:
    """The accuracy the images give, next to random images and to all of them, as far as the report says."""
    lines = report.lines
    parts = [
        f"{lines[name].accuracy.text} from {words}"
        for name, words in (("distilled", "these images"), ("random", "random ones"), ("full", "all data"))
        if name in lines
    ]
    return f"test accuracy: {', '.join(parts)}" if "distilled" in lines else ""
