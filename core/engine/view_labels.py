"""Labels of views, and students that are shown those views again (FKD): no teacher is asked any more.

A record is a batch: which images, by how much each is shifted, whether it is mirrored, how the batch is mixed, and the
teacher's logits of what came of it. Image i of a batch is mixed with the i-th from its end: their order is random.
Shen & Xing 2022 (FKD); Yin, Xing & Shen 2023 (SRe2L).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from core.compact import index_type
from core.engine.keys import Key
from core.engine.train import Lesson, Protocol


@dataclass(frozen=True)
class ViewLabels:
    """R records of B views each, on the CPU.

    index int64 [R, B] of images, shift int8 [R, B, 2] rows and columns, mirror bool [R, B], share float32 [R] of an
    image in a mixed-up view, box int16 [R, 4] top, bottom, left and right of what comes from the other one. `logits`
    float16 [R, B, K], or, quantised, uint8 [R, B, bytes] with their range, float16 [R, B, 2]. Where only some classes
    have logits of their own, top int64 [R, B, k] says which, and a logit more is that of each other class.
    """

    index: Tensor
    shift: Tensor
    mirror: Tensor
    share: Tensor
    box: Tensor
    logits: Tensor
    range: Tensor | None
    top: Tensor | None
    classes: int
    temperature: float
    mix: Literal["none", "mixup", "cutmix"]
    bits: int
    pool: bool
    """Whether steps draw records, as there are fewer than steps."""

    def __len__(self) -> int:
        return len(self.index)

    def stored(self, images: int) -> dict[str, NDArray[Any]]:
        """The arrays that say all this of so many images, in as few bytes as hold them."""
        names = ("shift", "mirror", "share", "box", "logits", "range", "top")
        arrays = {name: kept.numpy() for name in names if (kept := getattr(self, name)) is not None}
        if self.top is not None:
            arrays["top"] = arrays["top"].astype(index_type(self.classes))
        return arrays | {"index": self.index.numpy().astype(np.uint16 if images <= 2**16 else np.int32)}

    def nbytes(self, images: int) -> int:
        """Bytes of `stored`."""
        return sum(array.nbytes for array in self.stored(images).values())

    def view(self, record: int, images: Tensor) -> Tensor:
        """The views [B, C, H, W] of a record, of all images [n, C, H, W]."""
        where = images.device
        x = shifted(images[self.index[record].to(where)], self.shift[record].to(where))
        x = torch.where(self.mirror[record].to(where).view(-1, 1, 1, 1), x.flip(3), x)
        match self.mix:
            case "none":
                return x
            case "mixup":
                share = float(self.share[record])
                return share * x + (1 - share) * x.flip(0)
            case "cutmix":
                top, bottom, left, right = self.box[record].tolist()
                mixed = x.clone()
                mixed[..., top:bottom, left:right] = x.flip(0)[..., top:bottom, left:right]
                return mixed

    def targets(self, record: int) -> Tensor:
        """Label probabilities [B, K] of its views: the softmax of logits / temperature."""
        span, top = (None if kept is None else kept[record] for kept in (self.range, self.top))
        count = self.classes if top is None else top.shape[-1] + 1
        logits = unpacked(self.logits[record], span, count, self.bits)
        if top is not None:
            logits = logits[:, -1:].expand(-1, self.classes).scatter(1, top, logits[:, :-1])
        return (logits / self.temperature).softmax(1)


@dataclass(frozen=True)
class Replay:
    """Images [n, C, H, W] and the labels of their views."""

    images: Tensor
    labels: ViewLabels


def lesson(replays: Sequence[Replay], protocol: Protocol, keys: Sequence[Key], steps: Sequence[int]) -> Lesson:
    """The lesson of networks: all are shown the same replay, or each its own.

    Records come in their order, and again from the first; of a pool each network draws its own. `steps` are those of
    each epoch.
    """
    begun = [0, *accumulate(steps)]

    def shown(epoch: int, step: int) -> tuple[Tensor, Tensor]:
        each = list[tuple[Tensor, Tensor]]()
        for s, key in enumerate(keys):
            images, labels = replays[s % len(replays)].images, replays[s % len(replays)].labels
            record = (begun[epoch] + step) % len(labels)
            if labels.pool:
                record = key.fold("record", epoch, step).integer(0, len(labels))
            elif len(replays) == 1 and s:  # what the first network sees, the others see
                each.append(each[0])
                continue
            each.append((labels.view(record, images), labels.targets(record).to(images.device)))
        return torch.stack([view for view, _ in each]), torch.stack([targets for _, targets in each])

    assert all(replay.labels.temperature == protocol.temperature for replay in replays), "one temperature for both"
    return shown


def shifted(images: Tensor, shift: Tensor) -> Tensor:
    """Images [B, C, H, W] moved down and right by whole pixels [B, 2]; zeros, the mean colour, come in."""
    reach = int(shift.abs().max()) if len(shift) else 0
    if not reach:
        return images
    height, width = images.shape[2:]
    padded = F.pad(images, (reach, reach, reach, reach)).permute(0, 2, 3, 1)
    image = torch.arange(len(images), device=images.device)[:, None, None]
    rows = torch.arange(height, device=images.device)[None, :, None] + (reach - shift[:, 0].long())[:, None, None]
    columns = torch.arange(width, device=images.device)[None, None, :] + (reach - shift[:, 1].long())[:, None, None]
    return padded[image, rows, columns].permute(0, 3, 1, 2).contiguous()


def topmost(logits: Tensor, own: int, temperature: float) -> tuple[Tensor, Tensor]:
    """The highest logits [..., own + 1], the last of which stands for each other class, and their classes [..., own].

    Under the softmax at this temperature the others are, all together, as likely as they were.
    """
    values, places = logits.sort(descending=True, stable=True)
    rest = values[..., own:] / temperature
    alike = temperature * (rest.logsumexp(-1, keepdim=True) - math.log(rest.shape[-1]))
    return torch.cat((values[..., :own], alike), -1), places[..., :own].contiguous()


def packed(logits: Tensor, bits: int) -> tuple[Tensor, Tensor | None]:
    """Logits [..., K] as they are stored, and the range [..., 2] of quantised ones; two of 4 bits share a byte."""
    if bits == 16:
        return logits.half(), None
    span = torch.stack((logits.amin(-1), logits.amax(-1)), -1).half()
    low, high = span.float().unbind(-1)
    levels = 2**bits - 1
    unit = ((high - low) / levels).where(high > low, 1.0)[..., None]
    codes = ((logits - low[..., None]) / unit).round().clamp(0, levels).to(torch.uint8)
    if bits == 4:
        codes = F.pad(codes, (0, codes.shape[-1] % 2))
        codes = codes[..., 0::2] << 4 | codes[..., 1::2]
    return codes, span


def unpacked(stored: Tensor, span: Tensor | None, classes: int, bits: int) -> Tensor:
    """The logits [..., K], float32."""
    if span is None:
        return stored.float()
    if bits == 4:
        stored = torch.stack((stored >> 4, stored & 15), -1).flatten(-2)[..., :classes]
    low, high = span.float().unbind(-1)
    unit = (high - low) / float(2**bits - 1)
    logits: Tensor = low[..., None] + stored.float() * unit[..., None]
    return logits
