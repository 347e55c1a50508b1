"""The variants of our kernels that are measured side by side: one line each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from core.engine.kernels import TESTS, Compiled, Eager, Kernels, Shape, compile_ahead
from core.engine.networks import ConvNet
from core.plan import packing

Build = Callable[[ConvNet, frozenset[Shape], Path], Kernels]
"""(network, shapes it will be asked for, folder of compiled programs) -> kernels."""


@dataclass(frozen=True)
class Arm:
    """One way to compute the two kernels.

    dtype: of the tensors handed to them. peak: of the arithmetic inside, hence of the peaks that `limits` compares
    with. residual_bytes: bytes for what student steps keep of their forward pass.
    """

    name: str
    build: Build
    dtype: torch.dtype = torch.float32
    peak: torch.dtype = torch.float32
    residual_bytes: int = 0

    def kernels(self, network: ConvNet, folder: str, batch: int, students: int = 1) -> Kernels:
        """Kernels for batches of that size, of one student and of so many at once, and for tests, in its folder."""
        shapes = {Shape(1, batch), Shape(students, batch), TESTS}
        return self.build(network, frozenset(shapes), Path(folder) / "kernels")

    def compile(self, kernels: Kernels, batch: int, device: torch.device) -> None:
        """Compile what an outer step calls as a job does before it begins."""
        names = packing.KEEPING if self.residual_bytes else packing.PROGRAMS["adjoint"]
        if isinstance(kernels, Compiled):
            deque(compile_ahead(kernels, {(name, Shape(1, batch)) for name in names}, device), maxlen=0)


_ALL = 1 << 50  # room for everything

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
        Arm(
            "fp32-keep",
            lambda network, shapes, folder: Compiled(network, shapes, "float32", folder),
            residual_bytes=_ALL,
        ),
        Arm(
            "bf16-keep",
            lambda network, shapes, folder: Compiled(network, shapes, "bfloat16", folder),
            peak=torch.bfloat16,
            residual_bytes=_ALL,
        ),
    )
}
TRUTH = "float64"
"""The arm that every other's gradient is compared with."""
OURS = tuple(arm.name for arm in ARMS.values() if arm.name != TRUTH and not arm.residual_bytes)
KEEPING = tuple(arm.name for arm in ARMS.values() if arm.residual_bytes)
PEER, PEER_TUNED = "peer", "peer-tuned"
PEERS = (PEER, PEER_TUNED)
"""The reference as it ships, and in the environment (allocator, waiting threads) that the worker gives its engine."""
