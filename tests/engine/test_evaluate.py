"""Evaluation: the published protocol, fresh networks, and a report that doubts itself."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import pytest
import torch
import torch.nn.functional as F

from core.data import Dataset
from core.engine import evaluate, report
from core.engine.evaluate import Draws, Look
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.networks import build
from core.engine.real import Real
from core.engine.train import Protocol
from core.recipe import Augment, Evaluation, FullTraining, Network, Recipe
from tests.engine.conftest import small

T = TypeVar("T")

NETWORK = build(Network(width=4, depth=2), (1, 8, 8), 2)
PLAIN = Protocol(6, 32, 0.05, 0.9, 5e-4, "constant", Augment(transforms=()))


def targets(real: Real) -> torch.Tensor:
    return F.one_hot(real.train.labels, 2).float()


def whole(real: Real) -> torch.Tensor:
    return torch.cat(list(real.train.batches(1000)))


def outcome(work: Generator[float, None, T]) -> T:
    """The result of work whose shares only grow."""
    last = 0.0
    while True:
        try:
            share = next(work)
        except StopIteration as end:
            result: T = end.value
            return result
        assert last <= share <= 1
        last = share


def test_the_step_schedule_is_the_literature_s() -> None:
    protocol = evaluate.on_synthetic(Evaluation(epochs=10), Augment(), 0.5)
    assert [protocol.rate(e) for e in range(10)] == pytest.approx([0.5] * 6 + [0.05] * 4)


def test_the_full_set_s_rate_decays_to_nothing() -> None:
    protocol = evaluate.on_full(FullTraining(epochs=10, lr=0.2), Augment())
    rates = [protocol.rate(e) for e in range(10)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == 0.2
    assert rates[-1] < 0.01


def test_training_is_torchs_sgd(real: Real) -> None:
    """With one batch an epoch, momentum and weight decay."""
    protocol = replace(PLAIN, batch_size=10_000, schedule="step")
    key, images = Key(0), whole(real)
    (ours,) = outcome(evaluate.train(Eager(NETWORK), images, targets(real), protocol, [key]))
    theta = torch.nn.Parameter(NETWORK.init(key.fold("init")))
    optimiser = torch.optim.SGD([theta], lr=protocol.lr, momentum=0.9, weight_decay=5e-4)
    for epoch in range(protocol.epochs):
        optimiser.param_groups[0]["lr"] = protocol.rate(epoch)
        optimiser.zero_grad()
        F.cross_entropy(NETWORK.apply(theta, images), real.train.labels).backward()
        optimiser.step()
    assert torch.allclose(ours.theta, theta, atol=1e-5)


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
def test_networks_learn_whatever_their_norm(norm: str, real: Real) -> None:
    network = build(Network(width=4, depth=2, norm=norm), (1, 8, 8), 2)  # type: ignore[arg-type]
    keys = [Key(0), Key(1)]
    result = outcome(evaluate.evaluate("full", Eager(network), real.train, targets(real), real, PLAIN, keys))
    assert result.mean > 0.9
    assert result.images == len(real.train)
    assert len(result.scores) == 2
    assert result.scores[0].per_class[0] > 0.8
    rows = result.confusion
    assert rows is not None
    assert [sum(row) for row in rows] == (2 * real.test.labels.bincount()).tolist(), "rows are true classes"
    shares = [rows[c][c] / sum(rows[c]) for c in range(2)]
    assert shares == pytest.approx([sum(score.per_class[c] for score in result.scores) / 2 for c in range(2)])


def test_networks_are_independent_of_their_number(real: Real, monkeypatch: pytest.MonkeyPatch) -> None:
    """And of how many of them fit at once."""
    keys = [Key(seed) for seed in range(5)]
    labels = targets(real)[:40]
    own = Draws(real.train, torch.stack([Key(seed).permutation(len(real.train))[:40] for seed in range(5)]))
    once = outcome(evaluate.evaluate("random", Eager(NETWORK), own, labels, real, PLAIN, keys))
    monkeypatch.setattr(evaluate, "stack_for", lambda *_: 2)
    parts = outcome(evaluate.evaluate("random", Eager(NETWORK), own, labels, real, PLAIN, keys))
    assert [s.accuracy for s in once.scores] == [s.accuracy for s in parts.scores]
    for seed, key in enumerate(keys):
        images = real.train.take(own.chosen[seed])
        one = outcome(evaluate.evaluate("random", Eager(NETWORK), images, labels, real, PLAIN, [key]))
        assert one.scores[0].accuracy == once.scores[seed].accuracy
        assert one.scores[0].validation == once.scores[seed].validation


def test_rates_tried_together_are_rates_tried(real: Real, monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels, rates = whole(real)[:40], targets(real)[:40], (1e-6, 0.05, 0.3)
    kernels = Eager(NETWORK)
    found = outcome(evaluate.tune(kernels, images, labels, real, PLAIN, rates, Key(3)))
    for lr, together in zip(rates, found, strict=True):
        look = outcome(evaluate.look(kernels, images, labels, real, replace(PLAIN, lr=lr), Key(3)))
        assert look.accuracy == together
    monkeypatch.setattr(evaluate, "stack_for", lambda *_: 2)
    assert outcome(evaluate.tune(kernels, images, labels, real, PLAIN, rates, Key(3))) == found


LONG = replace(PLAIN, epochs=40, batch_size=100)


def look(real: Real, labels: torch.Tensor, best: Look | None = None, protocol: Protocol = LONG) -> Look:
    images = whole(real)[: len(labels)]
    return outcome(evaluate.look(Eager(NETWORK), images, labels, real, protocol, Key(0), evaluate.RUNGS, best))


def test_a_hopeless_look_is_given_up(real: Real) -> None:
    """One at images whose labels are wrong, after one at the same images with the right ones."""
    right = targets(real)[:100]
    good = look(real, right)
    assert good.accuracy > 0.9
    assert len(good.rungs) == 1, "a quarter of 40 epochs is too early to tell"
    bad = look(real, 1 - right, good)
    assert bad.given_up
    assert bad.rungs == (bad.accuracy,)
    assert look(real, 1 - right).accuracy < good.accuracy, "it would not have been selected"


def test_a_look_that_may_still_win_is_taken_to_its_end(real: Real) -> None:
    right = targets(real)[:100]
    good = look(real, right)
    assert look(real, right, good) == good
    margin = 0.1 + 4 * (0.5 / len(real.validation)) ** 0.5
    close = replace(good, rungs=(good.rungs[0] + margin - 0.01,))
    assert look(real, right, close) == good
    far = replace(good, rungs=(good.rungs[0] + margin + 0.01,))
    assert look(real, right, far).given_up
    assert not look(real, 1 - right, replace(good, rungs=())).given_up, "a best look without rungs is no measure"


def test_short_looks_have_no_rungs(real: Real) -> None:
    wrong = 1 - targets(real)[:100]
    seen = look(real, wrong, Look(1.0, (1.0, 1.0)), replace(LONG, epochs=10))
    assert seen.rungs == ()
    assert not seen.given_up


def test_per_class_accuracy_adds_up(real: Real) -> None:
    protocol = replace(PLAIN, epochs=1)
    (trained,) = outcome(evaluate.train(Eager(NETWORK), real.train, targets(real), protocol, [Key(3)]))
    overall, per_class = evaluate.accuracy(NETWORK, trained, real.test)
    shares = torch.bincount(real.test.labels).float() / len(real.test.labels)
    assert overall == pytest.approx(float((torch.tensor(per_class) * shares).sum()), abs=1e-6)


def line(name: str, mean: float, seeds: int = 5, std: float = 0.01) -> dict[str, Any]:
    return {
        "name": name,
        "images": 4,
        "accuracy_mean": mean,
        "accuracy_std": std,
        "n_seeds": seeds,
        "per_class_mean": [mean, mean],
    }


def composed(
    toy: Dataset,
    *lines: dict[str, Any],
    recipe: Recipe | None = None,
    counts: Sequence[int] = (5, 5),
    clipped: float = 0.0,
) -> dict[str, Any]:
    return report.compose(
        recipe or small("mtt"),
        toy.facts,
        lines,
        test_counts=counts,
        clipped=clipped,
        bytes_images=900,
        bytes_labels=100,
        records=None,
        bytes_teacher=None,
        phases={"distilling": 1.0},
        peak_memory_mib=1.0,
        memory={},
        kernels="",
        device="cpu",
        selection="last iterate",
        real=0,
        sweep=None,
        coverage=None,
        neighbours=None,
        stages=None,
        probes=(),
        generator=None,
        warnings=[],
    )


def test_what_is_taken_for_what_is_said_once_and_only_of_the_images_themselves(toy: Dataset) -> None:
    told = composed(toy, line("distilled", 0.9) | {"confusion": [[4, 1], [0, 5]]}, line("random", 0.6))
    assert told["confusion"] == [[4, 1], [0, 5]]
    assert told["class_names"] == list(toy.facts.class_names)
    assert not any("confusion" in row for row in told["results"])
    assert composed(toy, line("distilled", 0.9))["confusion"] is None


def test_the_gap_closed(toy: Dataset) -> None:
    told = composed(toy, line("distilled", 0.9), line("random", 0.6), line("full", 1.0))
    assert told["gap_closed"] == pytest.approx(0.75)
    assert told["gap_reason"] is None
    assert told["warnings"] == []


def test_no_share_of_a_gap_is_said_that_was_not_measured(toy: Dataset) -> None:
    """Two networks a line, of which the reference's ended far from each other."""
    lines = line("distilled", 0.355, 2), line("random", 0.325, 2), line("full", 0.345, 2, std=0.064)
    told = composed(toy, *lines, counts=(1, 9))
    assert told["gap_closed"] is None
    assert "full training set (34.5 ± 57.5 %) overlap" in told["gap_reason"]


def test_unequal_classes_are_told_and_what_is_below_the_largest_is_doubted(toy: Dataset) -> None:
    below = line("distilled", 0.455) | {"per_class_mean": [0.79, 0.42]}
    told = composed(toy, below, line("random", 0.42), line("full", 0.99), counts=(10, 90))
    assert told["majority"] == {"class": "1", "share": 0.9, "unequal": True}
    assert told["results"][0]["balanced_accuracy_mean"] == pytest.approx(0.605)
    (doubt,) = (warning for warning in told["warnings"] if "largest class" in warning)
    assert "right for 90.0% of the test images" in doubt
    assert "the distilled images and random real images are (45.5%, 42.0%)" in doubt
    assert told["warnings"][0] == doubt
    assert not composed(toy, below, line("random", 0.42), counts=(48, 52))["majority"]["unequal"]


def test_a_class_without_test_images_is_in_no_balance(toy: Dataset) -> None:
    told = composed(toy, line("distilled", 0.8) | {"per_class_mean": [0.8, 0.0]}, counts=(5, 0))
    assert told["results"][0]["balanced_accuracy_mean"] == 0.8
    assert told["majority"]["unequal"]


@pytest.mark.parametrize("counted", [True, False], ids=["counted", "kept from before that was counted"])
def test_networks_that_answer_one_class_are_no_measurement(toy: Dataset, counted: bool) -> None:
    stuck = line("random", 0.5) | {"per_class_mean": [0.0, 1.0]} | ({"one_class_networks": 5} if counted else {})
    said = composed(toy, line("distilled", 0.9), stuck, line("full", 1.0))["warnings"]
    assert "trained on random real images answer one class" in said[0]
    some = stuck | {"one_class_networks": 4}
    assert composed(toy, line("distilled", 0.9), some, line("full", 1.0))["warnings"] == []


def test_diverged_networks_are_seen_to_answer_one_class(real: Real) -> None:
    """At such a rate without a norm they end in NaN, and every answer is the first class."""
    network = build(Network(width=4, depth=2, norm="none"), real.shape, real.classes)
    protocol = replace(PLAIN, epochs=3, lr=1e6)
    work = evaluate.evaluate("x", Eager(network), real.train, targets(real), real, protocol, [Key(1), Key(2)])
    told = report.row(outcome(work))
    assert told["one_class_networks"] == 2
    assert told["balanced_accuracy_mean"] == 0.5
    assert told["balanced_accuracy_std"] == 0


def test_the_report_says_what_views_each_line_was_trained_on(toy: Dataset) -> None:
    told = composed(toy, line("distilled", 0.9), recipe=small("mtt", evaluation__policy="combined"))
    assert "one transform for each" in told["views"]["distilled"]
    assert told["views"]["random"] == "cropped", "all its images are real, and no digit is mirrored"
    mirrored = small("rded", augment__transforms=("crop", "flip"))
    assert composed(toy, line("distilled", 0.9), recipe=mirrored)["views"]["distilled"] == "cropped and mirrored"
    plain = small("mtt", augment__transforms=())
    assert composed(toy, line("distilled", 0.9), recipe=plain)["views"]["random"] == "as they are"
    assert composed(toy, line("distilled", 0.9))["views"]["random"] == "one transform for each batch"


@pytest.mark.parametrize(
    ("lines", "doubt"),
    [
        ([line("distilled", 0.5), line("random", 0.6), line("full", 1.0)], "no better than random"),
        ([line("distilled", 0.9, seeds=3), line("random", 0.6), line("full", 1.0)], "Only 3 evaluation seeds"),
        ([line("distilled", 0.9), line("random", 0.6)], "No reference"),
        ([line("distilled", 0.9), line("random", 0.6), line("full", 0.5)], "too short"),
        (
            [line("distilled", 0.9), line("distilled_8bit", 0.8), line("random", 0.6), line("full", 1.0)],
            "lose 10.0 points",
        ),
    ],
)
def test_the_report_doubts_what_deserves_doubt(toy: Dataset, lines: list[dict[str, Any]], doubt: str) -> None:
    assert any(doubt in warning for warning in composed(toy, *lines)["warnings"])


def test_pixels_that_8_bits_cannot_hold_are_told(toy: Dataset) -> None:
    lines = line("distilled", 0.9), line("random", 0.6), line("full", 1.0)
    assert "63% of the pixel values lie outside" in composed(toy, *lines, clipped=0.63)["warnings"][0]
    assert composed(toy, *lines, clipped=0.5)["warnings"] == []
