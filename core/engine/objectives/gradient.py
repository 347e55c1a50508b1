"""Match the gradients that synthetic and real images give a network, class by class (Zhao, Mopuri & Bilen 2021).

The distance depends on the images through the gradient g of the network's loss on them alone, so that its derivative
is that of <g, u> with u = d distance / d g: one call of the kernels' adjoint a class.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine.augment import dsa
from core.engine.kernels import Kernels
from core.engine.keys import Key
from core.engine.networks import Network
from core.engine.pullback import pullback
from core.engine.real import Real
from core.engine.synthetic import Gradients, Synthetic
from core.engine.train import Protocol, Take, drawn, sgd, shared
from core.recipe import Augment, Gradient

_SMOOTH = 1e-12  # added to a squared norm, which has no derivative at 0
_EPS = 1e-6  # keeps the cosine of an output that no image reaches finite


def distance(
    objective: Gradient,
    kernels: Kernels,
    augment: Augment,
    real: Real,
    synthetic: Synthetic,
    key: Key,
    step: int,
    student: Tensor | None,
    weight: Callable[[int], float] | None = None,
    begin: Callable[[Key], Tensor] | None = None,
) -> tuple[Tensor, Gradients, Tensor | None]:
    """sum_c D(grad loss(real of c), grad loss(synthetic of c)) at the student's parameters theta, and its gradient.

    `student` is the theta [P] of the last match: this one is after `inner_loops` epochs of training. Every
    `outer_loops` matches a fresh network takes its place, and so one does where there is none; `begin` says which, if
    not one of the network's own initialisations. Returned is the theta that was matched, or None where the next step
    begins afresh. `weight`, by the outer step, adds as much of each
    synthetic gradient's norm to the loss (SDC). Real and synthetic images of a class see the same
    augmentation. Synthetic images lie class by class.
    """
    loop = step % objective.outer_loops
    draw = key.fold("match", step)
    if loop == 0 or student is None:
        theta = (begin or kernels.network.init)(draw.fold("network")).to(synthetic.images.device)
    else:
        theta = _trained(objective, kernels, augment, real, synthetic, student, draw.fold("training"))
    total = torch.zeros((), device=theta.device)
    images_bar, labels_bar = torch.zeros_like(synthetic.images), torch.zeros_like(synthetic.labels)
    for c, (members, part) in enumerate(zip(real.members, synthetic.parts(real.classes), strict=True)):
        chosen = members[draw.fold("real", c).permutation(len(members))[: objective.real_batch].to(members.device)]
        own = part.start + _some(len(part), objective.syn_batch, draw.fold("synthetic", c)).to(theta.device)
        view = partial(dsa, augment=augment, key=draw.fold("view", c), shared=True)
        truth = F.one_hot(real.train.labels[chosen], real.classes).to(synthetic.labels.dtype)
        goal = kernels.gradient(theta, view(real.train.take(chosen)), truth)
        seen, pull_back = pullback(view, synthetic.images[own])
        g, residuals = kernels.gradient_with_residuals(theta, seen, synthetic.labels[own])
        value, u = _slope(objective, kernels.network, goal, g)
        if weight:
            norm = ((g * g).sum() + _SMOOTH).sqrt()
            value, u = value + weight(step) * norm, u + weight(step) / norm * g
        bars = kernels.adjoint_from_residuals(theta, residuals, u)
        total = total + value
        images_bar.index_add_(0, own, pull_back(bars.images))
        labels_bar.index_add_(0, own, bars.labels)
    last = loop + 1 == objective.outer_loops
    return total, Gradients(images_bar, labels_bar, None), None if last else theta


def dissimilarity(objective: Gradient, network: Network, goal: Tensor, g: Tensor) -> Tensor:
    """D of two gradients [P], a scalar.

    "cosine": 1 - cosine, summed over the rows of every weight matrix, a row being all weights of one output (Zhao,
    Mopuri & Bilen 2021, equation 10). "mse" and "l1": squares and moduli of the differences, summed over the
    convolutions' weights (Kim et al. 2022, as released). Biases and norms are left out.
    """
    goals, own = network.unflatten(goal), network.unflatten(g)
    total = torch.zeros((), device=g.device, dtype=g.dtype)
    for name, weight in own.items():
        if weight.ndim < 2 or (objective.distance != "cosine" and not name.startswith("conv")):
            continue
        match objective.distance:
            case "cosine":
                a, b = goals[name].flatten(1), weight.flatten(1)
                total = total + (1 - (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + _EPS)).sum()
            case "mse":
                total = total + (goals[name] - weight).square().sum()
            case "l1":
                total = total + (goals[name] - weight).abs().sum()
    return total


def _slope(objective: Gradient, network: Network, goal: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    """D, and d D / d g."""
    with torch.enable_grad():
        g = g.detach().requires_grad_()
        value = dissimilarity(objective, network, goal, g)
        (u,) = torch.autograd.grad(value, g)
    return value.detach(), u


def _some(n: int, size: int | None, key: Key) -> Tensor:
    """All of n, in order, or a draw of them."""
    return torch.arange(n) if size is None or size >= n else key.permutation(n)[:size]


def _trained(
    objective: Gradient,
    kernels: Kernels,
    augment: Augment,
    real: Real,
    synthetic: Synthetic,
    student: Tensor,
    key: Key,
) -> Tensor:
    """The student after the epochs between two matches."""
    take: Take
    match objective.inner:
        case "synthetic":
            take, labels = shared(synthetic.images), synthetic.labels
        case "real":
            some = _some(len(real.train), objective.inner_images, key.fold("real")).to(student.device)
            take = drawn(real.train.take, some[None])
            labels = F.one_hot(real.train.labels[some], real.classes).to(synthetic.labels.dtype)
    protocol = Protocol(
        objective.inner_loops,
        objective.student_batch,
        objective.student_lr,
        objective.student_momentum,
        objective.student_weight_decay,
        "constant",
        augment,
    )
    *_, last = sgd(kernels, take, labels, protocol, [key], start=student[None])
    return last.theta[0]
