"""Match a student trained on the synthetic set to an expert trained on the real one (Cazenavette et al. 2022)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from core.engine.augment import dsa
from core.engine.kernels import Kernels
from core.engine.keys import Key
from core.engine.synthetic import Gradients, Synthetic
from core.engine.trajectories import Trajectories
from core.engine.unroll import Difficulty, Segment, adjoint, minibatches
from core.recipe import Augment, Trajectory


def distance(
    objective: Trajectory,
    kernels: Kernels,
    augment: Augment,
    experts: Trajectories,
    residual_bytes: int,
    synthetic: Synthetic,
    key: Key,
    step: int,
    difficulty: Callable[[int], Difficulty] | None = None,
) -> tuple[Tensor, Gradients]:
    """||theta_N - theta*_{t+M}||^2 / ||theta*_t - theta*_{t+M}||^2 of a segment drawn by (key, step), and its gradient.

    1 means the student is as far from the target as if it had not moved. Of a student that is compared where it is
    closest, N is that step, and a curve. `residual_bytes` is the segment's; `difficulty` adds to the loss, by
    the outer step.
    """
    draw = key.fold("segment", step)
    round_, place = divmod(step, len(experts))
    expert = int(key.fold("experts", round_).permutation(len(experts))[place])
    start = draw.fold("start").integer(objective.min_start_epoch, start_epochs_end(objective, step))
    origin = experts.snapshot(expert, start)
    target = experts.snapshot(expert, start + objective.expert_epochs)
    scale = (origin - target).square().sum()
    n, end = len(synthetic.images), objective.syn_steps

    def terminal(path: Sequence[Tensor]) -> tuple[Tensor, Mapping[int, Tensor]]:
        nonlocal end
        if objective.select == "closest":
            end = closest(path, target)
        residual = path[end] - target
        return residual.square().sum() / scale, {end: 2 * residual / scale}

    segment = Segment(
        kernels=kernels,
        theta=origin,
        images=synthetic.images,
        labels=synthetic.labels,
        step_size=synthetic.step_size,
        batches=minibatches(n, objective.batch_size, objective.syn_steps, draw, synthetic.images.device),
        views=[partial(dsa, augment=augment, key=draw.fold("view", i)) for i in range(objective.syn_steps)],
        momentum=objective.momentum,
        residual_bytes=residual_bytes,
        difficulty=difficulty and difficulty(step),
        indirect=objective.gradient == "exact",
    )
    loss, bars = adjoint(segment, terminal)
    curves = {"student_steps": float(end)} if objective.select == "closest" else {}
    return loss, Gradients(bars.images, bars.labels, bars.step_size, curves)


def closest(path: Sequence[Tensor], target: Tensor) -> int:
    """The step 1..N that ended closest to the target in L1, the last of equally close ones (Liu et al. 2024, ATT).

    What is not a number is far away.
    """
    distances = torch.stack([(point - target).abs().sum() for point in reversed(path[1:])])
    return len(path) - 1 - int(distances.nan_to_num(nan=torch.inf).argmin())


def start_epochs_end(objective: Trajectory, step: int) -> int:
    """The epoch before which segments start at an outer step."""
    growth, end = objective.growth, objective.last_start_epoch + 1
    return end if growth is None else min(growth.start + (end - growth.start) * step // growth.steps, end)
