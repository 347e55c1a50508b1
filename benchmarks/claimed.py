"""The claims as data: what each paper says first of its method, and the two jobs that decide it here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Changes = Mapping[str, Any]
"""Fields of a recipe by path."""


@dataclass(frozen=True)
class Subset:
    """A dataset as the claims use it.

    told: in the table. source: the bundle it is cut from, None for what the service brings along. train, test: images
    of each class. overrides: what every job on it has in common: network, evaluation, small enough for two cores.
    """

    told: str
    overrides: Changes
    source: str | None = None
    train: int = 0
    test: int = 0


@dataclass(frozen=True)
class Arm:
    """A job: method and changes to its recipe. line: of the report's results, whose accuracy is taken."""

    name: str
    method: str
    overrides: Changes = field(default_factory=dict)
    line: str = "distilled"


@dataclass(frozen=True)
class Claim:
    """`better` is claimed to be more accurate than `than`."""

    name: str
    method: str
    paper: str
    restated: str
    dataset: str
    ipc: int
    better: Arm
    than: Arm
    overrides: Changes = field(default_factory=dict)


_JUDGED = {"evaluation.seeds": 2, "evaluation.full": None}

DATASETS = {
    "digits": Subset("digits 8x8, ConvNet-2 W32", _JUDGED),
    "cifar10-500": Subset(
        "CIFAR-10, 450 training images a class, ConvNet-3 W32",
        {**_JUDGED, "network.width": 32, "evaluation.epochs": 300, "evaluation.baseline_lrs": [0.01]},
        "cifar10",
        500,
        200,
    ),
    "fashion-500": Subset(
        "Fashion-MNIST, 450 training images a class, ConvNet-3 W32",
        {**_JUDGED, "network.width": 32, "evaluation.epochs": 300, "evaluation.baseline_lrs": [0.01]},
        "fashion-mnist",
        500,
        200,
    ),
}

_RANDOM = Arm("random", "random")

CLAIMS = (
    Claim(
        "mtt-digits",
        "mtt",
        "far above real images at ipc 1",
        "MTT above random real images",
        "digits",
        1,
        Arm("MTT", "mtt"),
        _RANDOM,
    ),
    Claim(
        "dm-digits",
        "dm",
        "above random selection without an inner loop",
        "DM above random real images",
        "digits",
        1,
        Arm("DM", "dm"),
        _RANDOM,
    ),
)
