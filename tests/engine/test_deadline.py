"""The time that is left of a job, on a clock of the test's own: what is kept free for later phases, and corrected."""

from __future__ import annotations

import pytest

from core.engine.deadline import Deadline, least_judging
from core.engine.journal import Journal

FORESEEN = {
    "preparing": 10.0,
    "training_experts": 100.0,
    "distilling": 200.0,
    "evaluating": 80.0,
    "publishing": 2.0,
}
LEAVING = 5.0
"""Seconds for publishing and for the end of the process."""


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def deadline(journal: Journal, clock: Clock, seconds: float = 500.0) -> Deadline:
    return Deadline(seconds, FORESEEN, journal, clock.now, clock)


def at(journal: Journal, phase: str, share: float = 0.0, **took: float) -> None:
    """The journal as it is in a phase, of which so much is done, after others took so long."""
    journal.phase, journal.share = phase, share
    journal.seconds = dict(took)


def test_what_has_to_follow_is_kept_free() -> None:
    journal, clock = Journal(), Clock()
    found = deadline(journal, clock)
    clock.now += 110
    at(journal, "distilling", preparing=10, training_experts=100)
    assert found.time_left() == pytest.approx(390 - LEAVING - 1.1 * 80)
    at(journal, "evaluating", preparing=10, training_experts=100, distilling=200, evaluating=80)
    clock.now += 280
    assert found.time_left() == pytest.approx(110 - LEAVING, abs=0.5), "its lines are done: all is for the reference"


def test_experts_leave_half_of_the_distilling() -> None:
    journal, clock = Journal(), Clock()
    found = deadline(journal, clock)
    at(journal, "training_experts", 0.5, preparing=10, training_experts=50)
    clock.now += 60
    assert found.time_left() == pytest.approx(440 - LEAVING - 1.1 * (100 + 80), abs=0.5)


def test_an_expert_is_gone_on_with_while_distilling_would_follow() -> None:
    journal, clock = Journal(), Clock()
    found = deadline(journal, clock, 400.0)
    clock.now += 110
    at(journal, "training_experts", 0.5, preparing=10, training_experts=100)  # at half of the speed that was foreseen
    assert found.time_left() == 0, "half of the distilling does not fit"
    assert found.grace() == pytest.approx(290 - LEAVING - 1.1 * 160 - 100, abs=0.1)
    clock.now += 20
    assert found.grace() == 0, "nothing but the evaluation would follow"


@pytest.mark.parametrize(("took", "times"), [(100.0, 1.0), (200.0, 2.0), (5.0, 0.7), (10_000.0, 3.0)])
def test_a_slow_machine_is_foreseen_to_stay_slow(took: float, times: float) -> None:
    journal, clock = Journal(), Clock()
    found = deadline(journal, clock, 20_000.0)
    at(journal, "distilling", preparing=10, training_experts=took)
    assert found.time_left() == pytest.approx(20_000 - LEAVING - 1.1 * times * 80, rel=1e-3)


def test_an_evaluation_lasts_as_many_times_as_long_as_networks_that_were_judged_before_it() -> None:
    journal, clock = Journal(), Clock()
    found = deadline(journal, clock, 2000.0)
    at(journal, "distilling", preparing=10, training_experts=100)
    journal.ahead["evaluating"] = 13.0
    assert found.time_left() == pytest.approx(2000 - LEAVING - 1.1 * 13 * 80)
    clock.now += 1000
    assert found.time_left() == 0, "what is left is for the evaluation"
    assert found.networks(5) == 4
    at(journal, "evaluating", preparing=10, training_experts=100, distilling=890)
    journal.ahead["evaluating"] = 0.5
    assert found.networks(5) == 5


def test_the_slow_beginning_of_a_phase_says_nothing() -> None:
    journal, clock = Journal(), Clock()
    found = deadline(journal, clock)
    at(journal, "training_experts", 0.2, preparing=10, training_experts=80)
    clock.now += 90
    assert found.time_left() == pytest.approx(410 - LEAVING - 1.1 * (100 + 80), abs=0.5)
    at(journal, "training_experts", 0.4, preparing=10, training_experts=80)
    assert found.time_left() == pytest.approx(410 - LEAVING - 1.1 * 2 * (100 + 80), abs=1)


def test_it_is_over_and_never_less_than_over() -> None:
    journal, clock = Journal(), Clock()
    found = deadline(journal, clock)
    at(journal, "distilling", preparing=10, training_experts=100)
    clock.now += 600
    assert found.time_left() == 0
    assert found.ending() == "It was to end within 500s."


def test_what_an_earlier_attempt_took_counts_with_its_checkpoint() -> None:
    journal, clock = Journal(), Clock()
    journal.seconds = {"preparing": 10.0, "training_experts": 100.0}
    assert deadline(journal, clock).time_left() + 110 == pytest.approx(deadline(Journal(), clock).time_left(), abs=0.5)


@pytest.mark.parametrize(
    ("seeds", "rates", "share"), [(1, 1, 1.0), (2, 3, 1.0), (3, 0, 2.2 / 3), (3, 3, 0.8), (5, 0, 0.64), (5, 3, 0.7)]
)
def test_a_slow_machine_judges_by_fewer_networks_before_it_distils_less(seeds: int, rates: int, share: float) -> None:
    """And by three in five of them at least, or by two, also where each look at the clock is a little late."""
    journal, clock = Journal(), Clock()
    judging = least_judging(seeds, rates)
    assert judging == pytest.approx(share)
    found = Deadline(2000, FORESEEN, journal, clock.now, clock, reference=100.0, judging=judging)
    at(journal, "distilling", preparing=10, training_experts=100)
    journal.ahead["evaluating"] = 2.0
    left = 2000 - LEAVING - 1.1 * 2 * 80
    assert found.time_left() == pytest.approx(2000 - LEAVING - 1.1 * max(1, 2 * share) * 80)
    assert found.spare() == pytest.approx(left - 110), "nor for steps beyond the plan"
    journal.ahead["evaluating"] = 1.1
    assert found.time_left() == pytest.approx(2000 - LEAVING - 1.1 * max(1, 1.1 * share) * 80)
    journal.ahead["evaluating"] = 2.0
    clock.now += found.time_left() + 0.5
    assert found.networks(seeds) >= (min(seeds, 2) if seeds < 5 else 3)
    if seeds == 5 and not rates:
        assert found.networks(seeds) == 3


@pytest.mark.parametrize(("left", "networks"), [(400.0, 5), (94.0, 5), (60.0, 3), (40.0, 2), (1.0, 2), (-50.0, 2)])
def test_fewer_networks_judge_where_there_is_no_time_for_more(left: float, networks: int) -> None:
    journal, clock = Journal(), Clock()
    found = deadline(journal, clock)
    at(journal, "distilling", preparing=10, training_experts=100)
    clock.now += 500 - left
    assert found.networks(5) == networks
    assert found.networks(1) == 1


@pytest.mark.parametrize(("took", "networks"), [(60.0, 5), (100.0, 4), (150.0, 2)])
def test_lines_that_take_longer_than_foreseen_leave_fewer_networks_to_the_next(took: float, networks: int) -> None:
    """As on a machine that others use, too, once the evaluation has begun."""
    journal, clock = Journal(), Clock()
    found = Deadline(200, {"preparing": 2.0, "evaluating": 90.0}, journal, clock.now, clock)
    at(journal, "evaluating", 0.0, preparing=2)
    assert found.networks(5) == 5
    clock.now += took
    at(journal, "evaluating", 0.5, preparing=2, evaluating=took)
    assert found.networks(5) == networks


def test_a_loop_goes_on_in_the_time_that_even_the_reference_does_not_need() -> None:
    journal, clock = Journal(), Clock()
    found = Deadline(900, FORESEEN, journal, clock.now, clock, reference=100.0)
    clock.now += 310
    at(journal, "distilling", 1.0, preparing=10, training_experts=100, distilling=200)
    assert found.time_left() == pytest.approx(590 - LEAVING - 1.1 * 80, abs=0.1)
    assert found.spare() == pytest.approx(590 - LEAVING - 1.1 * 180, abs=0.1)
    found.lengthen("distilling", 2.0)
    clock.now += 200
    at(journal, "distilling", 1.0, preparing=10, training_experts=100, distilling=400)
    assert found.spare() == pytest.approx(390 - LEAVING - 1.1 * 180, abs=0.1), "more steps make no machine slow"
    clock.now += 200
    assert (found.spare(), found.time_left()) == (0, pytest.approx(190 - LEAVING - 1.1 * 80, abs=0.1))


def test_a_job_without_a_time_has_all_there_is() -> None:
    found = Deadline(float("inf"), {}, Journal(), 0.0)
    assert (found.time_left(), found.networks(7)) == (float("inf"), 7)
