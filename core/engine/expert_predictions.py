"""The judgement of trained experts on images: which real ones they classify correctly, and mean logits (DATM)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine.keys import Key
from core.engine.networks import Network
from core.engine.real import Real
from core.engine.trajectories import Trajectories
from core.plan import limits
from core.recipe import Counts


@dataclass(frozen=True)
class Judges:
    """Experts after epoch `epoch`; `say` is told when they are not right often enough."""

    network: Network
    experts: Trajectories
    epoch: int
    say: Callable[[str], None]
    _thetas: dict[int, Tensor] = field(default_factory=dict, compare=False, repr=False)

    def logits(self, expert: int, images: Tensor) -> Tensor:
        """Logits [n, K] of images [n, C, H, W]."""
        if expert not in self._thetas:  # one at a time: all of them may be gigabytes
            self._thetas.clear()
            self._thetas[expert] = self.experts.snapshot(expert, self.epoch)
        with torch.no_grad():
            return torch.cat([self.network.apply(self._thetas[expert], part) for part in images.split(limits.JUDGED)])


def correct(judges: Judges, real: Real, counts: Counts, key: Key) -> Tensor:
    """Training indices of so many images of each class that an expert classifies correctly, [sum(counts)].

    An expert goes through each class in random order; where it is right too rarely the next one sees what is left.
    Where none is, any images fill up, and the judges say so.
    """
    left = [members[key.fold(c).permutation(len(members)).to(members.device)] for c, members in enumerate(real.members)]
    found: list[list[Tensor]] = [[] for _ in left]

    def wanted(c: int) -> int:
        return counts[c] - sum(map(len, found[c]))

    for expert in key.fold("experts").permutation(len(judges.experts)).tolist():
        for c, order in enumerate(left):
            wrong = []
            for part in order.split(limits.JUDGED):
                if not wanted(c):
                    break
                right = judges.logits(expert, real.train.take(part)).argmax(1) == c
                found[c].append(part[right][: wanted(c)])
                wrong.append(part[~right])
            left[c] = torch.cat(wrong) if wrong else order[:0]
        if not any(wanted(c) for c in range(len(left))):
            break
    if short := {c: wanted(c) for c in range(len(left)) if wanted(c)}:
        judges.say(
            f"No expert classifies enough real images of {len(short)} classes correctly: {sum(short.values())} of the "
            "initial images are others. More or longer trained experts would find them."
        )
    return torch.cat([torch.cat([*picks, left[c][: wanted(c)]]) for c, picks in enumerate(found)])


def mean_logits(judges: Judges, images: Tensor, classes: Tensor, confidence: float) -> Tensor:
    """Mean logits [n, K] of the experts that are right about an image; `confidence` x one-hot where none is."""
    count = judges.network.classes
    total = torch.zeros(len(images), count, device=images.device)
    times = torch.zeros(len(images), 1, device=images.device)
    for expert in range(len(judges.experts)):
        logits = judges.logits(expert, images)
        right = (logits.argmax(1) == classes)[:, None].float()
        total, times = total + right * logits, times + right
    return torch.where(times > 0, total / times.clamp_min(1), F.one_hot(classes, count).float() * confidence)
