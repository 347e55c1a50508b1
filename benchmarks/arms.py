"""The variants of our kernels that are measured side by side: one line each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from core.engine.kernels import Compiled, Eager, Kernels, Shape
from core.engine.networks import ConvNet

Build = Callable[[ConvNet, frozenset[Shape], Path], Kernels]
"""(network, shapes it will be asked for, folder of compiled programs) -> kernels."""


@dataclass(frozen=True)
class Arm:
    """One way to compute the two kernels.

    dtype: of the tensors handed to them. peak: of the arithmetic inside, hence of the peaks that `limits` compares
    with.
    """

    name: str
    build: Build
    dtype: torch.dtype = torch.float32
    peak: torch.dtype = torch.float32

    def kernels(self, network: ConvNet, folder: str, batch: int, students: int = 1) -> Kernels:
        """Kernels for batches of that size, of one student and of so many at once, in a benchmark's folder."""
        return self.build(network, frozenset({Shape(1, batch), Shape(students, batch)}), Path(folder) / "kernels")


ARMS = {
    arm.name: arm
    for arm in (
        Arm("float64", lambda network, shapes, folder: Eager(network), torch.float64, torch.float64),
        Arm("eager", lambda network, shapes, folder: Eager(network)),
        Arm("fp32", lambda network, shapes, folder: Compiled(network, shapes, "float32", folder)),
        Arm(
            "bf16",
            lambda network, shapes, folder: Compiled(network, shapes, "bfloat16", folder),
            peak=torch.bfloat16,
        ),
    )
}
TRUTH = "float64"
"""The arm that every other's gradient is compared with."""
OURS = tuple(name for name in ARMS if name != TRUTH)
PEER, PEER_TUNED = "peer", "peer-tuned"
PEERS = (PEER, PEER_TUNED)
"""The reference as it ships, and in the environment (allocator, waiting threads) that the worker gives its engine."""
