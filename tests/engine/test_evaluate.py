"""Evaluation: the published protocol, fresh networks, and a report that doubts itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from dataclasses import replace
from typing import TypeVar

import pytest
import torch
import torch.nn.functional as F

from core.engine import evaluate, report
from core.engine.evaluate import Draws, Look
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.networks import build
from core.engine.real import Real
from core.engine.train import Protocol
from core.plan import limits
from core.recipe import Augment, Evaluation, FullTraining, Network

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
    return outcome(evaluate.look(Eager(NETWORK), images, labels, real, protocol, Key(0), limits.RUNGS, best))


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
    overall, per_class = evaluate.accuracy(Eager(NETWORK), trained, real.test)
    shares = torch.bincount(real.test.labels).float() / len(real.test.labels)
    assert overall == pytest.approx(float((torch.tensor(per_class) * shares).sum()), abs=1e-6)


def test_diverged_networks_are_seen_to_answer_one_class(real: Real) -> None:
    """At such a rate without a norm they end in NaN, and every answer is the first class."""
    network = build(Network(width=4, depth=2, norm="none"), real.shape, real.classes)
    protocol = replace(PLAIN, epochs=3, lr=1e6)
    work = evaluate.evaluate("x", Eager(network), real.train, targets(real), real, protocol, [Key(1), Key(2)])
    told = report.row(outcome(work))
    assert told["one_class_networks"] == 2
    assert told["balanced_accuracy_mean"] == 0.5
    assert told["balanced_accuracy_std"] == 0


def test_a_score_of_many_classes_takes_no_table_of_their_pairs() -> None:
    """A table of 20,000 classes would have 3 GB."""
    command = """
import resource
import torch
from core.engine import evaluate
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
labels = torch.arange(20_000).repeat(2)
score = evaluate.score(labels.roll(1), labels, 20_000, 1.0, 0.0)
assert not score.one_class
assert score.balanced == score.accuracy == 0
assert evaluate.Result("distilled", 1, "a network", 0.1, (score,)).confusion is None
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, timeout=120, check=True)
    assert int(done.stdout) < 100_000, "kB"
