"""Expert trajectories: networks trained on the real data by plain SGD, and the format their snapshots are stored in.

One trajectory is one safetensors file: `theta` [E, P] float32, the parameters after the epochs `first`..`first + E - 1`
(epoch 0 is the initialisation). Only the epochs a segment can read are trained and kept.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import safetensors
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine.augment import dsa
from core.engine.kernels import Kernels
from core.engine.keys import Key
from core.engine.real import Labelled
from core.recipe import Augment, Experts, Trajectory


@dataclass(frozen=True)
class Window:
    """The epochs [first, last] that segments read."""

    first: int
    last: int


def window(objective: Trajectory) -> Window:
    """The snapshots an objective can ask for."""
    return Window(objective.min_start_epoch, objective.max_start_epoch - 1 + objective.expert_epochs)


class Moment(NamedTuple):
    """An expert in training: `epoch` whole epochs and `step` of the next one's `steps` are behind it; theta [P]."""

    epoch: int
    step: int
    steps: int
    theta: Tensor


def train(
    kernels: Kernels, real: Labelled, classes: int, experts: Experts, augment: Augment, last: int, key: Key
) -> Iterator[Moment]:
    """Yield every step from the initialisation to the end of epoch `last`, each theta a tensor of its own.

    The moments with `step == 0` are the snapshots after whole epochs.
    """
    theta = kernels.network.init(key.fold("init")).to(real.images.device)
    velocity = torch.zeros_like(theta)
    targets = F.one_hot(real.labels, classes).to(theta.dtype)
    steps = -(-len(targets) // experts.batch_size)
    yield Moment(0, 0, steps, theta)
    for epoch in range(last):
        order = key.fold("order", epoch).permutation(len(targets)).to(theta.device)
        for step, batch in enumerate(order.split(experts.batch_size)):
            images = real.images[batch]
            if experts.augment:
                images = dsa(images, augment, key.fold("augment", epoch, step))
            g = kernels.gradient(theta, images, targets[batch])
            velocity = experts.momentum * velocity + g + experts.weight_decay * theta
            theta = theta - experts.lr * velocity
            yield Moment(*divmod(epoch * steps + step + 1, steps), steps, theta)


def save(path: Path, thetas: list[Tensor], first: int) -> None:
    """Write a trajectory so that a reader sees all of it or nothing."""
    whole = torch.stack(thetas).float().cpu().contiguous()
    partial = path.with_suffix(f".{os.getpid()}.part")
    safetensors.torch.save_file({"theta": whole}, partial, metadata={"first": str(first)})
    partial.replace(path)


def covers(path: Path, needed: Window) -> bool:
    """Whether a stored trajectory exists, is readable and holds the epochs `needed`."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            first = int(file.metadata()["first"])
            return first <= needed.first and needed.last < first + file.get_slice("theta").get_shape()[0]
    except (OSError, safetensors.SafetensorError):
        return False


class Trajectories:
    """Stored expert trajectories, mapped into memory and read one snapshot at a time."""

    def __init__(self, paths: list[Path], device: torch.device) -> None:
        self._files = [safetensors.safe_open(path, framework="pt") for path in paths]
        self._first = [int(file.metadata()["first"]) for file in self._files]
        self._device = device

    def __len__(self) -> int:
        return len(self._files)

    def snapshot(self, expert: int, epoch: int) -> Tensor:
        """theta [P] of an expert after an epoch, float32 on the device."""
        row: Tensor = self._files[expert].get_slice("theta")[epoch - self._first[expert]]
        return row.to(self._device)
