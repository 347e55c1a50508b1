"""Round ticks, thinned series, and words for people who cannot see a plot."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dashboard.charts import POINTS, Level, Plot, Series, ticks

VALUES = st.floats(-1e6, 1e6).map(lambda value: round(value, 6))


@given(VALUES, VALUES)
def test_ticks_are_round_even_and_hold_what_they_measure(one: float, other: float) -> None:
    low, high = sorted((one, other))
    found = ticks(low, high)
    step = found[1] - found[0]
    slack = 1e-8 * max(1.0, abs(low), abs(high))
    assert found[0] <= low + slack
    assert found[-1] >= high - slack
    assert 2 <= len(found) <= 7
    assert all(math.isclose(b - a, step, rel_tol=1e-5, abs_tol=1e-9) for a, b in pairwise(found))
    mantissa = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert any(math.isclose(mantissa, each, rel_tol=1e-4) for each in (1, 2, 2.5, 5, 10))


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_plot_of_values_however_small_is_drawn(one: float, other: float) -> None:
    """A learned rate may fall to 1e-24 and stay there."""
    plot = Plot("p", "Rate", "step", "Rate", (Series.of("run", [(1, one), (2, other), (3, other)]),))
    assert len(set(plot.y.ticks)) == len(plot.y.ticks) > 1
    assert plot.path(plot.series[0]).count("L") == 2
    assert plot.said()


@pytest.mark.parametrize(("low", "high", "expected"), [(0, 80, (0, 20, 40, 60, 80)), (3, 3, (1, 2, 3, 4, 5))])
def test_ticks_of_known_spans(low: float, high: float, expected: tuple[float, ...]) -> None:
    assert ticks(low, high) == expected


def test_a_series_is_sorted_finite_and_thinned_with_its_end() -> None:
    points = [(float(step), 1.0 / (step + 1)) for step in range(1000)]
    series = Series.of("loss", [*reversed(points), (5000.0, math.nan)])
    assert len(series.points) <= POINTS + 1
    assert series.points[0] == points[0]
    assert series.points[-1] == points[-1]
    assert Series.of("again", [(1, 0.5), (1, 0.7)]).points == ((1, 0.7),), "a resumed attempt says a step anew"


def test_a_plot_says_what_it_shows() -> None:
    plot = Plot("p", "Accuracy", "outer step", "Accuracy", (Series.of("run", [(0, 0.2), (100, 0.8)]),), percent=True)
    assert plot.said() == "Accuracy over outer step. run: from 20 % at 0 to 80 % at 100."
    assert plot.path(plot.series[0]) == "M0 100L100 0"
    assert plot.rows() == [(0, [0.2]), (100, [0.8])]
    single = Plot("s", "Loss", "outer step", "Loss", (Series.of("run", [(5, 18.7)]),))
    assert single.path(single.series[0]).endswith("h2"), (
        "a point is drawn as a short line: a line to nowhere is not seen"
    )
    assert single.said() == "Loss over outer step. run: 18.7 at 5."
    empty = Plot("e", "Loss", "outer step", "Loss", (Series.of("run", []),))
    assert empty.path(empty.series[0]) == ""
    assert "No points yet" in empty.said()


def test_levels_are_within_the_axis_and_said() -> None:
    points = Series.of("run", [(0, 0.2), (100, 0.4)])
    plot = Plot("p", "Accuracy", "step", "Accuracy", (points,), True, levels=(Level("everything", 0.9, "full"),))
    assert plot.y.last >= 0.9
    assert plot.said() == "Accuracy over step. run: from 20 % at 0 to 40 % at 100; everything: 90 %."
