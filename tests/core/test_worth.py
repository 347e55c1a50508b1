"""Intervals, shares of a gap, and classes of unequal size."""

from __future__ import annotations

import pytest

from core import worth
from core.report import Majority


def line(mean: float, reach: float, seeds: int = 5) -> worth.Interval:
    """A line whose 95 % interval is `mean` +- `reach`."""
    std = reach * seeds**0.5 / worth.quantile(seeds - 1) if seeds > 1 else 0.0
    return worth.Interval.over(mean, std, seeds)


@pytest.mark.parametrize(("freedom", "expected"), [(1, 12.706), (4, 2.776), (20, 2.086), (100, 1.984)])
def test_quantiles_are_those_of_the_tables(freedom: int, expected: float) -> None:
    assert worth.quantile(freedom) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize(
    ("distilled", "random", "full", "share"),
    [
        ((0.924, 0.017), (0.671, 0.045), (0.988, 0.005), 0.798),  # digits, as the README shows it
        ((0.62, 0.01), (0.6, 0.005), (1.0, 0.0), 0.05),
    ],
)
def test_a_share_is_said_where_all_three_are_apart(
    distilled: tuple[float, float], random: tuple[float, float], full: tuple[float, float], share: float
) -> None:
    found = worth.gap({"distilled": line(*distilled), "random": line(*random), "full": line(*full)})
    assert found.share == pytest.approx(share, abs=1e-3)
    assert found.reason is None


@pytest.mark.parametrize(
    ("distilled", "random", "full", "reason"),
    [
        ((0.355, 0.05), (0.325, 0.03), (0.345, 0.572), "random images (29.5 to 35.5 %) and of the full training set"),
        (
            (0.98, 0.01),
            (0.6, 0.05),
            (0.985, 0.01),
            "As good as the full training set (97.5 to 99.5 %) within the spread.",
        ),
        ((0.99, 0.001), (0.6, 0.05), (0.9, 0.01), "Better than the reference on the full training set"),
        ((0.62, 0.05), (0.6, 0.05), (0.99, 0.01), "No better than random images (55.0 to 65.0 %) within the spread."),
        ((0.3, 0.05), (0.6, 0.05), (0.99, 0.01), "Worse than random images"),
        ((0.8, 0.4), (0.6, 0.05), (0.99, 0.01), "reaches from random images (55.0 to 65.0 %) to the full training set"),
        ((0.8, 0.01), (0.6, 0.01), (0.5, 0.01), "no better than random images"),
    ],
)
def test_where_a_share_would_mean_nothing_a_sentence_says_so(
    distilled: tuple[float, float], random: tuple[float, float], full: tuple[float, float], reason: str
) -> None:
    found = worth.gap({"distilled": line(*distilled), "random": line(*random), "full": line(*full)})
    assert found.share is None
    assert reason in str(found.reason)


def test_one_network_a_line_has_no_spread() -> None:
    found = worth.gap({"distilled": line(0.9, 0, 1), "random": line(0.6, 0, 1), "full": line(1.0, 0, 1)})
    assert found.share is None
    assert "evaluation.seeds" in str(found.reason)


def test_without_a_reference_there_is_no_gap() -> None:
    found = worth.gap({"distilled": line(0.9, 0.01), "random": line(0.6, 0.01)})
    assert found == worth.Gap(
        None, "No reference on the full training set was trained, so there is no gap to close a share of."
    )


@pytest.mark.parametrize(("counts", "unequal"), [((36, 35, 37), False), ((90, 10), True), ((5, 5, 0), True)])
def test_the_largest_class_and_whether_it_is_larger(counts: tuple[int, ...], unequal: bool) -> None:
    found = Majority.of(["a", "b", "c"], counts)
    assert (found.name, found.unequal) == ("abc"[counts.index(max(counts))], unequal)
    assert found.share == pytest.approx(max(counts) / sum(counts))


def test_classes_count_alike_in_a_balance_if_they_are_tested() -> None:
    assert worth.balanced([1.0, 0.5, 0.0], [90, 10, 0]) == 0.75
