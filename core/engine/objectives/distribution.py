"""Match mean embeddings, class by class, under freshly initialised networks (Zhao & Bilen 2023)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from core.engine.augment import dsa
from core.engine.keys import Key
from core.engine.networks import Network
from core.engine.real import Real
from core.engine.synthetic import Gradients, Synthetic
from core.recipe import Augment, Distribution


def distance(
    objective: Distribution,
    network: Network,
    augment: Augment,
    real: Real,
    synthetic: Synthetic,
    key: Key,
    step: int,
    begin: Callable[[Key], Tensor] | None = None,
) -> tuple[Tensor, Gradients]:
    """sum_c || mean psi(real of c) - mean psi(synthetic of c) ||^2 under a network drawn by (key, step).

    `begin` says which, if not one of the network's own initialisations. Real and synthetic images of a class see the
    same augmentation. Synthetic images lie class by class.
    """
    draw = key.fold("embedding", step)
    theta = (begin or network.init)(draw.fold("network")).to(synthetic.images.device)
    total = torch.zeros((), device=theta.device)
    gradient = torch.zeros_like(synthetic.images)
    for c, (members, part) in enumerate(zip(real.members, synthetic.parts(real.classes), strict=True)):
        own = slice(part.start, part.stop)
        chosen = members[draw.fold("real", c).permutation(len(members))[: objective.real_batch].to(members.device)]
        view = draw.fold("view", c)
        with torch.no_grad():
            goal = network.embed(theta, dsa(real.train.take(chosen), augment, view, shared=True)).mean(0)
        with torch.enable_grad():
            images = synthetic.images[own].detach().requires_grad_()
            mean = network.embed(theta, dsa(images, augment, view, shared=True)).mean(0)
            loss = (mean - goal).square().sum()
            (gradient[own],) = torch.autograd.grad(loss, images)
        total += loss.detach()
    return total, Gradients(gradient, None, None)
