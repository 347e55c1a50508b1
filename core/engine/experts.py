"""Experts: networks trained on the real data, of which the epochs that segments read are kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch.nn.functional as F

from core.engine.kernels import Kernels
from core.engine.keys import Key
from core.engine.real import Labelled
from core.engine.train import Moment, Protocol, sgd
from core.recipe import Augment, Experts, Gsam, Trajectory


@dataclass(frozen=True)
class Window:
    """The epochs [first, last] that segments read."""

    first: int
    last: int


def window(objective: Trajectory) -> Window:
    """The snapshots an objective can ask for."""
    return Window(objective.min_start_epoch, objective.max_start_epoch - 1 + objective.expert_epochs)


def train(
    kernels: Kernels, real: Labelled, classes: int, experts: Experts, augment: Augment, last: int, keys: Sequence[Key]
) -> Iterator[Moment]:
    """Train an expert a key together: every step from the initialisations to the end of epoch `last`.

    The moments with `step == 0` are the snapshots after whole epochs.
    """
    protocol = Protocol(
        last,
        experts.batch_size,
        experts.lr,
        experts.momentum,
        experts.weight_decay,
        "constant",
        augment if experts.augment else Augment(transforms=()),
        flat=experts.optimiser if isinstance(experts.optimiser, Gsam) else None,
    )
    return sgd(kernels, real.take, F.one_hot(real.labels, classes).float(), protocol, keys)
