"""The decisions of a race: successive halving by shares of time, a function of the turns so far."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

import pytest

from core.methods import Task, method
from core.overrides import override
from core.plan.race import LOOKS, SHARES, Candidate, Entrants, Trial, best, further_turn, next_turn
from core.report import Race

TASK = Task("digits", 1, (1, 8, 8), 10, mirror=False)
REAL = ("random", "herding", "k-means")
MADE = ("dm", "dsa", "rat-bptt", "frepo", "mtt")


def entrants(*names: str, steps: int = 1000, setup: Mapping[str, float] = {}) -> Entrants:
    def candidate(name: str) -> Candidate:
        recipe = method(name).recipe(TASK)
        if name not in REAL:
            recipe = override(recipe, {"schedule.steps": steps})
        return Candidate(name=name, recipe=recipe, setup=setup.get(name, 0.0))

    return Entrants(candidates=tuple(map(candidate, names)), seconds=1000.0, epochs=10)


def run(
    race: Entrants, accuracy: Callable[[str, int], float | None], pace: int = 1, trials: Sequence[Trial] = ()
) -> list[Trial]:
    """Play a race to its end: a step a second and `pace`, no time to judge; no accuracy stands for divergence."""
    found = list(trials)
    steps = {candidate.name: candidate.steps for candidate in race.candidates}
    while turn := next_turn(race, found):
        before = max((trial.step for trial in found if trial.name == turn.name), default=0)
        taken = min(steps[turn.name] - before, int(turn.seconds * pace))
        value = accuracy(turn.name, turn.round)
        found.append(
            Trial(
                name=turn.name,
                round=turn.round,
                step=before + taken,
                seconds=taken / pace,
                validation=() if value is None else (value, value),
                fault="The loss was not finite." if value is None else None,
            )
        )
        assert len(found) < 100, "it ends"
    return found


def test_the_better_half_goes_on_and_the_rest_of_the_time_is_the_leaders() -> None:
    order = ("mtt", "dsa", "dm", "frepo", "rat-bptt")
    race = entrants("random", "herding", *MADE)
    trials = run(race, lambda name, _: 0.5 if name in REAL else 0.9 - order.index(name) / 10)
    rounds = [[trial.name for trial in trials if trial.round == each] for each in range(len(SHARES) + 1)]
    assert rounds[0] == ["random", "herding", *MADE], "in their order"
    assert rounds[1] == ["mtt", "dsa"], "half of five, rounded down"
    assert rounds[2] == ["mtt"] * LOOKS
    seconds = {name: sum(trial.seconds for trial in trials if trial.name == name) for name in MADE}
    assert seconds["dm"] == 1000 * SHARES[0] / 5
    assert seconds["dsa"] == seconds["dm"] + 1000 * SHARES[1] / 2
    assert 990 <= sum(seconds.values()) <= 1000, "all of it is used"
    assert trials[best(trials) or 0].name == "mtt"


def test_a_race_that_was_interrupted_goes_on_to_equal_decisions() -> None:
    race = entrants("random", "herding", *MADE)

    def accuracy(name: str, round_: int) -> float:
        return len(name) / 10 + round_ / 100

    whole = run(race, accuracy)
    for cut in range(len(whole)):
        assert run(race, accuracy, trials=whole[:cut]) == whole


def test_ties_are_decided_by_the_order_of_the_candidates_and_not_by_hashes() -> None:
    code = (
        "from tests.core.test_race import MADE, entrants, Trial, further_turn\n"
        "seconds = {'seconds': 20, 'validation': (0.5, 0.5)}\n"
        "trials = [Trial(name=name, round=0, step=40 * (name != 'random'), **seconds) for name in ('random', *MADE)]\n"
        "print(further_turn(entrants('random', *MADE), trials, 300.0).name)"
    )
    for seed in "4", "6", "8":  # with these another name than the first of the race has the first hash
        asked = os.environ | {"PYTHONHASHSEED": seed}
        told = subprocess.run([sys.executable, "-c", code], env=asked, capture_output=True, text=True, check=True)
        assert told.stdout.strip() == MADE[0]


def test_who_went_on_is_not_undone_by_what_came_later() -> None:
    first = {"dm": 0.9, "dsa": 0.8, "mtt": 0.7, "frepo": 0.6}
    second = {"dm": 0.1, "dsa": 0.85}
    trials = run(entrants("random", *first), lambda name, round_: (second if round_ else first).get(name, 0.5))
    assert [trial.name for trial in trials if trial.round == 1] == ["dm", "dsa"]
    assert {trial.name for trial in trials if trial.round == 2} == {"dsa"}


def test_on_a_slow_machine_the_leader_has_the_last_third_though_others_wait() -> None:
    race = entrants("random", "dm", "dsa", "mtt", "frepo")
    trials = [Trial(name="random", round=0, step=0, seconds=400, validation=(0.5, 0.5))]
    trials = run(race, lambda _, round_: 0.6, trials=[*trials, Trial(name="dm", round=0, step=5, seconds=300)])
    assert {trial.name for trial in trials} == {"random", "dm"}
    assert sum(trial.round == 2 for trial in trials) == LOOKS


@pytest.mark.parametrize(
    ("first", "last"),
    [
        # 20 minutes of Fashion-MNIST and of CIFAR-10, ten images a class: accuracies, steps and seconds as they were
        ({"dm": ((84, 0.788, 37), (220, 0.795, 54), (381, 0.80, 94)), "mtt": ((51, 0.786, 42),)}, "mtt"),
        ({"dm": ((38, 0.366, 38), (103, 0.373, 58)), "mtt": ((45, 0.447, 40), (68, 0.443, 58))}, "mtt"),
        ({"dm": ((84, 0.788, 37), (220, 0.795, 54), (381, 0.80, 94)), "mtt": ((51, 0.74, 42),)}, "dm"),
    ],
)
def test_the_rest_of_the_time_is_for_whatever_promises_most(
    first: Mapping[str, tuple[tuple[int, float, float], ...]], last: str
) -> None:
    race, base = entrants("random", "dm", "mtt", "dsa"), 0.73 if first["dm"][0][1] > 0.5 else 0.27
    trials = [Trial(name="random", round=0, step=0, seconds=10, validation=(base, base))]
    trials.append(Trial(name="dsa", round=0, step=20, seconds=300, before=260, validation=(base, base)))
    for name, looks in first.items():
        trials += [
            Trial(name=name, round=min(place, 2), step=step, seconds=seconds, validation=(accuracy, accuracy))
            for place, (step, accuracy, seconds) in enumerate(looks)
        ]
    turn = next_turn(race, trials)
    assert turn is not None
    assert (turn.name, turn.round) == (last, len(SHARES))


def test_time_that_is_left_in_the_end_is_for_one_more_turn() -> None:
    race = entrants("random", "dm", "dsa")
    trials = run(race, lambda name, round_: {"dm": 0.7}.get(name, 0.5) + round_ / 10)
    turn = further_turn(race, trials, 100.0)
    assert turn is not None
    assert (turn.name, turn.seconds, turn.round) == ("dm", 100.0, len(SHARES))
    assert further_turn(race, trials, 20.0) is None, "its judging would be the most of it"
    assert further_turn(entrants("random"), run(entrants("random"), lambda name, _: 0.5), 100.0) is None


def test_what_diverges_goes_no_further() -> None:
    race = entrants("random", "dm", "dsa", "mtt")

    def accuracy(name: str, round_: int) -> float | None:
        if name == "mtt":
            return None
        return {"random": 0.3, "dm": 0.7, "dsa": 0.6}[name]

    trials = run(race, accuracy)
    assert [trial.name for trial in trials if trial.round == 0] == ["random", "dm", "dsa", "mtt"]
    assert [trial.name for trial in trials if trial.round > 0] == ["dm"] * LOOKS


def test_a_leader_with_all_its_steps_ends_the_race_before_its_time() -> None:
    trials = run(entrants("random", "dm", "dsa", steps=60), lambda name, _: {"dm": 0.9}.get(name, 0.5))
    assert max(trial.step for trial in trials) == 60
    assert sum(trial.seconds for trial in trials) < 200


def missed(race: Entrants, name: str, *before: Trial) -> list[Trial]:
    """The trials before, and one of a candidate that took all of its time without a step."""
    turn = next_turn(race, before)
    assert turn is not None
    assert turn.name == name
    late = "It did not come to its first step in its time."
    return [*before, Trial(name=name, round=0, step=0, seconds=turn.before + turn.seconds, fault=late)]


def test_who_would_not_come_to_a_first_step_on_this_machine_is_not_waited_for() -> None:
    setup = {"k-means": 40.0, "herding": 45.0, "mtt": 150.0, "rat-bptt": 4.0}
    race = entrants("random", "k-means", "herding", "dm", "mtt", "rat-bptt", setup=setup)
    trials = missed(race, "k-means", Trial(name="random", round=0, step=0, seconds=20, validation=(0.5, 0.5)))
    ran = run(race, lambda name, _: 0.6 if name == "dm" else 0.5, trials=trials)
    assert {trial.name for trial in ran} == {"random", "k-means", "dm", "rat-bptt"}
    outcomes = {each.name: each.outcome for each in Race.of(race, ran, best(ran) or 0, balanced=False).candidates}
    assert outcomes["herding"] == outcomes["mtt"]
    assert outcomes["mtt"].startswith("Left out: on this machine")


def test_a_candidate_that_fails_at_once_says_nothing_about_others() -> None:
    race = entrants("random", "dm", "mtt", "rat-bptt", setup={"mtt": 40.0, "rat-bptt": 40.0})
    first = [Trial(name=name, round=0, step=0, seconds=20, validation=(0.5, 0.5)) for name in ("random", "dm")]
    trials = [*first, Trial(name="mtt", round=0, step=0, seconds=1, fault="It took more memory than there is.")]
    turn = next_turn(race, trials)
    assert turn is not None
    assert turn.name == "rat-bptt"


def test_a_candidate_that_diverged_after_its_first_step_was_not_too_late_for_it() -> None:
    race = entrants("random", "mtt", "rat-bptt", setup={"mtt": 30.0, "rat-bptt": 90.0})
    first = Trial(name="random", round=0, step=0, seconds=5, validation=(0.5, 0.5))
    trials = [first, Trial(name="mtt", round=0, step=0, seconds=120, before=28, fault="The loss is not finite.")]
    turn = next_turn(race, trials)
    assert turn is not None
    assert turn.name == "rat-bptt"


def test_what_comes_before_the_first_step_is_given_on_top_of_the_first_share() -> None:
    race = entrants("random", "dm", "mtt", setup={"mtt": 40.0})
    trials = [Trial(name="random", round=0, step=0, seconds=1, validation=(0.5, 0.5))]
    dm = next_turn(race, trials)
    assert dm is not None
    mtt = next_turn(race, [*trials, Trial(name="dm", round=0, step=9, seconds=dm.seconds, validation=(0.5, 0.5))])
    assert mtt is not None
    assert (dm.name, dm.before) == ("dm", 0)
    assert (mtt.name, mtt.before) == ("mtt", 60)
    assert mtt.seconds == dm.seconds + 10, "what was dear shows for a little longer what it is worth"


def test_real_images_alone_are_judged_and_the_race_is_over() -> None:
    trials = run(entrants("random", "herding"), lambda name, _: 0.5)
    assert [(trial.name, trial.step) for trial in trials] == [("random", 0), ("herding", 0)]
    assert best(trials) == 0, "of equals the first"


@pytest.mark.parametrize(("images", "winner"), [(145, "dm"), (1000, "herding"), (math.inf, "herding")])
def test_real_images_win_by_more_than_the_validation_split_may_err(images: float, winner: str) -> None:
    race = entrants("random", "herding", "dm")
    trials = run(race, lambda name, _: {"random": 0.93, "herding": 0.952, "dm": 0.941}[name])
    place = best(trials, images)
    assert place is not None
    assert trials[place].name == winner
    words = " ".join(Race.of(race, trials, place, balanced=False).section().words)
    assert ("herding did better by less than the validation split can tell" in words) == (winner == "dm")


def test_the_report_names_each_candidate_and_why_it_went_no_further() -> None:
    race = entrants("random", "dm", "dsa", "mtt", "frepo")
    accuracies = {"random": 0.6, "dm": 0.5, "dsa": 0.45, "mtt": None, "frepo": 0.3}
    trials = run(race, lambda name, round_: accuracies[name] and accuracies[name] + round_ / 50)
    section = Race.of(race, trials, best(trials) or 0, balanced=False).section()
    assert section.measures is not None
    lines = {line.title: line.cells for line in section.measures.lines}
    assert next(iter(lines)) == "random"
    assert lines["random"][-1] == "Won."
    assert "real images" in " ".join(section.words)
    assert lines["dm"][-1] == "It had the rest of the time, and did not do better."
    assert str(lines["dsa"][-1]).startswith("Dropped after round 1")
    assert lines["mtt"][-1] == "Dropped: The loss was not finite."
    assert "The test split chose nothing." in " ".join(section.words)


@pytest.mark.parametrize(
    ("turns", "over"),
    [
        (2, {"dsa", "mtt", "rat-bptt", "frepo"}),  # of the two judged so far dsa is not the better, but three wait
        (5, {"dsa"}),
        (6, {"dsa"}),
        (7, set()),
    ],
)
def test_a_candidate_that_was_to_go_on_when_the_race_ended_was_not_dropped(turns: int, over: set[str]) -> None:
    race = entrants("dm", "dsa", "mtt", "rat-bptt", "frepo")
    accuracies = {"dm": 0.7, "dsa": 0.6, "mtt": 0.5, "rat-bptt": 0.4, "frepo": 0.3}
    trials = run(race, lambda name, _: accuracies[name])
    assert [trial.name for trial in trials][:7] == [*accuracies, "dm", "dsa"]
    found = Race.of(race, trials[:turns], 0, balanced=False, over="It was ended.").candidates
    said = {each.name for each in found if each.outcome.startswith("The race was over before its")}
    assert said == over
