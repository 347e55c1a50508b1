"""Targets in closed form: what a regression on the synthetic images is given, and what it sees of them."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from core.engine import balance, ridge
from core.engine.keys import Key
from core.engine.networks import Network
from core.engine.real import Labelled, Real
from core.recipe import Solved


def solve(labels: Solved, network: Network, images: Tensor, classes: Tensor, real: Real) -> Tensor:
    """Targets [M, K] of images [M, C, H, W] of `classes` [M], measured on the training split or a part of it.

    On pixels `ridge.solve`, on features of networks `ridge.agree`. The networks are drawn by no job's key: the same
    images have the same targets.
    """
    support = _support(labels, real)
    if labels.features == "pixels":
        known = ridge.pairs(ridge.PIXELS, support, real.classes)
        return ridge.solve(ridge.PIXELS(images), known, labels.ridge).float()
    alike = labels.balance == "loss"
    keys = [Key(0).fold("targets", i) for i in range(labels.networks)]
    seen = [ridge.of_networks(network, [key], real.device) for key in keys]
    usual = ridge.centred(F.one_hot(classes, real.classes).float())
    owns, knowns = [f(images) for f in seen], [ridge.pairs(f, support, real.classes, alike) for f in seen]
    return ridge.agree(owns, knowns, usual, labels.ridge).float()


def _support(labels: Solved, real: Real) -> Labelled:
    """The real images that the error is measured on.

    Where each class counts alike there are as many of one as of the other, or all of its own: among images that are
    evenly spaced there may be none of a rare class.
    """
    n, train = labels.support, real.train
    if n is None or n >= len(train):
        return train
    if labels.balance == "none":
        return train.sample(n)
    chosen, _ = balance.drawn(real, n, "batches", Key(0).fold("support"))
    return Labelled(train.stored[chosen], train.labels[chosen], train.transform)
