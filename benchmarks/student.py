"""A stranger's student: trains on a downloaded artifact as its report says, in plain PyTorch, without the project.

Whoever doubts a report can read this page: the network, the augmentation and the training loop are written anew from
the protocol in `report.json`, and the data come from the artifact's own `load.py`.
"""

from __future__ import annotations

import json
import math
import re
import runpy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Protocol:
    """How a report says that its networks were trained."""

    network: str
    epochs: int
    batch_size: int
    lr: float
    momentum: float
    weight_decay: float
    schedule: str
    transforms: tuple[str, ...]

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> Protocol:
        """The protocol of the row `distilled`."""
        protocol = report["protocol"]
        row = next(row for row in report["results"] if row["name"] == "distilled")
        return cls(
            network=row["network"],
            epochs=protocol["epochs"],
            batch_size=protocol["batch_size"],
            lr=row["lr"],
            momentum=protocol["momentum"],
            weight_decay=protocol["weight_decay"],
            schedule=protocol["schedule"],
            transforms=tuple(report["augment"]["transforms"]) if protocol["augment"] else (),
        )

    def rate(self, epoch: int) -> float:
        """Learning rate in an epoch: `step` is a tenth after half of them, `cosine` falls to zero."""
        match self.schedule:
            case "step":
                return self.lr * (0.1 if epoch > self.epochs // 2 else 1.0)
            case "cosine":
                return self.lr * (1 + math.cos(math.pi * epoch / self.epochs)) / 2
            case _:
                return self.lr


def convnet(name: str, channels: int, side: int, classes: int) -> nn.Sequential:
    """`convnet-d2-w32-instance`: 2 x (3x3 convolution to 32 channels, instance norm, ReLU, average pooling), linear."""
    match = re.fullmatch(r"convnet-d(\d+)-w(\d+)-instance", name)
    if match is None:
        raise ValueError(f"This student is an instance-norm ConvNet; the report's network is {name}.")
    depth, width = int(match[1]), int(match[2])
    layers: list[nn.Module] = []
    for block in range(depth):
        padding = 3 if block == 0 and (channels, side) == (1, 28) else 1  # 28 becomes 32, as the field does for MNIST
        side = (side + 2 * padding - 2) // 2
        layers += [
            nn.Conv2d(channels, width, 3, padding=padding),
            nn.GroupNorm(width, width),
            nn.ReLU(),
            nn.AvgPool2d(2),
        ]
        channels = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(width * side * side, classes))


def train(images: Tensor, targets: Tensor, classes: int, protocol: Protocol, seed: int) -> nn.Module:
    """A fresh network trained on images [n, C, H, W] with targets [n] or soft targets [n, classes]."""
    torch.manual_seed(seed)
    network = convnet(protocol.network, images.shape[1], images.shape[2], classes)
    descent = torch.optim.SGD(
        network.parameters(), protocol.lr, momentum=protocol.momentum, weight_decay=protocol.weight_decay
    )
    for epoch in range(protocol.epochs):
        descent.param_groups[0]["lr"] = protocol.rate(epoch)
        for batch in torch.split(torch.randperm(len(images)), protocol.batch_size):
            loss = F.cross_entropy(network(view(images[batch], protocol.transforms)), targets[batch])
            descent.zero_grad()
            loss.backward()
            descent.step()
    return network


def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of `images` that the network gets right."""
    with torch.no_grad():
        return float((network(images).argmax(1) == labels).float().mean())


def retrain(folder: Path, pixels: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], seeds: int) -> list[float]:
    """Test accuracy of `seeds` fresh networks that have seen the files in `folder` and nothing else.

    `pixels` uint8 [N, C, H, W] and `labels` [N] are the test set. One artifact is read with its own `load.py`.
    """
    data = runpy.run_path(str(folder / "load.py"), run_name="load")["load"](folder)
    protocol = Protocol.of(json.loads((folder / "report.json").read_text("utf-8")))
    images, targets = torch.from_numpy(data.images), torch.from_numpy(data.targets)
    test_images, test_labels = torch.from_numpy(data.transform(pixels)), torch.from_numpy(labels)
    networks = (train(images, targets, len(data.class_names), protocol, seed) for seed in range(seeds))
    return [accuracy(network, test_images, test_labels) for network in networks]


# --- DSA, strategy "S" (Zhao & Bilen 2021): one transform a batch, its parameters drawn for each image


def view(x: Tensor, transforms: tuple[str, ...]) -> Tensor:
    """The batch under one transform drawn from `transforms`."""
    if not transforms:
        return x
    transform = _TRANSFORMS[transforms[int(torch.randint(len(transforms), ()))]]
    return transform(x)


def _color(x: Tensor) -> Tensor:
    brightness, saturation, contrast = torch.rand(3, len(x), 1, 1, 1).unbind()
    x = x + brightness - 0.5
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * 2 * saturation
    level = x.mean((1, 2, 3), keepdim=True)
    return level + (x - level) * (contrast + 0.5)


def _crop(x: Tensor) -> Tensor:
    height, width = x.shape[2:]
    dy, dx = round(height / 8), round(width / 8)
    padded = F.pad(x, (dx, dx, dy, dy))
    tops, lefts = torch.randint(2 * dy + 1, (len(x),)), torch.randint(2 * dx + 1, (len(x),))
    return torch.stack(
        [p[:, t : t + height, i : i + width] for p, t, i in zip(padded, tops.tolist(), lefts.tolist(), strict=True)]
    )


def _cutout(x: Tensor) -> Tensor:
    height, width = x.shape[2:]
    hole_y, hole_x = round(height / 2), round(width / 2)
    top = torch.randint(height + 1 - hole_y % 2, (len(x), 1)) - hole_y // 2
    left = torch.randint(width + 1 - hole_x % 2, (len(x), 1)) - hole_x // 2
    rows, columns = torch.arange(height), torch.arange(width)
    inside_y = (rows >= top) & (rows < top + hole_y)
    inside_x = (columns >= left) & (columns < left + hole_x)
    return x.masked_fill((inside_y[:, :, None] & inside_x[:, None, :])[:, None], 0)


def _flip(x: Tensor) -> Tensor:
    return torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(3), x)


def _scale(x: Tensor) -> Tensor:
    sx, sy = (1 / 1.2 + (1.2 - 1 / 1.2) * torch.rand(2, len(x))).unbind()
    zero = torch.zeros(len(x))
    return _warp(x, torch.stack((sx, zero, zero, zero, sy, zero), 1))


def _rotate(x: Tensor) -> Tensor:
    angle = torch.deg2rad((torch.rand(len(x)) * 2 - 1) * 15)
    sin, cos, zero = angle.sin(), angle.cos(), torch.zeros(len(x))
    return _warp(x, torch.stack((cos, -sin, zero, sin, cos, zero), 1))


def _warp(x: Tensor, matrix: Tensor) -> Tensor:
    grid = F.affine_grid(matrix.view(-1, 2, 3), list(x.shape), align_corners=True)
    return F.grid_sample(x, grid, align_corners=True)


_TRANSFORMS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "color": _color,
    "crop": _crop,
    "cutout": _cutout,
    "flip": _flip,
    "scale": _scale,
    "rotate": _rotate,
}
