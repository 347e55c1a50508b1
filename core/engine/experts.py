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
    """The epochs that are read: segments', [first, last], and `final`, later than those, if there is one."""

    first: int
    last: int
    final: int | None = None

    @property
    def end(self) -> int:
        """The last epoch that is trained."""
        return self.last if self.final is None else self.final

    def holds(self, epoch: int) -> bool:
        """Whether an epoch is read."""
        return self.first <= epoch <= self.last or epoch == self.final


def window(objective: Trajectory, judging: int | None = None) -> Window:
    """The snapshots an objective can ask for, and the one of the epoch after which experts judge images."""
    last = objective.max_start_epoch - 1 + objective.expert_epochs
    return Window(objective.min_start_epoch, last, judging if judging is not None and judging > last else None)


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
