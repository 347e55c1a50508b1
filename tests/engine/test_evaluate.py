"""Evaluation: the published protocol, fresh networks, and a report that doubts itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from core.data import Dataset
from core.engine import evaluate, report
from core.engine.evaluate import Protocol
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.networks import build
from core.engine.real import Real
from core.recipe import Augment, Evaluation, FullTraining, Network
from tests.engine.conftest import small

NETWORK = build(Network(width=4, depth=2), (1, 8, 8), 2)
PLAIN = Protocol(6, 32, 0.05, 0.9, 5e-4, "constant", Augment(transforms=()))


def targets(real: Real) -> torch.Tensor:
    return F.one_hot(real.train.labels, 2).float()


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
    key = Key(0)
    ours = evaluate.train(Eager(NETWORK), real.train.images, targets(real), protocol, key)
    theta = torch.nn.Parameter(NETWORK.init(key.fold("init")))
    optimiser = torch.optim.SGD([theta], lr=protocol.lr, momentum=0.9, weight_decay=5e-4)
    for epoch in range(protocol.epochs):
        optimiser.param_groups[0]["lr"] = protocol.rate(epoch)
        optimiser.zero_grad()
        F.cross_entropy(NETWORK.apply(theta, real.train.images), real.train.labels).backward()
        optimiser.step()
    assert torch.allclose(ours.theta, theta, atol=1e-5)


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
def test_networks_learn_whatever_their_norm(norm: str, real: Real) -> None:
    network = build(Network(width=4, depth=2, norm=norm), (1, 8, 8), 2)  # type: ignore[arg-type]
    result = list(evaluate.evaluate("full", Eager(network), real.train.images, targets(real), real, PLAIN, 2, Key(0)))[
        -1
    ]
    assert result.mean > 0.9
    assert len(result.scores) == 2
    assert result.scores[0].per_class[0] > 0.8


def test_seeds_are_independent_of_their_number(real: Real) -> None:
    one, two = evaluate.evaluate("full", Eager(NETWORK), real.train.images, targets(real), real, PLAIN, 2, Key(0))
    assert one.scores[0].accuracy == two.scores[0].accuracy


def test_per_class_accuracy_adds_up(real: Real) -> None:
    trained = evaluate.train(Eager(NETWORK), real.train.images, targets(real), replace(PLAIN, epochs=1), Key(3))
    overall, per_class = evaluate.accuracy(NETWORK, trained, real.test)
    shares = torch.bincount(real.test.labels).float() / len(real.test.labels)
    assert overall == pytest.approx(float((torch.tensor(per_class) * shares).sum()), abs=1e-6)


def line(name: str, mean: float, seeds: int = 5) -> dict[str, Any]:
    return {"name": name, "images": 4, "accuracy_mean": mean, "n_seeds": seeds, "per_class_mean": [mean, mean]}


def composed(toy: Dataset, *lines: dict[str, Any]) -> dict[str, Any]:
    return report.compose(
        small("mtt"),
        toy.facts,
        lines,
        bytes_after=1000,
        phases={"distilling": 1.0},
        peak_memory_mib=1.0,
        device="cpu",
        selection="last iterate",
        warnings=[],
    )


def test_the_gap_closed(toy: Dataset) -> None:
    told = composed(toy, line("distilled", 0.9), line("random", 0.6), line("full", 1.0))
    assert told["gap_closed"] == pytest.approx(0.75)
    assert told["warnings"] == []


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
