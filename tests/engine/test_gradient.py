"""Gradient matching: its distances, the one adjoint call against a double backward pass, the student it carries."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from core.engine import distill
from core.engine.augment import dsa
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.networks import ConvNet, CrossEntropy
from core.engine.objectives.gradient import dissimilarity, distance
from core.engine.real import Real
from core.engine.synthetic import Synthetic
from core.engine.train import Protocol, sgd, shared
from core.recipe import Augment, Gradient
from tests.engine.conftest import small
from tests.engine.steps import synthetic
from tests.engine.still import states

KEY = Key(23)
NETWORK = ConvNet((1, 8, 8), 2, 4, 1, "instance")
NONE = Augment(transforms=())


@pytest.mark.parametrize("kind", ["cosine", "mse", "l1"])
def test_the_distance_is_the_paper_s(kind: str) -> None:
    """Against the definition, row by row, in plain loops."""
    objective = Gradient(distance=kind)  # type: ignore[arg-type]
    goal, own = (KEY.fold(name).normal(NETWORK.size).double() for name in ("goal", "own"))
    a, b = NETWORK.unflatten(goal), NETWORK.unflatten(own)
    if kind == "cosine":
        rows = [
            (a[n][i].flatten(), b[n][i].flatten()) for n in ("conv0.weight", "linear.weight") for i in range(len(a[n]))
        ]
        expected = sum(1 - float(F.cosine_similarity(x, y, dim=0)) for x, y in rows)
        assert len(rows) == 4 + 2
    else:
        apart = a["conv0.weight"] - b["conv0.weight"]
        expected = float(apart.square().sum() if kind == "mse" else apart.abs().sum())
    assert float(dissimilarity(objective, NETWORK, goal, own)) == pytest.approx(expected, rel=1e-5)
    assert float(dissimilarity(objective, NETWORK, goal, goal)) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("transform", [None, "scale", "color"])
@pytest.mark.parametrize("kind", ["cosine", "mse", "l1"])
def test_one_adjoint_equals_the_double_backward_pass(kind: str, transform: Any, exact: Real) -> None:
    objective = Gradient(distance=kind, real_batch=5)  # type: ignore[arg-type]
    augment = NONE if transform is None else Augment(transforms=(transform,))
    given, network = synthetic(KEY), NETWORK
    theta = network.init(KEY.fold("theta")).double()
    still = Gradient(**objective.model_dump() | {"outer_loops": 2, "student_lr": 1e-300, "syn_batch": 3})
    # the second match of a network that its training leaves where it is: theta is ours, and in float64
    total, bars, after = distance(still, Eager(network), augment, exact, given, KEY, 1, theta)
    assert after is None
    draw = KEY.fold("match", 1)
    images, labels = given.images.clone().requires_grad_(), given.labels.clone().requires_grad_()
    loss, truth = CrossEntropy(network), torch.zeros(())
    for c, members in enumerate(exact.members):
        chosen = members[draw.fold("real", c).permutation(len(members))[:5]]
        seen = [dsa(x, augment, draw.fold("view", c), shared=True) for x in (exact.train.take(chosen), images)]
        theta.requires_grad_()
        hard = F.one_hot(torch.full((5,), c), 2).double()
        (goal,) = torch.autograd.grad(loss(theta, seen[0], hard), theta)
        own = slice(3 * c, 3 * c + 3)
        (g,) = torch.autograd.grad(loss(theta, seen[1][own], labels[own]), theta, create_graph=True)
        truth = truth + dissimilarity(objective, network, goal, g)
    expected = torch.autograd.grad(truth, (images, labels))
    assert float(total) == pytest.approx(float(truth.detach()), rel=1e-6)
    assert bars.labels is not None
    for ours, theirs in zip((bars.images, bars.labels), expected, strict=True):
        assert theirs.norm() > 0
        assert (ours - theirs).norm() <= 1e-9 * theirs.norm()


def test_a_part_of_the_synthetic_images_may_be_matched(real: Real) -> None:
    given = Synthetic(*(part.float() for part in synthetic(KEY)[:3]))
    _, bars, _ = distance(Gradient(syn_batch=1), Eager(NETWORK), NONE, real, given, KEY, 0, None)
    reached = bars.images.flatten(1).norm(dim=1) > 0
    assert reached.view(2, 3).sum(1).tolist() == [1, 1], "one image of each class"


def test_networks_are_matched_outer_loops_times_and_trained_in_between(real: Real) -> None:
    objective = Gradient(outer_loops=3, inner_loops=2, student_batch=4)
    given = Synthetic(*(part.float() for part in synthetic(KEY)[:3]))

    def matched(step: int, student: torch.Tensor | None) -> torch.Tensor | None:
        return distance(objective, Eager(NETWORK), NONE, real, given, KEY, step, student)[2]

    first = matched(0, None)
    assert first is not None
    assert torch.equal(first, NETWORK.init(KEY.fold("match", 0).fold("network")))
    second = matched(1, first)
    protocol = Protocol(2, 4, 0.01, 0.0, 0.0, "constant", NONE)
    key = KEY.fold("match", 1).fold("training")
    *_, trained = sgd(Eager(NETWORK), shared(given.images), given.labels, protocol, [key], start=first[None])
    assert second is not None
    assert torch.equal(second, trained.theta[0])
    assert matched(2, second) is None, "the fourth match is another network's"
    assert not torch.equal(matched(3, None), first)  # type: ignore[arg-type]


def test_training_on_real_images_sees_as_many_as_asked_for(real: Real, monkeypatch: pytest.MonkeyPatch) -> None:
    objective = Gradient(outer_loops=2, inner="real", inner_images=40, student_batch=16, real_batch=3, inner_loops=1)
    given = Synthetic(*(part.float() for part in synthetic(KEY)[:3]))
    sizes: list[int] = []
    plain = Eager.gradient

    def count(self: Eager, theta: torch.Tensor, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        sizes.append(len(images))
        return plain(self, theta, images, labels)

    monkeypatch.setattr(Eager, "gradient", count)
    distance(objective, Eager(NETWORK), NONE, real, given, KEY, 1, NETWORK.init(KEY))
    assert sizes == [16, 16, 8, 3, 3]


def test_a_rolled_back_step_leaves_no_student(real: Real) -> None:
    """The student that saw diverging images is not to be trusted either."""
    recipe = small("dsa", objective__outer_loops=4)
    first = distill.begin(recipe, real, 2, Key(0))
    nan = torch.tensor(float("nan"))

    def broken(seen: Synthetic, key: Key, step: int, student: Any) -> Any:
        bars = distill.Gradients(torch.zeros_like(seen.images), None, None)
        return (nan if step == 1 else torch.tensor(1.0)), bars, torch.ones(3)

    one, two, *_ = distill.distill(recipe, distill.Carrying(broken), first, Key(0))
    assert one.student is not None
    assert two.student is None


def test_labels_are_learned_by_matching_gradients(real: Real) -> None:
    first, *_, last = states(small("dsa", labels__kind="learnable"), real)
    assert not torch.equal(first.leaves.logits, last.leaves.logits)


def test_no_weight_is_no_penalty(real: Real) -> None:
    host, none, some = (
        states(small("dsa", **plug_in), real) for plug_in in ({}, {"sdc__weight": 0.0}, {"sdc__weight": 0.1})
    )
    assert [state.loss for state in none[1:]] == [state.loss for state in host[1:]]
    assert torch.equal(none[-1].leaves.images, host[-1].leaves.images)
    assert some[1].loss > host[1].loss
