"""Performance matching: truncated gradients against autograd, where windows lie, Adam and the cut of gradients."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine import distill
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.networks import ConvNet, CrossEntropy
from core.engine.objectives import performance
from core.engine.optimise import Adam
from core.engine.real import Real
from core.engine.synthetic import Gradients, Synthetic
from core.plan import limits
from core.recipe import Augment, Performance
from tests.engine.conftest import small
from tests.engine.steps import synthetic

KEY = Key(29)
NETWORK = ConvNet((1, 8, 8), 2, 4, 1, "instance")
PLAIN = Augment(transforms=())


def by_autograd(objective: Performance, real: Real, end: int, window: int) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The loss and its gradients, through the last `window` steps before `end` only."""
    draw = KEY.fold("student", 3)
    images, labels, eta = (part.clone().requires_grad_() for part in synthetic(KEY)[:3])
    theta = NETWORK.init(draw.fold("network")).double().requires_grad_()
    velocity = torch.zeros_like(theta)
    order = [draw.fold("order", epoch).permutation(6).split(objective.batch_size or 6) for epoch in range(9)]
    loss = CrossEntropy(NETWORK)
    for step, batch in enumerate([part for epoch in order for part in epoch][:end]):
        if step == end - window:
            theta, velocity = theta.detach().requires_grad_(), velocity.detach()
        (g,) = torch.autograd.grad(loss(theta, images[batch], labels[batch]), theta, create_graph=True)
        velocity = objective.momentum * velocity + g
        theta = theta - eta * velocity
    chosen = draw.fold("real").permutation(len(real.train))[: objective.real_batch]
    value = loss(theta, real.train.take(chosen), F.one_hot(real.train.labels[chosen], 2).double())
    return value.detach(), torch.autograd.grad(value, (images, labels, eta))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize(
    ("window", "end", "batch"), [(None, "last", None), (9, "last", 4), (3, "last", 4), (1, "last", 6), (3, "random", 4)]
)
def test_the_gradient_is_that_of_truncated_back_propagation(
    momentum: float, window: int | None, end: Any, batch: int | None, exact: Real, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PERFORMANCE", 10)
    objective = Performance(syn_steps=9, window=window, end=end, batch_size=batch, momentum=momentum, real_batch=25)
    start = NETWORK.init(KEY.fold("student", 3).fold("network")).double()
    monkeypatch.setattr(ConvNet, "init", lambda self, key: start)
    value, bars = performance.loss(objective, Eager(NETWORK), PLAIN, exact, 0, 10, synthetic(KEY), KEY, 3)
    last = int(bars.curves.get("student_steps", 9))
    monkeypatch.undo()
    expected, truth = by_autograd(objective, exact, last, window or 9)
    assert float(value) == pytest.approx(float(expected), rel=1e-12)
    for ours, theirs in zip(bars[:3], truth, strict=True):
        assert ours is not None
        assert theirs.norm() > 0
        assert (ours - theirs).norm() <= 1e-10 * theirs.norm()


def test_random_windows_end_everywhere_they_may(real: Real) -> None:
    objective = Performance(syn_steps=4, window=2, end="random", real_batch=4)
    given = Synthetic(*(part.float() for part in synthetic(KEY)[:3]))
    ends = {
        performance.loss(objective, Eager(NETWORK), PLAIN, real, 0, 10, given, KEY, step)[1].curves["student_steps"]
        for step in range(20)
    }
    assert ends == {2.0, 3.0, 4.0}


def test_an_adaptive_window_prefers_large_gradients_first_and_small_ones_last() -> None:
    norms = torch.tensor([1.0, 2.0, 3.0, 4.0])
    assert [performance.bias(step, 5) for step in (0, 2, 4)] == [1.0, 0.0, -1.0]

    def share(bias: float) -> list[float]:
        drawn = [performance.pick(norms, bias, KEY.fold(i)) for i in range(400)]
        return [drawn.count(i) / 400 for i in range(4)]

    early, middle, late = share(1.0), share(0.0), share(-1.0)
    z = (norms - norms.mean()) / norms.std(correction=0)
    assert early == pytest.approx(z.softmax(0).tolist(), abs=0.08)
    assert middle == pytest.approx([0.25] * 4, abs=0.08)
    assert late == pytest.approx(early[::-1], abs=0.1)


def test_an_adaptive_window_is_cut_out_of_the_walk_it_was_chosen_on(real: Real) -> None:
    """The window starts from the same parameters as the steps before it would give once more."""
    given = Synthetic(*(part.float() for part in synthetic(KEY)[:3]))
    adaptive = Performance(syn_steps=6, window=2, end="adaptive", momentum=0.5, real_batch=20)
    _, bars = performance.loss(adaptive, Eager(NETWORK), PLAIN, real, 0, 10, given, KEY, 3)
    end = int(bars.curves["student_steps"])
    fixed = Performance(syn_steps=end, window=2, momentum=0.5, real_batch=20)
    assert torch.equal(
        performance.loss(fixed, Eager(NETWORK), PLAIN, real, 0, 10, given, KEY, 3)[1].images, bars.images
    )


def test_adam_is_torch_s() -> None:
    value = KEY.fold("value").normal(5).double()
    theirs = value.clone().requires_grad_()
    optimiser = torch.optim.Adam([theirs], lr=0.1, betas=(0.7, 0.999))
    velocity, squares = torch.zeros_like(value), torch.zeros_like(value)
    for step in range(4):
        gradient = KEY.fold("gradient", step).normal(5).double()
        theirs.grad = gradient
        optimiser.step()
        value, velocity, squares = Adam(0.1, 0.7).update(value, gradient, velocity, squares, step)
        assert torch.allclose(value, theirs.detach(), rtol=1e-12)


def test_a_gradient_far_above_the_usual_is_cut(real: Real) -> None:
    recipe = small("mtt", schedule__clip=1.5, schedule__image_lr=1.0, schedule__image_momentum=0.0)
    sizes = [1.0, 1.0, 10.0, 1.0]

    def objective(seen: Synthetic, key: Key, step: int) -> tuple[Tensor, Gradients]:
        slope = torch.full_like(seen.images, sizes[step])
        return torch.tensor(1.0), Gradients(slope, None, torch.tensor(0.0))

    first = distill.begin(recipe, real, 2, Key(0))
    states = [first, *distill.distill(recipe, objective, first, Key(0))]
    moves = [float((a.leaves.images - b.leaves.images).mean()) for a, b in itertools.pairwise(states)]
    # the running mean is 1, 1, 0.9 + 0.1 * 10 = 1.9, ...
    assert moves == pytest.approx([1.0, 1.0, 1.5 * 1.9, 1.0], rel=1e-3)


def test_going_back_puts_adam_at_rest(real: Real) -> None:
    recipe = small("bptt")

    def objective(seen: Synthetic, key: Key, step: int) -> tuple[Tensor, Gradients]:
        loss = torch.tensor(float("nan") if step == 2 else 1.0)
        return loss, Gradients(torch.ones_like(seen.images), None, torch.tensor(0.0))

    states = list(distill.distill(recipe, objective, distill.begin(recipe, real, 2, Key(0)), Key(0)))
    assert [state.updates for state in states] == [1, 2, 0, 1]
    assert states[1].squares is not None
    assert states[2].squares is None
