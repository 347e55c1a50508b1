"""The format expert trajectories are stored in: a safetensors file each, mapped into memory, a fifth of float32's size.

`start` float16 [P] is the snapshot after epoch `first`; each later epoch is the step from what is stored of the one
before, in 6 bits a parameter: `codes` uint8 [E - 1, 3 * P' / 4] of integers -31..31, the four quarters of the
parameters side by side, and `scales` bfloat16 [E - 1, P' / 64], one for 64 parameters (P' is P rounded up to blocks).
Since each step starts from the stored point, errors don't add up, and a segment's displacement is that of the expert
to about two per cent, closer than bfloat16 snapshots come (`benchmarks/store.py`). The last step may span several
epochs, up to `final`: the end of the training, which is read to judge images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import safetensors
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine.stored import Source, opened
from core.plan import limits
from core.plan.steps import Snapshots

_FORMAT, _WITH_FINAL = "2", "3"  # 1 stored float32 snapshots
_TOP = 31  # the largest code: 6 bits with a sign
_ROOM = 2**20  # parameters decoded at a time


@dataclass(frozen=True)
class Expert:
    """A stored trajectory. Its tensors lie in the mapped file, so that only what is read takes memory."""

    first: int
    start: Tensor
    codes: Tensor
    scales: Tensor
    device: torch.device
    final: int | None = None

    @property
    def held(self) -> Snapshots:
        """The epochs it holds."""
        return Snapshots(self.first, self.first + len(self.codes) - (self.final is not None), self.final)

    def covers(self, needed: Snapshots) -> bool:
        """Whether it holds every epoch of a window."""
        within = self.first <= needed.first and needed.last <= self.held.last
        return within and (needed.final is None or self.held.holds(needed.final))

    def snapshot(self, epoch: int) -> Tensor:
        """theta [P] after an epoch, float32 on the device."""
        theta = self.start.to(self.device).float()
        assert self.held.holds(epoch), "only epochs of the window are asked for"
        behind = len(self.codes) if epoch == self.final else epoch - self.first
        together = max(1, _ROOM // len(theta))
        for first in range(0, behind, together):
            part = slice(first, min(first + together, behind))
            theta += _decode(self.codes[part].to(self.device), self.scales[part].to(self.device), len(theta)).sum(0)
        return theta


class Trajectories:
    """The experts a job matches."""

    def __init__(self, experts: Sequence[Expert]) -> None:
        self._experts = experts

    def __len__(self) -> int:
        return len(self._experts)

    def snapshot(self, expert: int, epoch: int) -> Tensor:
        """theta [P] of an expert after an epoch, float32 on the device."""
        return self._experts[expert].snapshot(epoch)


def pack(thetas: Sequence[Tensor], first: int, final: int | None = None) -> bytes:
    """The content of a file: snapshots [P] after the epochs `first` and following; the last after `final`, if given."""
    start = thetas[0].to("cpu", torch.float16)
    known, steps = start.float(), []
    for theta in thetas[1:]:
        codes, scales = _encode(theta.to("cpu", torch.float32) - known)
        known = known + _decode(codes[None], scales[None], len(known))[0]
        steps.append((codes, scales))
    empty = torch.zeros(0, 0, dtype=torch.uint8), torch.zeros(0, 0, dtype=torch.bfloat16)
    codes, scales = map(torch.stack, zip(*steps, strict=True)) if steps else empty
    tensors = {"start": start, "codes": codes, "scales": scales}
    known_by = {"format": _FORMAT, "first": str(first)}
    if final is not None:
        known_by |= {"format": _WITH_FINAL, "final": str(final)}
    return safetensors.torch.save(tensors, known_by)


def read(source: Source | None, needed: Snapshots, device: torch.device) -> Expert | None:
    """The trajectory in a file, or None where there is none, or one of another format or of too few epochs.

    What was read stays readable when the file is deleted.
    """
    if source is None:
        return None
    try:
        metadata, tensors = opened(source, "cpu")
    except (OSError, safetensors.SafetensorError):
        return None
    if metadata.get("format") not in (_FORMAT, _WITH_FINAL):
        return None
    final = int(metadata["final"]) if "final" in metadata else None
    expert = Expert(
        int(metadata["first"]), tensors["start"], tensors["codes"], tensors["scales"], device=device, final=final
    )
    return expert if expert.covers(needed) else None


def _encode(move: Tensor) -> tuple[Tensor, Tensor]:
    """A step [P] as codes and scales, on the CPU."""
    blocks = F.pad(move, (0, -len(move) % limits.BLOCK)).view(-1, limits.BLOCK)
    scales = (blocks.abs().amax(1) / _TOP).to(torch.bfloat16)
    # a block that does not move has the scale 0, and its codes are 0 whatever they are divided by
    levels = blocks / scales.float().where(scales != 0, 1)[:, None]
    a, b, c, d = (levels.round().clamp(-_TOP, _TOP) + _TOP).to(torch.uint8).view(4, -1)
    return torch.cat((a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d)), scales


def _decode(codes: Tensor, scales: Tensor, size: int) -> Tensor:
    """The steps [n, P] that codes and scales of n epochs stand for."""
    a, b, c = codes.view(len(codes), 3, -1).unbind(1)
    levels = torch.cat((a >> 2, (a & 3) << 4 | b >> 4, (b & 15) << 2 | c >> 6, c & 63), 1).view(
        *scales.shape, limits.BLOCK
    )
    return ((levels.float() - _TOP) * scales.float().unsqueeze(-1)).flatten(1)[:, :size]
