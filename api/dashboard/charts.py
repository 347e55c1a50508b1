"""Curves, scatters and bars as inline SVG: drawn on the server, so that they are there without a script.

A plot is stretched to whatever room there is, and its labels are text of the page beside it: so it can be read at any
width. The script `chart.js` draws the same plot from the same table as points arrive, with the same `ticks`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, final

Point = tuple[float, float]

POINTS: Final = 240
"""Most points of a series that are drawn; of more, every so many."""

_INTERVALS: Final = 4
_NEAR: Final = 3.0  # of 100
_FINEST: Final = 1e-12
_LEAST: Final = 1e-300


@final
@dataclass(frozen=True)
class Series:
    """A named line: points (x, y) by x; a single dot may have a short label and reach over an interval of y."""

    name: str
    points: tuple[Point, ...]
    label: str = ""
    reach: tuple[float, float] | None = None

    @classmethod
    def of(cls, name: str, points: Sequence[Point]) -> Series:
        """The finite points, in order, thinned to `POINTS`, the last one always among them."""
        finite = sorted({x: y for x, y in points if math.isfinite(x) and math.isfinite(y)}.items())
        stride = math.ceil(len(finite) / POINTS) or 1
        kept = finite[::stride]
        if finite and kept[-1] != finite[-1]:
            kept.append(finite[-1])
        return cls(name, tuple(kept))


@final
@dataclass(frozen=True)
class Level:
    """A reference for the lines of a chart: the same value at every x."""

    name: str
    value: float
    kind: str
    """How it is drawn: `random` or `full`."""


@final
@dataclass(frozen=True)
class Axis:
    """One axis: where its ticks are, evenly, from its beginning to its end."""

    ticks: tuple[float, ...]

    @property
    def first(self) -> float:
        """Where it begins."""
        return self.ticks[0]

    @property
    def last(self) -> float:
        """Where it ends."""
        return self.ticks[-1]

    def place(self, value: float) -> float:
        """A value's place from 0 to 100."""
        return round(100 * (value - self.first) / (self.last - self.first), 2)


@final
@dataclass(frozen=True)
class Plot:
    """A chart of one or more series, ready for the template `plot`."""

    id: str
    title: str
    x_name: str
    y_name: str
    series: tuple[Series, ...]
    percent: bool = False
    """Whether y are shares of 1, shown in percent."""
    dots: bool = False
    """Whether the points are drawn alone, without a line between them."""
    levels: tuple[Level, ...] = ()
    x: Axis = field(init=False)
    y: Axis = field(init=False)

    def __post_init__(self) -> None:
        xs = [x for each in self.series for x, _ in each.points] or [0.0, 1.0]
        ys = [y for each in self.series for _, y in each.points] or [0.0, 1.0]
        ys += [each.value for each in self.levels]
        ys += [end for each in self.series for end in each.reach or ()]
        object.__setattr__(self, "x", Axis(ticks(0.0 if min(xs) >= 0 else min(xs), max(xs))))
        object.__setattr__(self, "y", Axis(ticks(min(ys), max(ys))))

    @property
    def drawn(self) -> list[Series]:
        """The series that have points; where none has, all."""
        return [each for each in self.series if each.points] or list(self.series)

    def path(self, series: Series) -> str:
        """The line of a series as the `d` of an SVG path in a square of 100; a short one for a single point."""
        if len(series.points) == 1:
            (x, y) = series.points[0]
            return f"M{self.x.place(x) - 1:g} {100 - self.y.place(y):g}h2"
        places = [f"{self.x.place(x):g} {100 - self.y.place(y):g}" for x, y in series.points]
        return ("M" + "L".join(places)) if places else ""

    def crowd(self, series: Series) -> int:
        """How many dots before this one stand at nearly the same x, and are to be drawn beside each other."""
        before = self.series[: self.series.index(series)]
        return sum(abs(self.x.place(each.points[0][0]) - self.x.place(series.points[0][0])) < _NEAR for each in before)

    def written(self, y: float) -> str:
        """A y value as the axis writes it."""
        return f"{100 * y:.{_digits(self.y, 100)}f} %" if self.percent else short(y, _digits(self.y))

    def said(self) -> str:
        """The plot in words, for people who cannot see it."""
        told = []
        for each in self.series:
            if each.points:
                (first, begin), (last, end) = each.points[0], each.points[-1]
                start = f"from {self.written(begin)} at {short(first)} to " if first != last else ""
                told.append(f"{each.name}: {start}{self.written(end)} at {short(last)}")
        told += [f"{each.name}: {self.written(each.value)}" for each in self.levels]
        return f"{self.y_name} over {self.x_name}. " + ("; ".join(told) if told else "No points yet") + "."

    def rows(self) -> list[tuple[float, list[float | None]]]:
        """The points as a table: x, and y of every series where it has one."""
        columns = [dict(each.points) for each in self.drawn]
        return [(x, [column.get(x) for column in columns]) for x in sorted({x for column in columns for x in column})]


def ticks(low: float, high: float) -> tuple[float, ...]:
    """Round values at equal distances, the first at or below `low`, the last at or above `high`, about five of them."""
    low, high = (0.0 if abs(value) < _LEAST else value for value in (low, high))
    if high - low < _FINEST * max(1.0, abs(high)):
        low, high = (low - abs(low) / 2, high + abs(high) / 2) if low else (0.0, 1.0)
    rough = (high - low) / _INTERVALS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(each * power for each in (1, 2, 2.5, 5, 10) if each * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    digits = max(12, 12 - math.floor(math.log10(step)))  # a rate that collapsed to 1e-24 has ticks as well
    return tuple(round(place * step, digits) for place in range(first, last + 1))


def short(value: float, digits: int | None = None) -> str:
    """A number in few characters: `20,000`, `0.125`, `3e-06`."""
    if value and abs(value) < 1e-4:
        return f"{value:.3g}"
    if digits is not None:
        return f"{value:,.{digits}f}"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}"


def _digits(axis: Axis, factor: float = 1.0) -> int:
    """Decimals that tell two ticks apart, and one tenth of their distance."""
    step = factor * (axis.last - axis.first) / (len(axis.ticks) - 1)
    return max(0, min(6, 1 - math.floor(math.log10(step)) if step < 10 else 0))
