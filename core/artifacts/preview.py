"""preview.png: the synthetic images at a readable size, labelled by class, under a line that says what they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from core.artifacts.distilled import Distilled
from core.artifacts.figures import percent

PAPER = (252, 251, 248)
INK = (32, 33, 36)
QUIET = (112, 114, 120)
FRAME = (218, 215, 207)

MOST_TILES = 100
MOST_ROWS = 20
MOST_COLUMNS = 10
_MARGIN = 28
_LABEL_WIDTH = 150
_LEAST_WIDTH = 560

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@final
@dataclass(frozen=True)
class Tile:
    """One picture of the grid: image `index`, its left upper corner in pixels, and the caption under it, if any."""

    index: int
    left: int
    top: int
    caption: str = ""


@final
@dataclass(frozen=True)
class Grid:
    """Where everything goes, measured from the grid's own corner; sizes in pixels."""

    tiles: tuple[Tile, ...]
    row_labels: tuple[tuple[str, int], ...]
    """(class name, vertical centre of its row)."""
    tile_size: tuple[int, int]
    """(width, height) of a tile."""
    size: tuple[int, int]
    omitted: str
    """What was left out, in words; empty if nothing was."""


def preview(result: Distilled) -> Image.Image:
    """The picture of a finished job, titled with dataset, images per class, method and, if known, its accuracy."""
    images = f"{result.ipc} image{'s' if result.ipc > 1 else ''} per class"
    title = f"{result.facts.name}, {images}, {result.request.get('method', 'distilled')}"
    return draw(result.pixels, result.labels, result.facts.class_names, title, _accuracy_line(result.report))


def draw(
    pixels: NDArray[np.uint8],
    labels: NDArray[np.int64],
    class_names: Sequence[str],
    title: str,
    subtitle: str = "",
) -> Image.Image:
    """Draw images uint8 [n, C, H, W] as a labelled grid.

    With one image a class the classes flow like text, each with its caption; with more, every class is a row. At
    most 100 tiles of the first kind and 20 rows of 10 of the second are drawn, and the picture says so.
    """
    grid = _flow(pixels, labels, class_names) if _one_each(labels) else _rows(pixels, labels, class_names)
    large, medium, small = _font(24), _font(15), _font(13)
    lines = [line for line in ((title, large, INK, 34), (subtitle, medium, QUIET, 24)) if line[0]]
    header = sum(line[3] for line in lines) + 16
    footer = 32 if grid.omitted else 0
    width = max(grid.size[0], _LEAST_WIDTH, *(math.ceil(_length(font, text)) for text, font, _, _ in lines))
    canvas = Image.new("RGB", (width + 2 * _MARGIN, header + grid.size[1] + footer + 2 * _MARGIN - 8), PAPER)
    pen = ImageDraw.Draw(canvas)
    top = _MARGIN - 4
    for text, font, colour, height in lines:
        pen.text((_MARGIN, top), text, fill=colour, font=font)
        top += height
    left, top = _MARGIN + (width - grid.size[0]) // 2, _MARGIN - 4 + header
    _draw_grid(canvas, pen, grid, pixels, (left, top), medium if not grid.row_labels else small)
    if grid.omitted:
        pen.text((_MARGIN, top + grid.size[1] + 14), grid.omitted, fill=QUIET, font=small)
    return canvas


def _flow(pixels: NDArray[np.uint8], labels: NDArray[np.int64], class_names: Sequence[str]) -> Grid:
    classes = len(labels)
    shown = min(classes, MOST_TILES)
    columns = _columns(shown)
    width, height = _tile_size(pixels, 112 if shown <= 20 else 72)
    across, down = max(width, 72) + 16, height + 34
    order = np.argsort(labels, kind="stable")[:shown]
    tiles = tuple(
        Tile(int(index), place % columns * across, place // columns * down, _name(class_names, int(labels[index])))
        for place, index in enumerate(order)
    )
    return Grid(
        tiles=tiles,
        row_labels=(),
        tile_size=(width, height),
        size=(columns * across - 16, math.ceil(shown / columns) * down - 10),
        omitted=f"Shown: the first {shown} of {classes} classes." if shown < classes else "",
    )


def _rows(pixels: NDArray[np.uint8], labels: NDArray[np.int64], class_names: Sequence[str]) -> Grid:
    present = np.unique(labels)
    shown, most = present[:MOST_ROWS], int(np.bincount(labels).max())
    width, height = _tile_size(pixels, 60)
    columns = min(most, MOST_COLUMNS)
    tiles, names = [], []
    for row, label in enumerate(shown):
        top = row * (height + 6)
        names.append((_name(class_names, int(label)), top + height // 2))
        for column, index in enumerate(np.flatnonzero(labels == label)[:columns]):
            tiles.append(Tile(int(index), _LABEL_WIDTH + column * (width + 6), top))
    parts = []
    if len(shown) < len(present):
        parts.append(f"the first {len(shown)} of {len(present)} classes")
    if columns < most:
        parts.append(f"{columns} of {most} images a class")
    return Grid(
        tiles=tuple(tiles),
        row_labels=tuple(names),
        tile_size=(width, height),
        size=(_LABEL_WIDTH + columns * (width + 6) - 6, len(shown) * (height + 6) - 6),
        omitted=f"Shown: {', '.join(parts)}." if parts else "",
    )


def _draw_grid(
    canvas: Image.Image,
    pen: ImageDraw.ImageDraw,
    grid: Grid,
    pixels: NDArray[np.uint8],
    corner: tuple[int, int],
    font: Font,
) -> None:
    left, top = corner
    width, height = grid.tile_size
    for tile in grid.tiles:
        x, y = left + tile.left, top + tile.top
        pen.rectangle((x - 1, y - 1, x + width, y + height), outline=FRAME)
        canvas.paste(_enlarge(pixels[tile.index], grid.tile_size), (x, y))
        if tile.caption:
            caption = _fit(tile.caption, font, max(width, 72) + 10)
            pen.text((x + width / 2, y + height + 5), caption, fill=INK, font=font, anchor="ma")
    for name, middle in grid.row_labels:
        text = _fit(name, font, _LABEL_WIDTH - 14)
        pen.text((left + _LABEL_WIDTH - 14, top + middle), text, fill=INK, font=font, anchor="rm")


def _enlarge(image: NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    picture = Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0)).convert("RGB")
    larger = size[0] >= picture.width
    return picture.resize(size, Image.Resampling.NEAREST if larger else Image.Resampling.LANCZOS)


def _tile_size(pixels: NDArray[np.uint8], target: int) -> tuple[int, int]:
    # Whole multiples keep every source pixel the same size; only pictures beyond the target are shrunk.
    height, width = pixels.shape[2:]
    longest = max(height, width)
    scale = round(target / longest) if longest <= target * 1.4 else target / longest
    scale = max(scale, 1) if longest <= target * 1.4 else scale
    return max(1, round(width * scale)), max(1, round(height * scale))


def _columns(tiles: int) -> int:
    if tiles <= 6:
        return tiles
    return 5 if tiles <= 15 else 10


def _one_each(labels: NDArray[np.int64]) -> bool:
    return int(np.bincount(labels).max()) == 1


def _name(class_names: Sequence[str], label: int) -> str:
    # The built-in font draws Latin letters; any other script would come out as boxes.
    name = class_names[label].replace("_", " ")
    return name if all(ord(letter) < 0x180 for letter in name) else f"class {label}"


def _fit(text: str, font: Font, width: float) -> str:
    if _length(font, text) <= width:
        return text
    while text and _length(font, text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


def _accuracy_line(report: Any) -> str:
    """What the images are worth, next to random images and to all of them, as far as the report says."""
    found = {row["name"]: row for row in report.get("results", [])}
    if "distilled" not in found:
        return ""
    text = f"a fresh network trained on them reaches {percent(found['distilled'])}"
    others = [
        f"{words} {percent(found[name])}"
        for name, words in (("random", "random images"), ("full", "the full data"))
        if name in found
    ]
    return f"{text}; {', '.join(others)}" if others else text


def _font(size: int) -> Font:
    return ImageFont.load_default(size)


def _length(font: Font, text: str) -> float:
    return font.getlength(text)
