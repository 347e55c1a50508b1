"""Lower a student's loss on real data by back-propagation through its training on the synthetic set.

Wang et al. 2018 for the objective; Feng et al. 2024 (RaT-BPTT) for the random window; Li et al. 2025 (AT-BPTT) for one
that follows the student's gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine import balance
from core.engine.augment import dsa
from core.engine.kernels import Kernels
from core.engine.keys import Key
from core.engine.networks import CrossEntropy
from core.engine.real import Real
from core.engine.synthetic import Gradients, Synthetic
from core.engine.unroll import Point, Segment, adjoint, minibatches, walk
from core.plan import limits
from core.recipe import Augment, Performance

_EPS = 1e-12


def loss(
    objective: Performance,
    kernels: Kernels,
    augment: Augment,
    real: Real,
    residual_bytes: int,
    steps: int,
    synthetic: Synthetic,
    key: Key,
    step: int,
    begin: Callable[[Key], Tensor] | None = None,
) -> tuple[Tensor, Gradients]:
    """Cross-entropy on real images of a student drawn by (key, step), and its gradient through the window.

    The student is fresh, of the network's own initialisations or what `begin` says. Its steps before the window have no
    adjoint: the gradient is that of back-propagation truncated to the window. `residual_bytes` is the
    segment's, `steps` how many outer steps there are. A window's end that is drawn is a curve.
    """
    draw, device = key.fold("student", step), synthetic.images.device
    window = objective.window or objective.syn_steps
    whole = Segment(
        kernels=kernels,
        theta=(begin or kernels.network.init)(draw.fold("network")).to(device),
        images=synthetic.images,
        labels=synthetic.labels,
        step_size=synthetic.step_size,
        batches=minibatches(len(synthetic.images), objective.batch_size, objective.syn_steps, draw, device),
        views=[partial(dsa, augment=augment, key=draw.fold("view", i)) for i in range(objective.syn_steps)],
        momentum=objective.momentum,
        residual_bytes=residual_bytes,
    )
    match objective.end:
        case "last":
            end, before = objective.syn_steps, None
        case "random":
            end, before = draw.fold("end").integer(window, objective.syn_steps + 1), None
        case "adaptive":
            points = list(walk(whole))
            norms = torch.stack([point.norm for point in points])
            end = window + pick(norms[window - 1 :], bias(step, steps), draw.fold("end"))
            before = points[end - window - 1] if end > window else None
    part = cut(whole, end - window, end, before)
    chosen, weights = balance.drawn(real, objective.real_batch, objective.balance, draw.fold("real"))
    views = {first: draw.fold("real view", first) for first in range(0, len(chosen), limits.PERFORMANCE)}

    def terminal(path: Sequence[Tensor]) -> tuple[Tensor, Mapping[int, Tensor]]:
        theta, judge = path[-1], CrossEntropy(kernels.network)
        total, slope = torch.zeros((), device=device), torch.zeros_like(theta)
        for first, view in views.items():
            some = chosen[first : first + limits.PERFORMANCE]
            images = dsa(real.train.take(some), augment, view)
            weight = weights[first : first + limits.PERFORMANCE, None].to(synthetic.labels.dtype)
            labels = F.one_hot(real.train.labels[some], real.classes) * weight
            share = len(some) / len(chosen)
            with torch.no_grad():
                total = total + share * judge(theta, images, labels)
            slope = slope + share * kernels.gradient(theta, images, labels)
        return total, {len(path) - 1: slope}

    value, bars = adjoint(part, terminal)
    curves = {} if objective.end == "last" else {"student_steps": float(end)}
    return value, Gradients(bars.images, bars.labels, bars.step_size, curves)


def cut(whole: Segment, first: int, end: int, before: Point | None = None) -> Segment:
    """The segment's steps from `first` up to `end`, `before` being the student after the steps before them.

    Those are taken first where it is not given.
    """
    if first and before is None:
        for before in walk(replace(whole, batches=whole.batches[:first], views=whole.views[:first])):  # noqa: B007
            pass
    later = replace(whole, batches=whole.batches[first:end], views=whole.views[first:end])
    return later if before is None else replace(later, theta=before.theta, velocity=before.velocity)


def bias(step: int, steps: int) -> float:
    """From 1, for steps with large gradients, at the first outer step to -1, for those with small ones, at the last."""
    return 1 - 2 * step / max(1, steps - 1)


def pick(norms: Tensor, bias: float, key: Key) -> int:
    """An index, drawn in proportion to exp(bias z) with z the standardised norms."""
    z = (norms - norms.mean()) / (norms.std(correction=0) + _EPS)
    likely = (bias * z).softmax(0).cumsum(0).cpu()
    return min(int((likely <= key.uniform(1)).sum()), len(norms) - 1)
