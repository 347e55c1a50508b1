"""The decisions of a search for the smallest set, on simulated learning curves."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import numpy as np
import pytest

from core.plan.sizing import Attempt, Sizing, best, bracket, needed, next_probe

NOISE = 0.012  # a network's standard deviation
LONGER = 0.01  # accuracy that a trial with more of the time gains


def curve(top: float, fall: float, power: float) -> Callable[[int], float]:
    return lambda ipc: top - fall * ipc**-power


def search(asked: Sizing, accuracy: Callable[[int], float], rng: np.random.Generator) -> list[Attempt]:
    """Try sizes as the engine does; what reaches the target early takes half of its time."""
    tried: list[Attempt] = []
    while (probe := next_probe(asked, tried)) is not None:
        mean = accuracy(probe.ipc) + (LONGER if probe.longer else 0.0)
        looks = rng.normal(mean, NOISE, 3)
        validation = tuple(float(min(1.0, max(0.0, each))) for each in looks)
        reached = statistics.fmean(validation) >= asked.accuracy
        seconds = probe.seconds * (0.5 if reached and not probe.longer else 1.0)
        tried.append(
            Attempt(
                ipc=probe.ipc,
                longer=probe.longer,
                seconds=seconds,
                level=asked.accuracy,
                validation=validation,
                ranking=("dm",),
            )
        )
        assert len(tried) < 40, "it ends"
    return tried


def smallest(accuracy: Callable[[int], float], level: float, most: int) -> int:
    return next(ipc for ipc in range(1, most + 1) if accuracy(ipc) + LONGER >= level)


def found(level: float, accuracy: Callable[[int], float], begin: int, most: int) -> list[float]:
    """How many times the true smallest size the size found is, for each of forty searches."""
    true = smallest(accuracy, level, most)
    asked = Sizing(accuracy=level, begin=begin, largest=most, seconds=600)
    ratios = []
    for seed in range(40):
        tried = search(asked, accuracy, np.random.default_rng(seed))
        assert sum(each.seconds for each in tried) <= asked.seconds * 1.001
        ratios.append(tried[best(tried)].ipc / true)
    return ratios


DIGITS, FASHION, FLAT = curve(0.99, 0.45, 0.6), curve(0.93, 0.30, 0.35), curve(0.8, 0.5, 0.25)
CURVES = [
    ("digits", DIGITS, 0.70, 145),
    ("digits", DIGITS, 0.88, 145),
    ("digits", DIGITS, 0.95, 145),
    ("fashion", FASHION, 0.75, 5400),
    ("fashion", FASHION, 0.85, 5400),
    ("flat", FLAT, 0.45, 500),
    ("flat", FLAT, 0.6, 500),
]


@pytest.mark.parametrize("begin", [1, 10, 60])
def test_the_size_is_mostly_within_half_as_much_again_of_the_smallest(begin: int) -> None:
    """Curves of digits, of something harder and of something flat; forty searches each."""
    shares = {}
    for name, curve_, level, most in CURVES:
        true = smallest(curve_, level, most)
        ratios = found(level, curve_, begin, most)
        close = [1 / 1.5 <= each <= 1.5 or abs(each - 1) * true <= 1 for each in ratios]
        shares[name, level] = statistics.fmean(close)
    assert statistics.fmean(shares.values()) >= 0.9, shares
    assert min(shares.values()) >= 0.6, shares


def test_a_target_beyond_the_largest_size_ends_there_and_says_what_would_reach_it() -> None:
    asked = Sizing(accuracy=0.97, begin=10, largest=50, seconds=600)
    tried = search(asked, DIGITS, np.random.default_rng(0))
    assert max(each.ipc for each in tried) == 50
    assert not any(each.reached for each in tried)
    assert tried[best(tried)].ipc == 50
    would = needed(tried)
    assert would is not None
    expected, low, high = would
    assert low < expected < high
    assert 50 < expected < 400, "83 by the curve"


def test_a_target_that_one_image_reaches_needs_one() -> None:
    tried = search(Sizing(accuracy=0.4, begin=10, largest=50, seconds=600), DIGITS, np.random.default_rng(0))
    assert tried[best(tried)].ipc == 1
    assert bracket(tried) == (None, 1)


def test_a_share_of_the_gap_is_a_level_of_its_own_at_each_size() -> None:
    asked = Sizing(gap=0.5, begin=10, largest=50, seconds=600)
    assert asked.level(0.6, 0.9) == pytest.approx(0.75)
    assert asked.level(0.95, 0.9) == pytest.approx(0.95), "random images that do better than everything close all of it"


def test_without_time_there_is_one_trial_and_no_size_is_tried_for_ever() -> None:
    tried = [Attempt(ipc=10, seconds=700, level=0.9, validation=(0.5, 0.5))]
    assert next_probe(Sizing(accuracy=0.9, begin=10, largest=50, seconds=600), tried) is None
