"""coverage.png and its words: the share of easy and of hard test images near the images, beside random ones."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from PIL import Image, ImageDraw

from core.artifacts.distilled import Distilled
from core.artifacts.lettering import FINE, FRAME, INK, PAPER, QUIET, length, write

_MARGIN, _LEFT, _TOP, _WIDTH, _HEIGHT, _BOTTOM = 28, 52, 132, 620, 340, 152
_TITLE, _TEXT, _SMALL = 24, 15, 13

_COLOURS = {"easy": (31, 111, 139), "hard": (196, 84, 38)}


class _Stroke(NamedTuple):
    words: str
    width: float
    dash: tuple[float, float] | None
    """Pixels drawn and pixels left out."""


_SETS = {
    "distilled": _Stroke("these images", 2.5, None),
    "random": _Stroke("as many random ones", 1.75, (7, 5)),
    "full": _Stroke("all training images", 1.5, (1.5, 4)),
}

Point = tuple[float, float]


def words(coverage: Mapping[str, Any]) -> str:
    """The card's text about the coverage."""
    sets = {row["name"]: row for row in coverage["sets"]}
    table = ["| near one of | images | easy test images | hard test images |", "| --- | ---: | ---: | ---: |"]
    table += [
        f"| {stroke.words} | {sets[name]['images']:,} | {_share(sets[name], 'easy')} | {_share(sets[name], 'hard')} |"
        for name, stroke in _SETS.items()
        if name in sets
    ]
    explained = (
        "The share of test images that lie near one of a set, in what a network trained on all training images "
        f"(`{coverage['network']}`) makes of them: no farther than a training image lies from its nearest neighbour on "
        "average. Easy and hard are the halves of the test split in which that network, while it learned, gave its "
        "images' classes more and less probability. Reconstructed from SelMatch's analysis, whose radius and network "
        "could not be verified, so that only differences between the rows mean anything; the picture has other radii."
    )
    if (draws := sets.get("random", {}).get("draws", 1)) > 1:
        explained += f" Random images are {draws} draws, mean ± std."
    return "\n".join(table) + f"\n\n{explained}"


def chart(result: Distilled) -> Image.Image:
    """Share of the test images covered against the radius, for both halves and every set."""
    coverage = result.report["coverage"]
    curves, canvas = coverage["curves"], _canvas(result)
    end = curves["multiples"][-1]

    def at(multiple: float, share: float) -> Point:
        return _MARGIN + _LEFT + _WIDTH * multiple / end, _TOP + _HEIGHT * (1 - share)

    _axes(canvas, end, at)
    for column, (half, colour) in enumerate(_COLOURS.items()):
        mask = Image.new("L", (canvas.width * FINE, canvas.height * FINE))
        for row, (name, stroke) in enumerate(_SETS.items()):
            _line(mask, [at(*point) for point in zip(curves["multiples"], curves[name][half], strict=True)], stroke)
            left, top = _MARGIN + _LEFT + column * _WIDTH // 2, _TOP + _HEIGHT + 74 + 22 * row
            _line(mask, [(left, top), (left + 34, top)], stroke)
            write(canvas, (left + 44, top), f"{half} half, {stroke.words}", _SMALL, INK, "lm")
        canvas.paste(colour, mask=mask.resize(canvas.size, Image.Resampling.BOX))
    return canvas


def _share(row: Mapping[str, Any], half: str) -> str:
    spread = row.get(f"{half}_std")
    return f"{100 * row[half]:.1f}{'' if spread is None else f' ± {100 * spread:.1f}'} %"


def _canvas(result: Distilled) -> Image.Image:
    title = f"{result.facts.label} · {len(result.labels):,} images · {result.request.get('method', 'distilled')}"
    width = max(2 * _MARGIN + _LEFT + _WIDTH, int(2 * _MARGIN + length(title, _TITLE)) + 1)
    canvas = Image.new("RGB", (width, _TOP + _HEIGHT + _BOTTOM), PAPER)
    write(canvas, (_MARGIN, _MARGIN), title, _TITLE, INK)
    write(canvas, (_MARGIN, _MARGIN + 34), "share of test images within a radius of an image of the set", _TEXT, QUIET)
    return canvas


def _axes(canvas: Image.Image, end: float, at: Callable[[float, float], Point]) -> None:
    pen = ImageDraw.Draw(canvas)
    for tenths in range(0, 11, 2):
        left, top = at(0, tenths / 10)
        pen.line((left, top, left + _WIDTH, top), fill=FRAME)
        write(canvas, (int(left) - 10, round(top)), f"{10 * tenths} %", _SMALL, QUIET, "rm")
    step = 0.5 if end <= 4 else 1.0 if end <= 10 else 5.0 if end <= 50 else 50.0
    for place in range(int(end / step) + 1):
        left, top = at(place * step, 0)
        write(canvas, (round(left), round(top) + 8), f"{place * step:g}", _SMALL, QUIET, "ma")
    foot, head = at(1, 0), at(1, 1)
    pen.line((*head, *foot), fill=QUIET)
    write(canvas, (round(head[0]), round(head[1]) - 6), "radius of the report", _SMALL, QUIET, "ms")
    middle = (round(_MARGIN + _LEFT + _WIDTH / 2), round(foot[1]) + 30)
    write(canvas, middle, "radius, in mean distances between neighbouring training images", _SMALL, QUIET, "ma")


def _line(mask: Image.Image, points: Sequence[Point], stroke: _Stroke) -> None:
    pen = ImageDraw.Draw(mask)
    for piece in _pieces(points, stroke.dash):
        fine = [(x * FINE, y * FINE) for x, y in piece]
        pen.line(fine, fill=255, width=round(stroke.width * FINE), joint="curve")


def _pieces(points: Sequence[Point], dash: tuple[float, float] | None) -> list[list[Point]]:
    """The dashes of a line."""
    if dash is None:
        return [list(points)]
    pieces: list[list[Point]] = []
    drawn, left = True, dash[0]
    piece = [points[0]]
    for (x, y), (u, v) in itertools.pairwise(points):
        span, done = ((u - x) ** 2 + (v - y) ** 2) ** 0.5, 0.0
        while span - done > left:
            done += left
            there = (x + (u - x) * done / span, y + (v - y) * done / span)
            if drawn:
                pieces.append([*piece, there])
            drawn = not drawn
            piece, left = [there], dash[0] if drawn else dash[1]
        left -= span - done
        piece.append((u, v))
    return [*pieces, piece] if drawn and len(piece) > 1 else pieces
