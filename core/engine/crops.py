"""The parts of real images that a teacher recognises best (RDED)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine.keys import Key
from core.engine.real import Real
from core.engine.recovery_views import enlarge
from core.engine.teacher import Teacher
from core.recipe import Counts, Crops


def recognised(crops: Crops, teacher: Teacher, real: Real, counts: Counts, key: Key) -> Tensor:
    """Parts [sum(counts) factor^2, C, H, W]: of each class those with the least loss, the best first.

    Sun, Shi, Yu & Lin, "On the Diversity and Realism of Distilled Dataset", CVPR 2024 (RDED). A part is judged enlarged
    to the size of an image; the paper pads it where several share one.
    """
    found = []
    for c, (members, count) in enumerate(zip(real.members, counts, strict=True)):
        own, wanted = key.fold(c), count * crops.factor**2
        looked_at = members[own.permutation(len(members))[: max(crops.candidates, wanted)].to(members.device)]
        images = real.train.take(looked_at)
        best, least = images, torch.full((len(images),), torch.inf, device=images.device)
        for crop in range(crops.crops):
            u = own.fold("part", crop).uniform(3, len(images)).to(images.device)
            side = (crops.smallest + (1 - crops.smallest) * u[0]).sqrt()
            parts = enlarge(images, torch.stack((side, side, u[1] * (1 - side), u[2] * (1 - side)), 1))
            loss = F.cross_entropy(teacher.logits(parts), torch.full_like(looked_at, c), reduction="none")
            better = loss < least
            best, least = torch.where(better.view(-1, 1, 1, 1), parts, best), torch.where(better, loss, least)
        found.append(best[least.argsort(stable=True)[:wanted]])
    return torch.cat(found)
