"""Experts: networks trained on the real data, of which the epochs that segments read are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from core.engine import balance, evaluate
from core.engine.kernels import Kernels
from core.engine.keys import Key
from core.engine.real import Labelled
from core.engine.synthetic import SyntheticDataset
from core.engine.train import Protocol, TrainState, sgd, shared
from core.recipe import Augment, Experts, Gsam, Recipe


def train(
    kernels: Kernels,
    real: Labelled,
    classes: int,
    experts: Experts,
    augment: Augment,
    last: int,
    keys: Sequence[Key],
    start: Tensor | None = None,
) -> Iterator[TrainState]:
    """Train an expert a key together: every step from the initialisations, or `start` [S, P], to the end of epoch
    `last`.

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
        members=balance.members(real.labels, classes, experts.balance),
    )
    labels = balance.supervision(real.labels, classes, experts.balance)
    return sgd(kernels, real.take, labels, protocol, keys, start=start)


def prepare(
    kernels: Kernels, recipe: Recipe, before: SyntheticDataset, classes: int, keys: Sequence[Key]
) -> Generator[float, None, Tensor]:
    """Train a network a key that a later stage begins with, on what the stages `before` made: theta [S, P].

    On S_1, then on S_1 u S_2, ..., as a result is evaluated, but for the recipe's `schedule.stages.epochs` each.
    """
    protocol = replace(evaluate.on_result(recipe, before), epochs=recipe.schedule.stages.epochs)
    labels = before.supervision(classes)
    for moment in sgd(kernels, shared(before.images), labels, protocol, keys):
        yield moment.epochs / protocol.total_epochs
    return moment.theta


def beginning(recipe: Recipe, before: SyntheticDataset) -> dict[str, Any]:
    """The facts that determine the networks of `prepare`, beside their keys and what determines all experts."""
    content = hashlib.sha256()
    for tensor in (before.images, before.labels, before.soft_labels, before.real, before.stage):
        content.update(b"" if tensor is None else tensor.cpu().contiguous().numpy().tobytes())
    unread = {"seeds", "epochs", "baseline_lrs", "full", "look_every", "select", "coverage", "measure"}
    return {
        "synthetic": content.hexdigest(),
        "step_sizes": list(before.step_sizes),
        "epochs": recipe.schedule.stages.epochs,
        "protocol": recipe.evaluation.model_dump(mode="json", exclude=unread),
    }
