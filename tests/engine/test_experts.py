"""Experts: distinct snapshots, faithful storage, plain SGD."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from core.engine import experts
from core.engine.experts import Window
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.networks import build
from core.engine.real import Real
from core.recipe import Augment, Experts, Network, Trajectory

NETWORK = build(Network(width=4, depth=2), (1, 8, 8), 2)


def trained(real: Real, last: int = 3, **fields: object) -> list[torch.Tensor]:
    settings = Experts.model_validate({"batch_size": 64, **fields})
    moments = experts.train(Eager(NETWORK), real.train, 2, settings, Augment(), last, Key(0))
    return [moment.theta for moment in moments if moment.step == 0]


def test_snapshots_are_distinct_clones(real: Real) -> None:
    snapshots = trained(real)
    assert len(snapshots) == 4
    assert len({snapshot.data_ptr() for snapshot in snapshots}) == 4
    for one, next_ in pairwise(snapshots):
        assert (one - next_).square().sum() > 0


def test_every_step_is_a_moment(real: Real) -> None:
    moments = list(experts.train(Eager(NETWORK), real.train, 2, Experts(batch_size=100), Augment(), 2, Key(0)))
    steps = -(-len(real.train.labels) // 100)
    assert [(m.epoch, m.step) for m in moments] == [divmod(i, steps) for i in range(2 * steps + 1)]


def test_longer_training_begins_with_the_shorter(real: Real) -> None:
    for short, long in zip(trained(real, 2), trained(real, 4), strict=False):
        assert torch.equal(short, long)


def test_training_is_torchs_sgd(real: Real) -> None:
    fields = {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01, "augment": False, "batch_size": 1000}
    theta = torch.nn.Parameter(NETWORK.init(Key(0).fold("init")))
    optimiser = torch.optim.SGD([theta], lr=0.05, momentum=0.9, weight_decay=0.01)
    for _ in range(3):
        optimiser.zero_grad()
        F.cross_entropy(NETWORK.apply(theta, real.train.images), real.train.labels).backward()
        optimiser.step()
    assert torch.allclose(trained(real, **fields)[-1], theta, atol=1e-5)


def test_experts_learn(real: Real) -> None:
    theta = trained(real, 10, lr=0.1)[-1]
    guesses = NETWORK.apply(theta, real.validation.images).argmax(1)
    assert float((guesses == real.validation.labels).float().mean()) > 0.9


def test_storage_gives_back_the_window(real: Real, tmp_path: Path) -> None:
    snapshots = trained(real, 4)
    path = tmp_path / "expert.safetensors"
    experts.save(path, snapshots[1:], 1)
    stored = experts.Trajectories([path], torch.device("cpu"))
    assert len(stored) == 1
    for epoch in range(1, 5):
        assert torch.equal(stored.snapshot(0, epoch), snapshots[epoch])
    assert list(tmp_path.iterdir()) == [path], "no partial file stays"


@pytest.mark.parametrize(
    ("needed", "covered"), [(Window(1, 4), True), (Window(2, 3), True), (Window(0, 3), False), (Window(1, 5), False)]
)
def test_covers_says_whether_a_window_is_stored(real: Real, tmp_path: Path, needed: Window, covered: bool) -> None:
    path = tmp_path / "expert.safetensors"
    experts.save(path, trained(real, 4)[1:], 1)
    assert experts.covers(path, needed) is covered


def test_a_missing_or_broken_file_covers_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"not a trajectory")
    assert not experts.covers(broken, Window(0, 1))
    assert not experts.covers(tmp_path / "missing.safetensors", Window(0, 1))


def test_the_window_is_what_segments_read() -> None:
    objective = Trajectory(min_start_epoch=2, max_start_epoch=5, expert_epochs=3)
    assert experts.window(objective) == Window(2, 7)
