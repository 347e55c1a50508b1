"""Difficulty scores: counts by hand, formulas against themselves, and mislabelled images that must come out hardest."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.networks import build
from core.engine.real import Labelled, Real
from core.engine.scores import Events, difficulty, ease
from core.engine.train import Protocol, sgd
from core.recipe import Augment, CScore, Dual, El2n, Forgetting, LearnedScore, Network
from tests.engine.still import result

SEEN = {
    "always right": ("RRRRR", 0),
    "learned at last": ("wwRRR", 0),
    "lost once": ("RRwww", 1),
    "lost twice": ("RwRwR", 2),
    "lost after it was learned": ("wRwRw", 2),
    "never right": ("wwwww", 5),
}


def test_an_event_is_a_right_answer_followed_by_a_wrong_one() -> None:
    """Five epochs of six images by two networks that saw the same, each in an order of its own."""
    events = Events.none(2, len(SEEN), torch.device("cpu"))
    for epoch in range(5):
        right = torch.tensor([answers[epoch] == "R" for answers, _ in SEEN.values()])
        order = torch.stack([Key(epoch).fold(network).permutation(len(SEEN)) for network in range(2)])
        for index in order.split(4, 1):
            events = events.seen(index, right[index])
    assert events.scores(5).tolist() == 2 * [[count for _, count in SEEN.values()]]


def scored(real: Labelled, score: LearnedScore, norm: str = "instance", networks: int = 2) -> torch.Tensor:
    kernels = Eager(build(Network.model_validate({"width": 8, "depth": 2, "norm": norm}), (1, 8, 8), 2))
    work = difficulty(score, kernels, real, Augment(transforms=("crop",)), [Key(i) for i in range(networks)])
    return result(work)["score"]


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_an_image_is_judged_when_its_batch_comes(real: Real, norm: str) -> None:
    """Against a loop that asks each network of the loop about every image, and looks up which were in the batch."""
    kernels = Eager(build(Network.model_validate({"width": 8, "depth": 2, "norm": norm}), (1, 8, 8), 2))
    data, labels = real.train, F.one_hot(real.train.labels, 2).float()
    moments = list(sgd(kernels, data.take, labels, Protocol(3, 100, 0.05, 0.9, 5e-4, "cosine", Augment()), [Key(0)]))
    answers = torch.zeros(3, len(data), dtype=torch.bool)
    for moment in moments[:-1]:
        seen = Key(0).fold("order", moment.epoch).permutation(len(data))[100 * moment.step : 100 * (moment.step + 1)]
        guesses = kernels.network.apply(moment.theta[0], data.take(seen)).argmax(1)
        answers[moment.epoch, seen] = guesses == data.labels[seen]
    lost = sum(answers[e] & ~answers[e + 1] for e in range(2))
    expected = torch.where(answers.any(0), lost, 3).float()
    found = result(difficulty(Forgetting(epochs=3, batch_size=100), kernels, data, Augment(), [Key(0)]))["score"]
    assert torch.equal(found[0], expected)
    assert 0 < (expected > 0).float().mean() < 1


@pytest.mark.parametrize("score", [Forgetting(epochs=12, batch_size=32), El2n(epochs=8, batch_size=32)])
def test_mislabelled_images_are_the_hardest(real: Real, score: LearnedScore) -> None:
    wrong = torch.arange(0, len(real.train), 25)
    labels = real.train.labels.clone()
    labels[wrong] = 1 - labels[wrong]
    mean = scored(replace(real.train, labels=labels), score).mean(0)
    hardest = mean.topk(len(wrong)).indices
    assert torch.isin(hardest, wrong).float().mean() > 0.5, "one in 25 by chance"
    if isinstance(score, El2n):
        assert mean.min() >= 0
        assert mean.max() <= 2**0.5


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_dual_is_the_mean_over_windows_of_how_wrong_and_how_unsure(real: Real, norm: str) -> None:
    """Against a loop that keeps every network of the training, and windows of its answers written out."""
    kernels = Eager(build(Network.model_validate({"width": 8, "depth": 2, "norm": norm}), (1, 8, 8), 2))
    data, labels = real.train, F.one_hot(real.train.labels, 2).float()
    protocol = Protocol(4, 100, 0.05, 0.9, 5e-4, "constant", Augment())
    ends = [m for m in sgd(kernels, data.take, labels, protocol, [Key(0)]) if m.step == 0 and m.epoch]
    shown = data.take(torch.arange(len(data)))
    answers = [kernels.network.apply(m.theta[0], shown, m.moments(0)).softmax(1)[labels.bool()] for m in ends]
    windows = [torch.stack(answers[first : first + 3]) for first in range(2)]
    expected = sum((1 - w.mean(0)) * w.std(0) for w in windows) / 2
    found = result(difficulty(Dual(epochs=4, window=3, batch_size=100), kernels, data, Augment(), [Key(0)]))
    assert torch.allclose(found["score"][0], expected, atol=1e-6)
    assert torch.allclose(found["ease"][0], torch.stack(answers).mean(0), atol=1e-6)
    assert expected.std() > 0


def test_an_image_is_as_easy_as_its_score_says() -> None:
    counts, errors = torch.tensor([0.0, 15.0, 30.0]), torch.tensor([0.0, 2**-0.5, 2**0.5])
    assert ease(Forgetting(epochs=30), {"score": counts}).tolist() == [1, 0.5, 0]
    assert ease(El2n(), {"score": errors}).tolist() == pytest.approx([1, 0.5, 0], abs=1e-6)
    assert ease(CScore(), {"score": torch.tensor([0.25])}).tolist() == [0.75]


@pytest.mark.parametrize("score", [Forgetting(epochs=2), El2n(epochs=2), Dual(epochs=2)])
def test_a_network_says_the_same_whichever_is_asked_beside_it(real: Real, score: LearnedScore) -> None:
    assert torch.equal(scored(real.train, score, networks=1)[0], scored(real.train, score, networks=3)[0])
