"""The datasets of the claims: parts of real ones, small enough for two cores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Changes = Mapping[str, Any]
"""Fields of a recipe by path."""


@dataclass(frozen=True)
class Subset:
    """A dataset as the claims use it.

    told: in the table. source: the bundle it is cut from, None for what the service brings along. train, test: images
    of each class. classes: the first ones, None for all. overrides: what every job on it has in common: network and
    evaluation, small enough for two cores.
    """

    told: str
    overrides: Changes
    source: str | None = None
    train: int = 0
    test: int = 0
    classes: int | None = None


_JUDGED = {"evaluation.seeds": 2, "evaluation.full": None}

_SHORT = {**_JUDGED, "network.width": 32, "evaluation.epochs": 300}

DATASETS = {
    "digits": Subset("digits 8x8, ConvNet-2 W32", _JUDGED),
    "cifar10": Subset("CIFAR-10, ConvNet-3 W32", _SHORT, "cifar10", train=5000, test=1000),
    "cifar10-500": Subset(
        "CIFAR-10, 450 training images a class, ConvNet-3 W32", _SHORT, "cifar10", train=500, test=200
    ),
    "cifar10-1000": Subset(
        "CIFAR-10, 1,000 training images a class, ConvNet-3 W32, batch norm", _SHORT, "cifar10", train=1112, test=500
    ),
    "fashion-500": Subset(
        "Fashion-MNIST, 450 training images a class, ConvNet-2 W32", _SHORT, "fashion-mnist", train=500, test=200
    ),
    "fashion-500-3": Subset(
        "Fashion-MNIST, 450 training images a class, ConvNet-3 W32",
        {**_SHORT, "network.depth": 3},
        "fashion-mnist",
        train=500,
        test=200,
    ),
    "lung": Subset(
        "lung histopathology 64x64, 648 training images a class, ConvNet-4 W32",
        _SHORT,
        "lc25000-lung-64",
        train=720,
        test=180,
    ),
    "tiny-20": Subset(
        "the first 20 classes of Tiny-ImageNet, 64x64, 270 training images a class, ConvNet-4 W32",
        _SHORT,
        "tiny-imagenet-100c",
        train=300,
        test=50,
        classes=20,
    ),
}
