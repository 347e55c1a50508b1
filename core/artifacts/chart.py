"""The chart of a report's section as a picture, for a card."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw

from core.artifacts.lettering import FINE, FRAME, INK, PAPER, QUIET, length, write
from core.report import Curves

_MARGIN, _LEFT, _TOP, _WIDTH, _HEIGHT, _BOTTOM = 28, 52, 132, 620, 340, 152
_TITLE, _TEXT, _SMALL = 24, 15, 13

_COLOURS = ((31, 111, 139), (196, 84, 38), (104, 86, 160))


class _Stroke(NamedTuple):
    width: float
    dash: tuple[float, float] | None
    """Pixels drawn and pixels left out."""


_STROKES = {"solid": _Stroke(2.5, None), "dashed": _Stroke(1.75, (7, 5)), "dotted": _Stroke(1.5, (1.5, 4))}

Point = tuple[float, float]


def chart(curves: Curves, title: str, shares: tuple[float, float] = (0.0, 1.0)) -> Image.Image:
    """Shares of 1 as lines, from the least to the largest that is shown, both whole tenths.

    Those of one colour have a column of the legend.
    """
    end, rows = max(x for each in curves.series for x, _ in each.points), [0] * len(_COLOURS)
    columns = max(2, 1 + max(each.colour for each in curves.series))
    canvas, (low, high) = _canvas(title, curves.title), shares

    def at(x: float, share: float) -> Point:
        return _MARGIN + _LEFT + _WIDTH * x / end, _TOP + _HEIGHT * (high - share) / (high - low)

    _axes(canvas, curves, end, shares, at)
    masks = [Image.new("L", (canvas.width * FINE, canvas.height * FINE)) for _ in _COLOURS]
    for series in curves.series:
        mask, stroke = masks[series.colour], _STROKES[series.stroke]
        _line(mask, [at(*point) for point in series.points], stroke)
        left = _MARGIN + _LEFT + series.colour * _WIDTH // columns
        top = _TOP + _HEIGHT + 74 + 22 * rows[series.colour]
        rows[series.colour] += 1
        _line(mask, [(left, top), (left + 34, top)], stroke)
        write(canvas, (left + 44, top), series.name, _SMALL, INK, "lm")
    for mask, colour in zip(masks, _COLOURS, strict=True):
        canvas.paste(colour, mask=mask.resize(canvas.size, Image.Resampling.BOX))
    return canvas


def _canvas(title: str, subtitle: str) -> Image.Image:
    width = max(2 * _MARGIN + _LEFT + _WIDTH, int(2 * _MARGIN + length(title, _TITLE)) + 1)
    canvas = Image.new("RGB", (width, _TOP + _HEIGHT + _BOTTOM), PAPER)
    write(canvas, (_MARGIN, _MARGIN), title, _TITLE, INK)
    write(canvas, (_MARGIN, _MARGIN + 34), subtitle, _TEXT, QUIET)
    return canvas


def _axes(
    canvas: Image.Image,
    curves: Curves,
    end: float,
    shares: tuple[float, float],
    at: Callable[[float, float], Point],
) -> None:
    pen, (low, high) = ImageDraw.Draw(canvas), (round(10 * share) for share in shares)
    for tenths in range(low, high + 1, 2 if high - low > 5 else 1):
        left, top = at(0, tenths / 10)
        pen.line((left, top, left + _WIDTH, top), fill=FRAME)
        write(canvas, (int(left) - 10, round(top)), f"{10 * tenths} %", _SMALL, QUIET, "rm")
    step = 0.5 if end <= 4 else 1.0 if end <= 10 else 5.0 if end <= 50 else 50.0
    for place in range(int(end / step) + 1):
        left, top = at(place * step, shares[0])
        write(canvas, (round(left), round(top) + 8), f"{place * step:g}", _SMALL, QUIET, "ma")
    if curves.mark is not None:
        x, words = curves.mark
        foot, head = at(x, shares[0]), at(x, shares[1])
        pen.line((*head, *foot), fill=QUIET)
        write(canvas, (round(head[0]), round(head[1]) - 6), words, _SMALL, QUIET, "ms")
    middle = (round(_MARGIN + _LEFT + _WIDTH / 2), round(at(0, shares[0])[1]) + 30)
    write(canvas, middle, curves.x_name, _SMALL, QUIET, "ma")


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
