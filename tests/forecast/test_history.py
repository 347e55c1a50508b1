"""Past jobs change a forecast: they correct it, they give it error bars, they leave something in the cache."""

from __future__ import annotations

import math
import random
from typing import Any, Final

import pytest

from core.forecast import Past
from core.forecast.history import read
from core.forecast.identity import ResultNames
from tests.forecast.machines import facts, forecast, recipe


def jobs(ratios: list[float], method: str = "mtt", leaves: ResultNames | None = None) -> tuple[Past, ...]:
    """Jobs that took so many times what was predicted, in every phase."""
    predicted = {name: phase.uncached for name, phase in forecast(method).phases.items()}
    return tuple(
        Past(f"job_{i}", method, predicted, {name: ratio * s for name, s in predicted.items()}, leaves or ResultNames())
        for i, ratio in enumerate(ratios)
    )


def test_without_past_jobs_a_factor_of_two_is_assumed() -> None:
    found = forecast()
    assert found.seconds is not None
    assert found.seconds.high / found.seconds.expected == pytest.approx(2, rel=1e-3)
    assert found.seconds.expected / found.seconds.low == pytest.approx(2, rel=1e-3)
    assert (found.basis.jobs, found.basis.method_jobs) == (0, 0)
    assert "Calibration only" in found.basis.detail
    assert "factor of two" in found.basis.detail


def test_three_jobs_of_the_method_correct_the_prediction_by_their_median() -> None:
    alone, corrected = forecast(), forecast(past=jobs([1.4, 1.5, 1.7]))
    assert corrected.basis.method_jobs == 3
    for name, phase in corrected.phases.items():
        assert phase.model == alone.phases[name].model
        assert phase.expected == pytest.approx(1.5 * phase.model, abs=0.01)
        assert phase.low < phase.expected < phase.high
    assert corrected.seconds is not None
    assert alone.seconds is not None
    assert corrected.seconds.expected == pytest.approx(1.5 * alone.seconds.expected, rel=1e-2)
    assert corrected.seconds.high / corrected.seconds.low < 4, "three that agree say more than the assumption"


def test_two_jobs_and_jobs_of_other_methods_correct_nothing() -> None:
    alone = forecast()
    for past in (jobs([3.0, 3.0]), jobs([3.0] * 5, method="dm")):
        found = forecast(past=past)
        assert {name: p.expected for name, p in found.phases.items()} == {
            name: p.expected for name, p in alone.phases.items()
        }
    assert found.seconds is not None
    assert found.seconds.high > 3 * found.seconds.expected, "but five that took three times as long widen the interval"


def test_the_intervals_hold_four_jobs_out_of_five() -> None:
    """Ten log-normal jobs seen, the eleventh forecast, three hundred times."""
    noise, held = random.Random(0), 0
    for _ in range(300):
        *seen, new = [math.exp(noise.gauss(0.4, 0.3)) for _ in range(11)]
        phase = forecast(past=jobs(seen)).phases["distilling"]
        held += phase.low <= new * phase.model <= phase.high
    assert 0.74 < held / 300 < 0.88


def test_what_earlier_jobs_left_is_taken_off_and_bounded_above() -> None:
    alone = forecast()
    left = jobs([1.0] * 3, leaves=alone.leaves)
    found = forecast(past=left)
    assert alone.leaves.experts is not None
    assert found.reuse is not None
    assert (found.reuse.experts, found.reuse.reference, found.reuse.jobs) == (10, True, ["job_0"])
    assert found.phases["training_experts"].expected == 0
    assert found.phases["training_experts"].high >= alone.phases["training_experts"].expected
    assert found.phases["evaluating"].expected < alone.phases["evaluating"].expected
    assert found.work["evaluating"]["gradient"] < alone.work["evaluating"]["gradient"]
    assert found.seconds is not None
    assert alone.seconds is not None
    assert found.seconds.expected + found.reuse.saves_seconds == pytest.approx(alone.seconds.expected, abs=0.01)
    assert found.seconds.high >= alone.seconds.expected - 0.01


@pytest.mark.parametrize(
    ("path", "value", "experts"),
    [
        ("experts__count", 15, 10),
        ("experts__count", 5, 5),
        ("objective__max_start_epoch", 8, 10),
        ("objective__max_start_epoch", 12, 0),
        ("network__width", 16, 0),
        ("experts__lr", 0.02, 0),
        ("schedule__steps", 7, 10),
    ],
)
def test_only_experts_of_the_same_training_with_every_epoch_are_of_use(path: str, value: object, experts: int) -> None:
    found = forecast(past=jobs([1.0], leaves=forecast().leaves), **{path: value})
    assert (found.reuse.experts if found.reuse else 0) == experts


def test_experts_are_of_no_use_to_a_job_that_may_ask_for_more_epochs_of_them() -> None:
    """How many epochs, a search says only later; of an earlier search with all its experts it is known."""
    asked = {"objective__max_start_epoch": "auto"}
    left = jobs([1.0], leaves=forecast(objective__max_start_epoch=2).leaves)
    found = forecast(past=left, **asked)
    assert found.reuse is not None
    assert (found.reuse.experts, found.reuse.reference) == (0, True)
    again = forecast(past=jobs([1.0], leaves=found.leaves), **asked)
    assert again.reuse is not None
    assert (again.reuse.experts, again.reuse.search) == (10, True)


def test_a_search_after_a_sweep_is_of_no_use_to_one_from_a_window_that_was_said() -> None:
    """The window that a sweep will choose is not known beforehand."""
    auto = {"objective__max_start_epoch": "auto", "init__beta": "auto"}
    swept = forecast("selmatch", **auto).leaves
    assert forecast("selmatch", **auto).leaves.search == swept.search is not None
    for beta in recipe("selmatch", init__beta="auto").init.swept(1, facts().smallest_class):  # type: ignore[union-attr]
        assert forecast("selmatch", **auto | {"init__beta": beta}).leaves.search != swept.search


@pytest.mark.parametrize(
    ("path", "value", "judges"),
    [
        ("init__score__networks", 9, 3),
        ("init__score__networks", 2, 2),
        ("init__score__epochs", 9, 0),
        ("evaluation__seeds", 3, 3),
    ],
)
def test_what_networks_said_of_the_images_is_of_use_to_every_other_choice_by_it(
    path: str, value: object, judges: int
) -> None:
    left = jobs([1.0], leaves=forecast("window").leaves)
    alone = forecast("forgetting", **{path: value})
    found = forecast("forgetting", past=left, **{path: value})
    assert (found.reuse.judges if found.reuse else 0) == judges
    share = found.phases["selecting"].model / alone.phases["selecting"].model
    assert share == pytest.approx(1 - judges / alone.leaves.judges, abs=0.2)


@pytest.mark.parametrize(
    ("method", "seed", "change", "baselines"),
    [
        ("mtt", 7, {}, 5),
        ("mtt", 7, {"evaluation__lr": 0.1, "experts__lr": 0.1}, 5),
        ("mtt", 7, {"evaluation__seeds": 9}, 5),
        ("mtt", 8, {}, 0),
        ("mtt", None, {}, 0),
        ("mtt", 7, {"evaluation__epochs": 9}, 0),
        ("mtt", 7, {"evaluation__baseline_lrs": [0.1]}, 0),
        ("mtt", 7, {"augment__transforms": ["crop"]}, 0),
        ("mtt", 7, {"precision": "bfloat16"}, 0),
        ("frepo", 7, {}, 0),  # targets are learned by another loss
    ],
)
def test_networks_on_random_images_are_of_use_to_every_method_of_the_same_seed_and_protocol(
    method: str, seed: int | None, change: dict[str, Any], baselines: int
) -> None:
    left = jobs([1.0], leaves=forecast("dm", seed=7).leaves)
    alone, found = forecast(method, **change), forecast(method, past=left, seed=seed, **change)
    assert (found.reuse.baselines if found.reuse else 0) == baselines
    fewer = found.work["evaluating"]["gradient"] < alone.work["evaluating"]["gradient"]
    if found.leaves.reference != left[0].leaves.reference:
        assert fewer == bool(baselines)


def test_the_network_that_tells_what_is_covered_is_of_use_to_every_job_that_asks_for_it() -> None:
    asked: dict[str, Any] = {"evaluation__coverage": {"epochs": 50}, "evaluation__full": None}
    left = jobs([1.0], leaves=forecast("window", **asked).leaves)
    alone, found = forecast("random", **asked), forecast("random", past=left, **asked)
    assert found.reuse is not None
    assert found.reuse.witness
    without = forecast("random", evaluation__full=None).phases["evaluating"].model
    assert without < found.phases["evaluating"].model < alone.phases["evaluating"].model
    other = forecast("random", past=left, **asked | {"evaluation__coverage": {"epochs": 49}})
    assert other.reuse is None


INSTANCE: Final = {"network__norm": "instance"}
"""Students of another kind than their teacher."""


@pytest.mark.parametrize(
    ("method", "first", "second", "there"),
    [
        ("sre2l", {}, {"network__width": 16}, {"teacher": True}),  # it does not depend on the student
        ("sre2l", {}, {"teacher__network__width": 16}, {"teacher": False}),
        ("diffusion", {}, {"augment__transforms": ["crop"]}, {"generator": True}),  # it knows mirroring alone
        ("diffusion", {}, {"augment__transforms": ["flip"]}, {"generator": False}),
        ("mgdd", {}, {"network__width": 16}, {"meta": False, "adapted": False}),
        ("mgdd", {}, {"augment__transforms": ["crop"]}, {"meta": True, "adapted": True}),
        ("mgdd", {"init__steps": 3}, {"init__steps": 4}, {"meta": True, "adapted": False}),
        ("window", {"init__beta": "auto"}, {"init__beta": "auto", "init__score__epochs": 3}, {"windows": 0}),
        ("window", {"init__beta": "auto"}, {"init__beta": "auto", "evaluation__seeds": 3}, {"windows": 10}),
        ("mtt", {}, {"precision": "bfloat16"}, {"experts": 0, "reference": False}),  # it rounds their training
        ("window", {}, {"precision": "bfloat16"}, {"judges": 0}),
        ("sre2l", {}, {"precision": "bfloat16"}, {"teacher": False}),
        ("sre2l", INSTANCE, INSTANCE | {"precision": "bfloat16"}, {"teacher": True}),  # never compiled
        ("mgdd", {}, {"precision": "bfloat16"}, {"meta": True, "adapted": True}),
    ],
)
def test_what_does_not_depend_on_a_change_is_foreseen_to_be_there(
    method: str, first: dict[str, Any], second: dict[str, Any], there: dict[str, Any]
) -> None:
    found = forecast(method, past=jobs([1.0], leaves=forecast(method, **first).leaves), **second)
    reuse = {} if found.reuse is None else found.reuse.model_dump()
    assert {name: reuse.get(name, type(known)()) for name, known in there.items()} == there


def test_a_dataset_that_is_not_here_leaves_nothing_that_has_a_name() -> None:
    assert forecast(dataset="cifar10", ipc=10).leaves == ResultNames()


def test_a_past_job_is_compared_with_what_it_really_did() -> None:
    document = forecast().model_dump(mode="json")
    experts = {"done": 100, "total": 100, "skipped": 75, "seconds": 3.0}
    progress = {"phases": {"training_experts": experts, "distilling": {"seconds": 8.0}, "relabelling": {"seconds": 1}}}
    past = read("job_1", "mtt", document, progress)
    assert past.actual == {"training_experts": 3.0, "distilling": 8.0}
    assert past.predicted["training_experts"] == pytest.approx(document["phases"]["training_experts"]["uncached"] / 4)
    assert past.predicted["distilling"] == document["phases"]["distilling"]["model"]
    assert past.leaves == forecast().leaves


@pytest.mark.parametrize("done", [50, 100, 250])
def test_a_loop_that_ended_early_or_went_on_is_compared_with_so_many_steps(done: int) -> None:
    document = forecast().model_dump(mode="json")
    document["within"] = {"seconds": 60, "given_up": (), "phases": {}, "steps": 100, "most_steps": 300}
    past = read("job_1", "mtt", document, {"phases": {"distilling": {"done": done, "total": done, "seconds": 8.0}}})
    assert past.predicted["distilling"] == pytest.approx(done / 100 * document["phases"]["distilling"]["model"])
