"""Stored trajectories: how faithful they are, what they cost, and what they survive."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from core.engine import experts, trajectories
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.networks import build
from core.engine.real import Real
from core.engine.trajectories import Expert
from core.plan.steps import Snapshots
from core.recipe import Augment, Experts, Network

CPU = torch.device("cpu")
NETWORK = build(Network(width=8, depth=2), (1, 8, 8), 2)
EPOCHS = 20


@pytest.fixture(scope="module")
def snapshots(real: Real) -> list[Tensor]:
    """An expert's, from its initialisation on."""
    settings = Experts(batch_size=64, lr=0.05)
    moments = experts.train(Eager(NETWORK), real.train, 2, settings, Augment(), EPOCHS, [Key(0)])
    return [moment.theta[0] for moment in moments if moment.step == 0]


def stored(path: Path, thetas: list[Tensor], first: int = 0) -> Expert:
    path.write_bytes(trajectories.pack(thetas, first))
    expert = trajectories.read(path, Snapshots(first, first + len(thetas) - 1), CPU)
    assert expert is not None
    return expert


def test_points_and_displacements_are_the_expert_s(snapshots: list[Tensor], tmp_path: Path) -> None:
    expert = stored(tmp_path / "expert", snapshots)
    for epoch in range(EPOCHS - 1):
        true = snapshots[epoch + 2] - snapshots[epoch]
        told = expert.snapshot(epoch + 2) - expert.snapshot(epoch)
        assert (told - true).norm() < 0.06 * true.norm()
        assert torch.dot(told, true) > 0.998 * told.norm() * true.norm()
        assert (expert.snapshot(epoch) - snapshots[epoch]).norm() < 0.06 * true.norm()


def test_errors_do_not_add_up(snapshots: list[Tensor], tmp_path: Path) -> None:
    """Each epoch is off by the rounding of one step: half a level a parameter, however many went before."""
    expert = stored(tmp_path / "expert", snapshots)
    for epoch in range(1, EPOCHS + 1):
        step = (snapshots[epoch] - expert.snapshot(epoch - 1)).abs().max()
        assert (expert.snapshot(epoch) - snapshots[epoch]).abs().max() <= step / 31 * 0.51


def test_it_takes_less_than_a_byte_a_parameter_and_epoch(snapshots: list[Tensor]) -> None:
    size, fixed = len(snapshots[0]), 1024
    assert len(trajectories.pack(snapshots, 0)) < size * (2 + 0.8 * EPOCHS) + fixed
    whole_float32 = 4 * size * 51  # what the reference keeps of an expert, of which 22 epochs are read
    assert len(trajectories.pack([*snapshots, snapshots[-1]], 0)) < whole_float32 / 10 + fixed


def test_the_window_starts_where_it_says(snapshots: list[Tensor], tmp_path: Path) -> None:
    expert = stored(tmp_path / "expert", snapshots[3:6], 3)
    assert torch.allclose(expert.snapshot(3), snapshots[3], rtol=1e-3, atol=1e-6)
    assert (expert.snapshot(5) - snapshots[5]).norm() < 0.06 * (snapshots[5] - snapshots[3]).norm()


def test_the_end_of_the_training_lies_beside_the_window(snapshots: list[Tensor], tmp_path: Path) -> None:
    path = tmp_path / "expert"
    path.write_bytes(trajectories.pack([*snapshots[1:4], snapshots[-1]], 1, EPOCHS))
    expert = trajectories.read(path, Snapshots(1, 3, EPOCHS), CPU)
    assert expert is not None
    assert (expert.snapshot(EPOCHS) - snapshots[-1]).norm() < 0.06 * (snapshots[-1] - snapshots[3]).norm()
    assert (expert.snapshot(3) - snapshots[3]).norm() < 0.06 * (snapshots[3] - snapshots[1]).norm()
    assert trajectories.read(path, Snapshots(1, 3), CPU) is not None
    for beyond in (Snapshots(1, 4), Snapshots(1, 4, EPOCHS), Snapshots(1, 3, EPOCHS - 1)):
        assert trajectories.read(path, beyond, CPU) is None
    path.write_bytes(trajectories.pack(snapshots, 0))
    assert trajectories.read(path, Snapshots(1, 3, EPOCHS), CPU) is not None, "a longer window holds it"


def test_sizes_that_fill_no_block_and_parameters_that_rest(tmp_path: Path) -> None:
    start = Key(1).normal(100)
    moved = start.clone()
    moved[70:] += Key(2).normal(30) * 1e-6
    expert = stored(tmp_path / "expert", [start, moved, moved])
    assert expert.snapshot(2).shape == (100,)
    assert torch.allclose(expert.snapshot(2), moved, rtol=0, atol=1e-5)
    alone = stored(tmp_path / "alone", [start])
    assert torch.allclose(alone.snapshot(0), start, rtol=1e-3, atol=1e-6)


def test_a_trajectory_that_diverged_says_so(tmp_path: Path) -> None:
    start = Key(1).normal(64)
    expert = stored(tmp_path / "expert", [start, start * float("nan")])
    assert expert.snapshot(1).isnan().all()


@pytest.mark.parametrize(
    ("needed", "found"),
    [(Snapshots(1, 4), True), (Snapshots(2, 3), True), (Snapshots(0, 3), False), (Snapshots(1, 5), False)],
)
def test_only_a_file_with_every_epoch_is_read(
    snapshots: list[Tensor], tmp_path: Path, needed: Snapshots, found: bool
) -> None:
    path = tmp_path / "expert"
    path.write_bytes(trajectories.pack(snapshots[1:5], 1))
    assert (trajectories.read(path, needed, CPU) is not None) is found


def test_a_missing_broken_or_old_file_is_none(tmp_path: Path) -> None:
    broken, old = tmp_path / "broken", tmp_path / "old"
    broken.write_bytes(b"not a trajectory")
    safetensors.torch.save_file({"theta": torch.zeros(3, 8)}, old, metadata={"first": "0"})
    for path in (broken, old, tmp_path / "missing"):
        assert trajectories.read(path, Snapshots(0, 1), CPU) is None


def test_what_was_read_outlives_its_file(snapshots: list[Tensor], tmp_path: Path) -> None:
    """Another engine may trim the cache while a job distils."""
    path = tmp_path / "expert"
    expert = stored(path, snapshots)
    path.unlink()
    assert (expert.snapshot(EPOCHS) - snapshots[-1]).norm() < 0.06 * (snapshots[-1] - snapshots[-3]).norm()
