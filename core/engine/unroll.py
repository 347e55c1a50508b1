"""N steps of SGD on the synthetic set, and the exact gradient of any function of the path.

With u_i the cotangent of the velocity m_i, the adjoint of

    m_{i+1} = mu m_i + g(theta_i; x_i, y_i),    theta_{i+1} = theta_i - eta m_{i+1}

runs backwards with one `adjoint_step` an SGD step and needs of the forward pass only theta_0..theta_N: activation
memory does not grow with N. Maclaurin et al. 2015 for the recursion; Griewank 1992 for trading memory for one more
forward pass. A loss that also depends on the gradients' norms (SDC) adds to u_i alone, and TESLA's truncated gradient
is the same recursion without the Hessians. `plain` keeps the graph of all N steps instead, as the published
implementations do, and is the oracle of the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from core.engine.kernels import Kernels
from core.engine.keys import Key
from core.engine.networks import CrossEntropy
from core.engine.pullback import pullback

View = Callable[[Tensor], Tensor]
"""A differentiable, deterministic view of a batch of images, e.g. an augmentation with its key already chosen."""

Terminal = Callable[[Sequence[Tensor]], tuple[Tensor, Mapping[int, Tensor]]]
"""(theta_0..theta_N) -> (loss, {i: d loss / d theta_i}). The steps after the largest i are not part of the loss."""

Difficulty = Callable[[int], Mapping[int, float]]
"""(steps that are part of the loss) -> {i: weight of ||g_i||_2 in the loss}."""

_SMOOTH = 1e-12  # added to a squared norm, which has no derivative at 0


@dataclass(frozen=True)
class Segment:
    """A stretch of student training: where it starts, what it sees in each step, and how it moves.

    theta [P]; images [n, C, H, W]; labels [n, K] probabilities; step_size scalar; batches: N index tensors into images
    (they may repeat an image and may differ in length); views: N functions of a batch.
    """

    kernels: Kernels
    theta: Tensor
    images: Tensor
    labels: Tensor
    step_size: Tensor
    batches: Sequence[Tensor]
    views: Sequence[View]
    momentum: float = 0.0
    residual_bytes: int = 0
    """Bytes for what the last steps may keep of their forward pass, so that their adjoints need not repeat it."""
    difficulty: Difficulty | None = None
    """The weight of the gradients' norms in the loss; if given, the N gradients are kept too."""
    indirect: bool = True
    """Whether a step's effect on the gradients of later ones counts, as it does; without it, TESLA's gradient."""
    velocity: Tensor | None = None
    """The student's velocity at the start, [P], with momentum: a constant, as theta is. At rest if left out."""

    @property
    def kept(self) -> int:
        """How many steps do."""
        sizes = [self.kernels.kept_bytes(self.theta, size) for size in {len(batch) for batch in self.batches}]
        return min(len(self.batches), self.residual_bytes // max(sizes)) if self.residual_bytes and sizes else 0


class Cotangents(NamedTuple):
    """Gradients of the terminal loss, shaped like the segment's images, labels, step_size and theta."""

    images: Tensor
    labels: Tensor
    step_size: Tensor
    theta: Tensor


def adjoint(segment: Segment, terminal: Terminal) -> tuple[Tensor, Cotangents]:
    """The loss and its exact gradient, in activation memory that does not grow with the number of steps.

    Memory: N + 1 parameter vectors, what one step takes, and the segment's `residual_bytes`.
    Time: one gradient a step and one adjoint a step that is part of the loss, or 9 instead of 11 forward passes where a
    step keeps its residuals.
    """
    eta, mu = segment.step_size.detach(), segment.momentum
    path, gradients, kept = _run(segment)
    loss, injected = terminal(path)
    steps = max(injected)
    weights = segment.difficulty(steps) if segment.difficulty else {}
    lam = injected[steps]
    velocity_bar = torch.zeros_like(lam)
    images_bar = torch.zeros_like(segment.images)
    labels_bar = torch.zeros_like(segment.labels)
    eta_bar = torch.zeros_like(eta)
    for i in reversed(range(steps)):
        u = velocity_bar - eta * lam
        batch, view = segment.batches[i], segment.views[i]
        seen, pull_back = pullback(view, segment.images[batch])
        g_bar = u
        if i in weights:
            norm = _norm(gradients[i])
            loss = loss + weights[i] * norm
            g_bar = u + weights[i] / norm * gradients[i]
        while kept and kept[-1].step > i:
            kept.pop()  # of a step that is no part of the loss
        if kept and kept[-1].step == i:
            step = segment.kernels.adjoint_from_residuals(path[i], kept.pop().content, g_bar)
        else:
            step = segment.kernels.adjoint(path[i], seen, segment.labels[batch], g_bar)
        images_bar.index_add_(0, batch, pull_back(step.images))
        labels_bar.index_add_(0, batch, step.labels)
        # sum_i <u_i, g_i> = -eta sum_i <lam_{i+1}, m_{i+1}> by summation by parts: no velocity has to be stored
        eta_bar = eta_bar + (gradients[i] @ u if i in weights else step.along) / eta
        if segment.indirect:
            lam = lam + step.theta
        velocity_bar = mu * u
        if i in injected:
            lam = lam + injected[i]
    if segment.velocity is not None:
        eta_bar = eta_bar + velocity_bar @ segment.velocity / eta  # what the sum by parts leaves over at its start
    return loss, Cotangents(images_bar, labels_bar, eta_bar, lam)


def plain(segment: Segment, terminal: Terminal) -> tuple[Tensor, Cotangents]:
    """The same by back-propagation through the graph of all steps: memory grows with N times the batch.

    For tests and reproduction; never the default.
    """
    leaves = (segment.images, segment.labels, segment.step_size, segment.theta)
    network_loss = CrossEntropy(segment.kernels.network)
    with torch.enable_grad():
        images, labels, eta, start = (leaf.detach().requires_grad_() for leaf in leaves)
        theta, velocity = start, torch.zeros_like(start) if segment.velocity is None else segment.velocity
        path, gradients = [theta], []
        for batch, view in zip(segment.batches, segment.views, strict=True):
            here = theta if segment.indirect else theta.detach().requires_grad_()
            value = network_loss(here, view(images[batch]), labels[batch])
            (g,) = torch.autograd.grad(value, here, create_graph=True)
            velocity = segment.momentum * velocity + g
            theta = theta - eta * velocity
            path.append(theta)
            gradients.append(g)
        loss, injected = terminal([point.detach() for point in path])
        ends = sorted(injected)
        weights = segment.difficulty(ends[-1]) if segment.difficulty else {}
        penalties = [weight * _norm(gradients[i]) for i, weight in weights.items()]
        bars = torch.autograd.grad(
            [*(path[i] for i in ends), *penalties],
            (images, labels, eta, start),
            [*(injected[i] for i in ends), *map(torch.ones_like, penalties)],
            allow_unused=True,
            materialize_grads=True,
        )
    return loss + sum(penalty.detach() for penalty in penalties), Cotangents(*bars)


class Point(NamedTuple):
    """Where a student is and how fast it moves, [P] each, and the norm of the gradient that took it there."""

    theta: Tensor
    velocity: Tensor
    norm: Tensor


def walk(segment: Segment) -> Iterator[Point]:
    """The segment's steps without their adjoints: the student after each of them."""
    theta, velocity = segment.theta.detach(), segment.velocity
    for batch, view in zip(segment.batches, segment.views, strict=True):
        g = segment.kernels.gradient(theta, view(segment.images[batch]), segment.labels[batch])
        theta, velocity = _step(segment, theta, velocity, g)
        yield Point(theta, velocity, g.norm())


def minibatches(n: int, size: int | None, steps: int, key: Key, device: torch.device) -> list[Tensor]:
    """Indices of each student step: without replacement from a permutation that is drawn anew when it runs out.

    `size` images a step, None for all n.
    """
    batches: list[Tensor] = []
    for epoch in range(steps):
        if len(batches) >= steps:
            break
        batches += key.fold("order", epoch).permutation(n).to(device).split(size or n)
    return batches[:steps]


def _step(segment: Segment, theta: Tensor, velocity: Tensor | None, g: Tensor) -> tuple[Tensor, Tensor]:
    """theta and velocity after a step along g."""
    velocity = g if velocity is None else segment.momentum * velocity + g
    return theta - segment.step_size * velocity, velocity


class _Residuals(NamedTuple):
    """The memory that the kernels keep of a step."""

    step: int
    content: object


def _norm(g: Tensor) -> Tensor:
    return ((g * g).sum() + _SMOOTH).sqrt()


def _run(segment: Segment) -> tuple[list[Tensor], list[Tensor], list[_Residuals]]:
    """theta_0..theta_N, g_0..g_{N-1} where their norms count, and the residuals of the last steps.

    The way back meets those first.
    """
    theta, velocity = segment.theta.detach(), segment.velocity
    path, gradients, kept = [theta], [], []
    forgotten = len(segment.batches) - segment.kept
    for i, (batch, view) in enumerate(zip(segment.batches, segment.views, strict=True)):
        seen, labels = view(segment.images[batch]), segment.labels[batch]
        if i < forgotten:
            g = segment.kernels.gradient(theta, seen, labels)
        else:
            g, residuals = segment.kernels.gradient_with_residuals(theta, seen, labels)
            kept.append(_Residuals(i, residuals))
        theta, velocity = _step(segment, theta, velocity, g)
        path.append(theta)
        if segment.difficulty:
            gradients.append(g)
    return path, gradients, kept
