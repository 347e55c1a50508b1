"""Recover images from a teacher: by its loss, and by the statistics its layers saw in the real images.

Yin, Xing & Shen 2023 (SRe2L); with a teacher of its own for each group of images Du et al. 2024 (DWA), with the
statistics of classes Xiao & He 2024 (LPLD), with those of convolutions after Shao et al. 2024 (G-VBSM).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine import recovery_views
from core.engine.keys import Key
from core.engine.networks import Taps
from core.engine.synthetic import Gradients, Synthetic
from core.engine.teacher import Moment, Teacher, describe
from core.plan import limits
from core.recipe import Adjustment, Statistics

_TRIALS = 6  # of a length for the adjustment
_NEAR = 0.02  # of the wanted rise, relative, which is near enough


def loss(
    objective: Statistics,
    teacher: Teacher,
    goals: Sequence[Moment],
    classes: int,
    steps: int,
    synthetic: Synthetic,
    key: Key,
    step: int,
    teachers: Tensor | None,
) -> tuple[Tensor, Gradients, Tensor | None]:
    """sum over groups of cross-entropy + distances of the statistics, and its gradient in the images.

    Each group is a problem of its own, solved beside the others: its view, its statistics and its gradient do not
    depend on them. Synthetic images lie class by class.

    Args:
        objective, teacher: the statistics to match, and the network in whose layers they are taken.
        goals: of `core.engine.teacher.goals`.
        classes: K.
        steps: outer steps there are, which a curriculum goes by.
        synthetic, key, step: of the loop.
        teachers: the groups' own parameters [G, P], if they were adjusted in an earlier step; None adjusts them now.

    Returns:
        The loss, the gradients, and the teachers that the next step is to be given.
    """
    index = groups(objective, len(synthetic.images), classes).to(synthetic.images.device)
    assert all(len(goal.mean) in (1, len(index)) for goal in goals), "a goal for all groups, or one for each"
    draws = recovery_views.draw(key.fold("recovery", step), len(index))
    seen = partial(recovery_views.view, views=objective.views, done=step / steps)
    if objective.adjust is not None and objective.adjust.rho != 0 and teachers is None:
        images = seen(synthetic.images[index], draws=draws)
        teachers = adjusted(objective.adjust, teacher, images, synthetic.labels[index])
    gradient = torch.zeros_like(synthetic.images)
    sums = torch.zeros(3, device=gradient.device)
    at_once = max(1, limits.RECOVERED // index.shape[1])
    for first in range(0, len(index), at_once):
        part = slice(first, first + at_once)
        own = [Moment(*(t if len(t) == 1 else t[part] for t in goal)) for goal in goals]
        with torch.enable_grad():
            images = synthetic.images[index[part]].detach().requires_grad_()
            view = seen(images, draws=draws[part])
            logits, taps = _trace(teacher, view, None if teachers is None else teachers[part])
            terms = _terms(objective, own, logits, taps, synthetic.labels[index[part]])
            (gradient[index[part]],) = torch.autograd.grad(terms.sum(), images)
        sums = sums + terms.detach()
    curves = dict(zip(("cross_entropy", "means", "variances"), (sums / len(index)).tolist(), strict=True))
    if teachers is not None:
        curves["adjustment"] = float((teachers - teacher.theta).norm(dim=1).mean())
    return sums.sum(), Gradients(gradient, None, None, curves), teachers


def groups(objective: Statistics, n: int, classes: int) -> Tensor:
    """Which images belong together, int64 [G, B]: image i of each class, those of a class, or all.

    Only all of them together need not be as many of each class.
    """
    every = torch.arange(n)
    match objective.group:
        case "slot" | "difficulty":
            return every.view(classes, -1).T.contiguous()
        case "class":
            return every.view(classes, -1)
        case "whole":
            return every.view(1, -1)


def adjusted(adjust: Adjustment, teacher: Teacher, images: Tensor, labels: Tensor) -> Tensor:
    """The groups' own teachers [G, P]: ascents on the loss of each group's images [G, B, C, H, W].

    delta <- delta + rho / K g / ||g||, g the gradient at theta + delta, over all parameters together. Where the length
    is to be found by its effect, so that the mean loss over the groups rises by the share asked for, it is one length
    for all groups: the first is what the slope promises, and each next one corrects it by what came of it.
    """
    if adjust.rho is not None:
        return _ascend(adjust, teacher, images, labels, adjust.rho)
    still = teacher.theta.expand(len(images), -1)
    before, slopes = _losses(teacher, still, images, labels), _slopes(teacher, still, images, labels)
    wanted = adjust.rise * float(before.mean())
    rho = wanted / max(float(slopes.norm(dim=1).mean()), torch.finfo(torch.float32).tiny)
    best, distance = still, float("inf")
    for _ in range(_TRIALS):
        moved = _ascend(adjust, teacher, images, labels, rho)
        risen = float((_losses(teacher, moved, images, labels) - before).mean())
        if abs(risen - wanted) < distance:
            best, distance = moved, abs(risen - wanted)
        if distance <= _NEAR * wanted:
            break
        rho *= min(max(wanted / risen, 0.25), 4.0) if risen > 0 else 4.0
    return best


def _ascend(adjust: Adjustment, teacher: Teacher, images: Tensor, labels: Tensor, rho: float) -> Tensor:
    theta = teacher.theta
    moved = theta.expand(len(images), -1)
    for _ in range(adjust.steps):
        g = _slopes(teacher, moved, images, labels)
        moved = moved + rho / adjust.steps * g / (g.norm(dim=1, keepdim=True) + 1e-12)
    return moved


def _losses(teacher: Teacher, thetas: Tensor, images: Tensor, labels: Tensor) -> Tensor:
    """Each group's loss under its own parameters, [G]."""
    parts = _parts(thetas, images, labels)
    with torch.no_grad():
        return torch.cat([torch.func.vmap(partial(_cross_entropy, teacher))(*part) for part in parts])


def _slopes(teacher: Teacher, thetas: Tensor, images: Tensor, labels: Tensor) -> Tensor:
    """Their gradients in these parameters, [G, P]."""
    slope = torch.func.vmap(torch.func.grad(partial(_cross_entropy, teacher)))
    return torch.cat([slope(*part) for part in _parts(thetas, images, labels)])


def _parts(*tensors: Tensor) -> list[tuple[Tensor, ...]]:
    """As many groups at a time as pass together."""
    at_once = max(1, limits.RECOVERED // tensors[1].shape[1])
    return list(zip(*(tensor.detach().split(at_once) for tensor in tensors), strict=True))


def _cross_entropy(teacher: Teacher, theta: Tensor, images: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(teacher.network.apply(theta, images, teacher.moments), labels)


def _trace(teacher: Teacher, images: Tensor, teachers: Tensor | None) -> tuple[Tensor, Taps]:
    """Logits [G, B, K] of groups of images, and what layers read, [G * B, ...] each."""
    if teachers is None:
        logits, taps = teacher.network.trace(teacher.theta, images.flatten(0, 1), teacher.moments)
        return logits.view(*images.shape[:2], -1), taps
    logits, taps = torch.func.vmap(partial(teacher.network.trace, moments=teacher.moments))(teachers, images)
    return logits, Taps(*(tuple(x.flatten(0, 1) for x in kind) for kind in taps))


def _terms(objective: Statistics, goals: Sequence[Moment], logits: Tensor, taps: Taps, labels: Tensor) -> Tensor:
    """Cross-entropy, and weighted distances of means and of variances, each summed over the groups, [3]."""
    recognised = F.cross_entropy(logits.flatten(0, 1), labels.flatten(0, 1), reduction="sum") / logits.shape[1]
    means = variances = torch.zeros((), device=logits.device)
    for place, (found, goal) in enumerate(zip(describe(taps, objective, len(logits)), goals, strict=True)):
        weight = objective.first if place == 0 else 1.0
        means = means + weight * (found.mean - goal.mean).norm(dim=1).sum()
        variances = variances + weight * (found.variance - goal.variance).norm(dim=1).sum()
    return torch.stack((recognised, objective.mean * means, objective.variance * variances))
