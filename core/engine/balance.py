"""Real images of which each class counts alike, however many there are of it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine.keys import Key
from core.engine.real import Real
from core.recipe.balance import Balance


def weights(labels: Tensor, classes: int) -> Tensor:
    """The weight n / (K n_c) of each of n images by its class, float32 [n]; K counts the classes that are there."""
    counts = torch.bincount(labels, minlength=classes)
    each = len(labels) / ((counts > 0).sum() * counts.clamp_min(1))
    return each[labels]


def supervision(labels: Tensor, classes: int, balance: Balance) -> Tensor:
    """Label probabilities [n, K] of real images; where the loss is balanced, times the weight of each image."""
    one_hot = F.one_hot(labels, classes).float()
    return one_hot * weights(labels, classes)[:, None] if balance == "loss" else one_hot


def members(labels: Tensor, classes: int, balance: Balance) -> tuple[Tensor, ...] | None:
    """The indices of each class, where batches are balanced: what `train.Protocol.members` asks for."""
    if balance != "batches":
        return None
    return tuple((labels == c).nonzero().flatten() for c in range(classes))


def drawn(real: Real, n: int, balance: Balance, key: Key) -> tuple[Tensor, Tensor]:
    """Training indices of at most n images int64 [m], each once, and their weights float32 [m].

    Of balanced batches a class has n / K images, or all of its own; the weights make up for those that it lacks.
    """
    labels = real.train.labels
    if balance == "batches":
        own = [own for own in real.members if len(own)]
        picks = [m[key.fold(c).permutation(len(m))[: -(-n // len(own))].to(m.device)] for c, m in enumerate(own)]
        chosen = torch.cat(picks)
        return chosen, weights(labels[chosen], real.classes)
    chosen = key.permutation(len(labels))[:n].to(labels.device)
    every = weights(labels, real.classes) if balance == "loss" else torch.ones(len(labels), device=labels.device)
    return chosen, every[chosen]


def order(key: Key, n: int, members: Sequence[Tensor]) -> Tensor:
    """The order in which a network sees n images, int64 [n] on the CPU: of each class as many, give or take one.

    A class that has too few is gone through again, each time in another order.
    """
    own = [own.cpu() for own in members if len(own)]
    picks = []
    for c, indices in enumerate(own):
        share = n // len(own) + (c < n % len(own))
        rounds = [
            indices[key.fold("class", c, again).permutation(len(indices))] for again in range(-(-share // len(indices)))
        ]
        picks.append(torch.cat(rounds)[:share])
    return torch.cat(picks)[key.permutation(n)]
