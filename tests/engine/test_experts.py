"""Experts: distinct snapshots of plain SGD, and the window of them that is kept."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F

from core.engine import experts
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.networks import build
from core.engine.real import Real
from core.plan.steps import Snapshots
from core.recipe import Augment, Experts, Gsam, Network, Trajectory

NETWORK = build(Network(width=4, depth=2), (1, 8, 8), 2)


def trained(real: Real, last: int = 3, **fields: object) -> list[torch.Tensor]:
    settings = Experts.model_validate({"batch_size": 64, **fields})
    moments = experts.train(Eager(NETWORK), real.train, 2, settings, Augment(), last, [Key(0)])
    return [moment.theta[0] for moment in moments if moment.step == 0]


def test_snapshots_are_distinct_clones(real: Real) -> None:
    snapshots = trained(real)
    assert len(snapshots) == 4
    assert len({snapshot.data_ptr() for snapshot in snapshots}) == 4
    for one, next_ in pairwise(snapshots):
        assert (one - next_).square().sum() > 0


def test_every_step_is_a_moment(real: Real) -> None:
    moments = list(experts.train(Eager(NETWORK), real.train, 2, Experts(batch_size=100), Augment(), 2, [Key(0)]))
    steps = -(-len(real.train.labels) // 100)
    assert [(m.epoch, m.step) for m in moments] == [divmod(i, steps) for i in range(2 * steps + 1)]


def test_longer_training_begins_with_the_shorter(real: Real) -> None:
    for short, long in zip(trained(real, 2), trained(real, 4), strict=False):
        assert torch.equal(short, long)


def test_training_is_torchs_sgd(real: Real) -> None:
    fields = {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01, "augment": False, "batch_size": 1000}
    (images,) = real.train.batches(len(real.train))
    theta = torch.nn.Parameter(NETWORK.init(Key(0).fold("init")))
    optimiser = torch.optim.SGD([theta], lr=0.05, momentum=0.9, weight_decay=0.01)
    for _ in range(3):
        optimiser.zero_grad()
        F.cross_entropy(NETWORK.apply(theta, images), real.train.labels).backward()
        optimiser.step()
    assert torch.allclose(trained(real, **fields)[-1], theta, atol=1e-5)


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_gsam_steps_as_it_is_written(real: Real, norm: str) -> None:
    """Two networks together, against one step after the other by autograd; batch norm sees the first gradient's."""
    network = build(Network(width=4, depth=2, norm=norm), (1, 8, 8), 2)  # type: ignore[arg-type]
    settings = Experts(batch_size=500, lr=0.1, weight_decay=0.01, augment=False, optimiser=Gsam(rho=0.5, alpha=0.3))
    (images,) = real.train.batches(len(real.train))
    moments = list(experts.train(Eager(network), real.train, 2, settings, Augment(), 3, [Key(0), Key(1)]))

    def gradient(theta: torch.Tensor) -> torch.Tensor:
        theta = theta.detach().requires_grad_()
        return torch.autograd.grad(F.cross_entropy(network.apply(theta, images), real.train.labels), theta)[0]

    for s, key in enumerate([Key(0), Key(1)]):
        theta = network.init(key.fold("init"))
        for moment in moments[1:]:
            if norm == "batch" and moment.step == moment.epoch == 1:
                assert torch.allclose(moment.moments(s).means[0], network.apply_and_observe(theta, images)[1].means[0])
            g = gradient(theta)
            h = gradient(theta + 0.5 * theta**2 * g / (theta.abs() * g).norm())
            assert (h - g).norm() > 0.03 * g.norm(), "what does not look away proves nothing"
            cosine = g @ h / (g.norm() * h.norm())
            theta = theta - 0.1 * (h - 0.3 * (g - cosine * g.norm() * h / h.norm()) + 0.01 * theta)
            assert torch.allclose(moment.theta[s], theta, atol=1e-5)


def test_flat_experts_do_not_depend_on_those_trained_beside_them(real: Real) -> None:
    settings = Experts(batch_size=64, optimiser=Gsam())
    keys = [Key(seed) for seed in range(3)]

    def ends(keys: list[Key]) -> torch.Tensor:
        return list(experts.train(Eager(NETWORK), real.train, 2, settings, Augment(), 1, keys))[-1].theta

    assert torch.equal(ends(keys), torch.cat([ends([key]) for key in keys]))


def test_experts_learn(real: Real) -> None:
    theta = trained(real, 10, lr=0.1)[-1]
    (images,) = real.validation.batches(len(real.validation))
    guesses = NETWORK.apply(theta, images).argmax(1)
    assert float((guesses == real.validation.labels).float().mean()) > 0.9


def test_the_window_is_what_segments_read() -> None:
    objective = Trajectory(min_start_epoch=2, max_start_epoch=5, expert_epochs=3)
    assert Snapshots.of(objective) == Snapshots(2, 7)
    later = Snapshots.of(objective, 20)
    assert (later, later.end, Snapshots.of(objective, 7)) == (Snapshots(2, 7, 20), 20, Snapshots(2, 7))
    assert [epoch for epoch in range(30) if later.holds(epoch)] == [2, 3, 4, 5, 6, 7, 20]
