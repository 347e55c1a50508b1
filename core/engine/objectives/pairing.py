"""Make a teacher see enlarged tiles as it sees the real images that they were made of.

Shang, Sun, Shi, Wang & Lin 2026 (CIM).
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from core.engine.augment import dsa
from core.engine.keys import Key
from core.engine.networks import Network
from core.engine.pullback import pullback
from core.engine.synthetic import Gradients, Synthetic
from core.engine.teacher import Teacher
from core.plan import limits
from core.recipe import Augment, Paired


def distance(
    objective: Paired, teacher: Teacher, augment: Augment, synthetic: Synthetic, key: Key, step: int
) -> tuple[Tensor, Gradients]:
    """The sum over pairs of the mean distance of two features, and its gradient in the synthetic images.

    Both images of a pair see the same augmentation. Pairs do not depend on each other.
    """
    assert synthetic.anchors is not None, "images that are paired know the real ones"
    see = partial(dsa, augment=augment, key=key.fold("paired", step))
    anchors, (seen, pull_back) = see(synthetic.anchors), pullback(see, synthetic.images)
    place, total = _place(teacher.network, objective.depth), torch.zeros((), device=seen.device)
    bars = []
    for real, images in zip(anchors.split(limits.RECOVERED), seen.split(limits.RECOVERED), strict=True):
        with torch.no_grad():
            goal = features(teacher, real, place)
        with torch.enable_grad():
            images = images.detach().requires_grad_()
            apart = features(teacher, images, place) - goal
            loss = (apart.square() if objective.distance == "squared" else apart.abs()).mean(1).sum()
            bars += torch.autograd.grad(loss, images)
        total += loss.detach()
    return total, Gradients(pull_back(torch.cat(bars)), None, None)


def features(teacher: Teacher, images: Tensor, place: int | None) -> Tensor:
    """[n, d] of images [n, C, H, W]: the inputs of a convolution, counted from 0; None: those of the linear layer."""
    if place is None:
        return teacher.network.embed(teacher.theta, images, teacher.moments)
    _, taps = teacher.network.trace(teacher.theta, images, teacher.moments)
    return taps.convolutions[place].flatten(1)


def _place(network: Network, depth: float) -> int | None:
    """The convolution that reads the features at a depth; None after the last."""
    weights = [name for name, _ in network.layout if name.startswith("conv") and name.endswith("weight")]
    place = max(1, round(depth * len(weights)))
    return None if place == len(weights) else place
