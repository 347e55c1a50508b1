"""Ways to store an expert trajectory, one function each: snapshots [E, P] to a file, and the file to a reader."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import safetensors
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine import trajectories
from core.plan.steps import Snapshots

Read = Callable[[int], Tensor]
"""Row of the window -> theta [P], float32."""

REFERENCE, OURS = "pickle, all epochs", "6 bits"


@dataclass(frozen=True)
class Format:
    """`write` gives a file's content; `read` opens it."""

    write: Callable[[Tensor], bytes]
    read: Callable[[Path], Read]


def _cast(dtype: torch.dtype) -> Format:
    """Every snapshot on its own."""
    return Format(
        lambda thetas: safetensors.torch.save({"theta": thetas.to(dtype)}),
        lambda path: _row(safetensors.safe_open(path, framework="pt").get_tensor("theta")),
    )


def _row(thetas: Tensor) -> Read:
    return lambda row: thetas[row].float()


def _from_first(dtype: torch.dtype) -> Format:
    """The first snapshot in float32, the others as differences from it."""

    def read(path: Path) -> Read:
        with safetensors.safe_open(path, framework="pt") as file:
            start, moves = file.get_tensor("start"), file.get_tensor("moves")
        return lambda row: start + moves[row].float()

    return Format(
        lambda thetas: safetensors.torch.save({"start": thetas[0].clone(), "moves": (thetas - thetas[0]).to(dtype)}),
        read,
    )


def _levels(bits: int, block: int, *, against: str) -> Format:
    """The first snapshot in float16, the others as integers with a scale for each block.

    `against`: each as the difference from the "first"; from the snapshot "before", so that errors add up; or from what
    is "stored" of the one before, so that they don't.
    """
    top = 2 ** (bits - 1) - 1

    def encode(move: Tensor) -> tuple[Tensor, Tensor]:
        blocks = F.pad(move, (0, -len(move) % block)).view(-1, block)
        scales = (blocks.abs().amax(1, keepdim=True) / top).clamp_min(1e-30).bfloat16()
        codes = (blocks / scales.float()).round().clamp(-top, top).to(torch.int8)
        if bits == 4:
            even, odd = (codes + 8).view(torch.uint8).view(-1, 2).unbind(1)
            codes = even << 4 | odd
        return codes, scales

    def decode(codes: Tensor, scales: Tensor, size: int) -> Tensor:
        if bits == 4:
            codes = torch.stack((codes >> 4, codes & 15), 1).view(-1, block).float() - 8
        return (codes.float() * scales.float()).flatten()[:size]

    def write(thetas: Tensor) -> bytes:
        start = thetas[0].half()
        known, kept = start.float(), []
        for before, theta in pairwise(thetas):
            move = theta - {"first": thetas[0], "before": before, "stored": known}[against]
            kept.append(encode(move))
            known = known + decode(*kept[-1], len(known))
        codes, scales = map(torch.stack, zip(*kept, strict=True))
        return safetensors.torch.save({"start": start, "codes": codes, "scales": scales})

    def read(path: Path) -> Read:
        with safetensors.safe_open(path, framework="pt") as file:
            start, codes, scales = (file.get_tensor(name) for name in ("start", "codes", "scales"))

        def row(at: int) -> Tensor:
            theta = start.float()
            for i in range(max(0, at - 1) if against == "first" else 0, at):
                theta += decode(codes[i], scales[i], len(theta))
            return theta

        return row

    return Format(write, read)


def _pickled(epochs: int, layout: list[int]) -> Format:
    """The reference's format: a list of trajectories, each a list of snapshots, each a list of tensors.

    It keeps every epoch; those beyond the window are stood for by its last one.
    """

    def write(thetas: Tensor) -> bytes:
        snapshots = [*thetas, *[thetas[-1]] * (epochs + 1 - len(thetas))]
        file = io.BytesIO()
        torch.save([[[piece.clone() for piece in theta.split(layout)] for theta in snapshots]], file)
        return file.getvalue()

    def read(path: Path) -> Read:
        (snapshots,) = torch.load(path, weights_only=True)
        return lambda row: torch.cat(snapshots[row])

    return Format(write, read)


def _ours(path: Path, epochs: int) -> Read:
    expert = trajectories.read(path, Snapshots(0, epochs), torch.device("cpu"))
    assert expert is not None, "it was written a moment ago"
    return expert.snapshot


def formats(window: int, epochs: int, layout: list[int]) -> Mapping[str, Format]:
    """By name, for `window` epochs after the initialisation out of `epochs`; `layout` are the sizes of the tensors."""
    return {
        REFERENCE: _pickled(epochs, layout),
        "float32": _cast(torch.float32),
        "float16": _cast(torch.float16),
        "bfloat16": _cast(torch.bfloat16),
        "float16 from first": _from_first(torch.float16),
        "bfloat16 from first": _from_first(torch.bfloat16),
        "8 bits from first": _levels(8, 256, against="first"),
        "8 bits from before": _levels(8, 256, against="before"),
        "8 bits from stored": _levels(8, 256, against="stored"),
        OURS: Format(lambda thetas: trajectories.pack(list(thetas), 0), partial(_ours, epochs=window)),
        "4 bits from stored": _levels(4, 32, against="stored"),
    }
