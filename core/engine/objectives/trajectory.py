"""Match a student trained on the synthetic set to an expert trained on the real one (Cazenavette et al. 2022)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from core.engine.augment import dsa
from core.engine.kernels import Kernels
from core.engine.keys import Key
from core.engine.synthetic import Gradients, Synthetic
from core.engine.trajectories import Trajectories
from core.engine.unroll import Segment, adjoint
from core.recipe import Augment, Trajectory


def distance(
    objective: Trajectory,
    kernels: Kernels,
    augment: Augment,
    experts: Trajectories,
    room: int,
    synthetic: Synthetic,
    key: Key,
    step: int,
) -> tuple[Tensor, Gradients]:
    """||theta_N - theta*_{t+M}||^2 / ||theta*_t - theta*_{t+M}||^2 of a segment drawn by (key, step), and its gradient.

    1 means the student is as far from the target as if it had not moved. `room` is the segment's.
    """
    draw = key.fold("segment", step)
    round_, place = divmod(step, len(experts))
    expert = int(key.fold("experts", round_).permutation(len(experts))[place])
    start = draw.fold("start").integer(objective.min_start_epoch, objective.max_start_epoch)
    origin = experts.snapshot(expert, start)
    target = experts.snapshot(expert, start + objective.expert_epochs)
    scale = (origin - target).square().sum()

    def terminal(path: Sequence[Tensor]) -> tuple[Tensor, Mapping[int, Tensor]]:
        residual = path[-1] - target
        return residual.square().sum() / scale, {len(path) - 1: 2 * residual / scale}

    segment = Segment(
        kernels=kernels,
        theta=origin,
        images=synthetic.images,
        labels=synthetic.labels,
        step_size=synthetic.step_size,
        batches=minibatches(len(synthetic.images), objective, draw, synthetic.images.device),
        views=[partial(dsa, augment=augment, key=draw.fold("view", i)) for i in range(objective.syn_steps)],
        momentum=objective.momentum,
        room=room,
    )
    loss, bars = adjoint(segment, terminal)
    return loss, Gradients(bars.images, bars.labels, bars.step_size)


def minibatches(n: int, objective: Trajectory, key: Key, device: torch.device) -> list[Tensor]:
    """Indices of each student step: without replacement from a permutation that is drawn anew when it runs out."""
    size = objective.batch_size or n
    batches: list[Tensor] = []
    for epoch in range(objective.syn_steps):
        if len(batches) >= objective.syn_steps:
            break
        batches += key.fold("order", epoch).permutation(n).to(device).split(size)
    return batches[: objective.syn_steps]
