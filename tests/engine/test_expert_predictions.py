"""The experts' judgement of images: which are right, and which labels they start with."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.engine import distill
from core.engine.expert_predictions import Judges, correct, mean_logits
from core.engine.keys import Key
from core.engine.networks import build
from core.engine.real import Real
from core.recipe import Network
from tests.engine.conftest import small
from tests.engine.still import judges, known, states

NETWORK = build(Network(width=4, depth=2), (1, 8, 8), 2)


class Known:
    """Experts given by their parameters."""

    def __init__(self, *thetas: Tensor) -> None:
        self._thetas = thetas

    def __len__(self) -> int:
        return len(self._thetas)

    def snapshot(self, expert: int, epoch: int) -> Tensor:
        return self._thetas[expert]


def asked(said: list[str], *thetas: Tensor) -> Judges:
    return Judges(NETWORK, Known(*thetas), 0, said.append)  # type: ignore[arg-type]


def constant(favourite: int) -> Tensor:
    """An expert that takes everything for one class."""
    theta = torch.zeros(NETWORK.size)
    theta[-2 + favourite] = 3.0
    return theta


@pytest.fixture(scope="module")
def learned(real: Real) -> Judges:
    """Experts of a few epochs, right about some images and wrong about others."""
    recipe = small("datm", experts__epochs=3)
    found = judges(recipe, real, known(recipe, real))
    assert found is not None
    return found


def test_images_are_ones_an_expert_has_right(real: Real, learned: Judges) -> None:
    ipc = 20
    index = correct(learned, real, (ipc, ipc), Key(1))
    assert len(set(index.tolist())) == 2 * ipc
    labels = real.train.labels[index]
    assert labels.tolist() == [0] * ipc + [1] * ipc
    logits = torch.stack([learned.logits(expert, real.train.take(index)) for expert in range(2)])
    assert bool((logits.argmax(2) == labels).any(0).all())
    assert not torch.equal(index, correct(learned, real, (ipc, ipc), Key(2)))
    assert torch.equal(index, correct(learned, real, (ipc, ipc), Key(1)))


def test_the_next_expert_is_asked_about_what_one_leaves(real: Real) -> None:
    said: list[str] = []
    index = correct(asked(said, constant(0), constant(1)), real, (5, 5), Key(1))
    assert real.train.labels[index].tolist() == [0] * 5 + [1] * 5
    assert not said


def test_any_images_fill_up_and_it_is_said(real: Real) -> None:
    said: list[str] = []
    index = correct(asked(said, constant(1)), real, (5, 5), Key(1))
    assert real.train.labels[index].tolist() == [0] * 5 + [1] * 5
    assert len(set(index.tolist())) == 10
    (warning,) = said
    assert "5 of the initial images" in warning


def test_labels_are_the_mean_of_those_that_are_right(real: Real, learned: Judges) -> None:
    index = torch.cat([members[:40] for members in real.members])
    images, labels = real.train.take(index), real.train.labels[index]
    logits = torch.stack([learned.logits(expert, images) for expert in range(2)])
    right = logits.argmax(2) == labels
    means = mean_logits(learned, images, labels, 5.0)
    for i in range(len(index)):
        expected = logits[right[:, i], i].mean(0) if right[:, i].any() else 5.0 * torch.eye(2)[labels[i]]
        assert torch.allclose(means[i], expected, atol=1e-6)


def test_where_nobody_is_right_labels_are_one_hot(real: Real) -> None:
    images, labels = real.train.take(torch.arange(8)), torch.tensor([0, 1] * 4)
    means = mean_logits(asked([], constant(0)), images, labels, 4.0)
    assert means[1].tolist() == [0.0, 4.0]
    assert means[0].tolist() == [3.0, 0.0]


def test_a_recipe_starts_from_what_they_say(real: Real) -> None:
    recipe = small("datm", experts__epochs=3)
    first = states(recipe, real)[0]
    own = judges(recipe, real, known(recipe, real))
    assert own is not None
    index = correct(own, real, (2, 2), Key(0).fold("distill").fold("init"))
    assert torch.equal(first.leaves.images, real.train.take(index))
    expected = mean_logits(own, first.leaves.images, torch.tensor([0, 0, 1, 1]), 5.0)
    assert torch.equal(first.leaves.logits, expected)
    assert distill.finish(recipe, first, real, 2).soft_labels is not None
