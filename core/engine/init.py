"""Initial synthetic images, class by class: image i belongs to class i // ipc."""

from __future__ import annotations

import torch
from torch import Tensor

from core.engine.keys import Key
from core.engine.real import Real
from core.recipe import Init, Noise, Nothing, Pixels, Recipe
from core.recipe import Real as RealInit


def images(init: Init, real: Real, ipc: int, key: Key) -> Tensor:
    """[K * ipc, C, H, W] in the preprocessed space, on the device of the real data."""
    match init:
        case RealInit():
            return real.train.take(chosen(real, ipc, key))
        case Noise(std=std):
            return (key.normal(real.classes * ipc, *real.shape) * std).to(real.device)


def chosen(real: Real, ipc: int, key: Key) -> Tensor:
    """Training indices of a random subset with ipc images of each class, [K * ipc]."""
    picks = [
        members[key.fold(c).permutation(len(members))[:ipc].to(members.device)]
        for c, members in enumerate(real.members)
    ]
    return torch.cat(picks)


def frozen(parameterize: Pixels, ipc: int, classes: int) -> Tensor:
    """Which images stay as they begin, bool [K * ipc] on the CPU: in each class those after the optimised ones."""
    return (torch.arange(ipc) >= parameterize.optimised(ipc)).repeat(classes)


def untouched(recipe: Recipe, real: Real, ipc: int) -> Tensor:
    """Which images of a result are real ones that nothing has changed, bool [K * ipc]."""
    n = real.classes * ipc
    if isinstance(recipe.objective, Nothing):
        return torch.ones(n, dtype=torch.bool, device=real.device)
    return frozen(recipe.parameterize, ipc, real.classes).to(real.device)


def classes(real: Real, ipc: int) -> Tensor:
    """Class index of each synthetic image, int64 [K * ipc]."""
    return torch.arange(real.classes, device=real.device).repeat_interleave(ipc)
