"""Coverage: distances against a brute-force search, halves by what the network made of images it never learned."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import TypeVar

import pytest
import torch

from core.engine import features, init
from core.engine.coverage import Distances, Witness, distances, learn, table
from core.engine.evaluate import Trained
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.networks import ConvNet, build
from core.engine.real import Labelled, Real
from core.recipe import Coverage, Embedding, Network

T = TypeVar("T")


def end(work: Generator[float, None, T]) -> T:
    while True:
        try:
            assert 0 <= next(work) <= 1
        except StopIteration as done:
            result: T = done.value
            return result


def small(norm: str) -> ConvNet:
    return build(Network.model_validate({"width": 8, "depth": 2, "norm": norm}), (1, 8, 8), 2)


@pytest.fixture(scope="module", params=["instance", "batch"])
def witness(request: pytest.FixtureRequest, real: Real) -> tuple[ConvNet, Witness]:
    network = small(request.param)
    return network, end(learn(Coverage(epochs=4, batch_size=32), Eager(network), real, Key(0)))


def test_the_network_is_the_one_that_selects_by_features(real: Real, witness: tuple[ConvNet, Witness]) -> None:
    network, seen = witness
    other = end(features.train(Embedding(epochs=4, batch_size=32), Eager(network), real.train, Key(0)))
    assert torch.equal(seen.trained.theta, other.theta)


def test_mislabelled_test_images_are_the_hardest(real: Real) -> None:
    wrong = torch.arange(0, len(real.test), 9)
    labels = real.test.labels.clone()
    labels[wrong] = 1 - labels[wrong]
    spoilt = replace(real, test=replace(real.test, labels=labels))
    seen = end(learn(Coverage(epochs=6, batch_size=32), Eager(small("instance")), spoilt, Key(0)))
    assert 0 <= float(seen.difficulty.min()) <= float(seen.difficulty.max()) <= 1
    assert torch.isin(seen.difficulty.topk(len(wrong)).indices, wrong).float().mean() > 0.8


def test_distances_are_those_of_a_search_through_all_pairs(
    real: Real, witness: tuple[ConvNet, Witness], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though they are taken in batches; an image of the training split is not its own neighbour."""
    monkeypatch.setattr("core.plan.limits.TESTED", 50)
    monkeypatch.setattr("core.plan.limits.SPACED", 90)
    network, seen = witness
    draws = torch.stack([init.chosen(real, (3, 3), Key(s)) for s in range(2)])
    images = real.validation.take(torch.arange(7))
    found = end(distances(network, seen, real, images, draws))

    def embedded(data: Labelled) -> torch.Tensor:
        return features.embed(network, seen.trained, data, torch.arange(len(data))).double()

    test, train, own = (embedded(data) for data in (real.test, real.train, replace(real.validation)))
    apart = torch.cdist(test, train)
    assert torch.allclose(found.full.double(), apart.amin(1), atol=1e-3)
    assert torch.allclose(found.own.double(), torch.cdist(test, own[:7]).amin(1), atol=1e-3)
    for row, draw in zip(found.random, draws, strict=True):
        assert torch.allclose(row.double(), apart[:, draw].amin(1), atol=1e-3)
    among = torch.cdist(train, train).fill_diagonal_(torch.inf)
    every = -(-len(train) // 90)
    assert found.radius == pytest.approx(float(among.amin(1)[::every].mean()), rel=1e-3)


def test_the_table_counts_each_half_within_the_radius() -> None:
    """Three of seven images are hard; those at the radius are covered, and the curves go through the shares."""
    difficulty = torch.tensor([0.9, 0.1, 0.2, 0.8, 0.3, 0.7, 0.4])
    own = torch.tensor([1.0, 2.0, 0.5, 3.0, 2.5, 0.1, 2.0])
    random = torch.stack([torch.full((7,), 2.0), torch.tensor([3.0, 4.0, 4.0, 1.0, 4.0, 4.0, 4.0])])
    full = torch.zeros(7)
    nothing = Trained(torch.zeros(0), None, 0.0)
    told = table(
        Distances(own, random, full, 2.0), Witness(nothing, difficulty), Coverage(), "a", images=5, everything=100
    )
    assert told.test_images == {"easy": 4, "hard": 3}
    rows = {row.name: row for row in told.sets}
    assert (rows["distilled"].easy, rows["distilled"].hard) == (3 / 4, pytest.approx(2 / 3))
    assert (rows["random"].easy, rows["random"].hard) == (1 / 2, pytest.approx(2 / 3))
    assert rows["random"].easy_std == pytest.approx(0.5**0.5)
    assert rows["distilled"].easy_std is None
    assert (rows["full"].easy, rows["full"].images, rows["distilled"].images) == (1.0, 100, 5)
    multiples, curve = told.curves["multiples"], told.curves["distilled"]
    assert multiples[0] == 0
    assert multiples[-1] >= 2
    for half, values in curve.items():
        assert values == sorted(values)
        at = max(place for place, multiple in enumerate(multiples) if multiple <= 1)
        assert values[at] <= getattr(rows["distilled"], half) <= values[at + 1]


def test_no_neighbour_at_any_distance_is_no_error() -> None:
    """Where every training image has a twin the radius is 0, and only copies are covered."""
    found = Distances(torch.tensor([0.0, 1.0]), torch.ones(1, 2), torch.ones(2), 0.0)
    told = table(found, Witness(Trained(torch.zeros(0), None, 0.0), torch.tensor([0.2, 0.6])), Coverage(), "a", 1, 2)
    assert [(row.easy, row.hard) for row in told.sets] == [(1.0, 0.0), (0.0, 0.0), (0.0, 0.0)]
