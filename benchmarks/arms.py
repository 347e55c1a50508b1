"""The variants of our kernels that are measured side by side: one line each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from core.engine.kernels import Eager, Kernels
from core.engine.networks import ConvNet

Build = Callable[[ConvNet, int, torch.device], Kernels]
"""(network, batch size, device) -> kernels."""


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


ARMS = {
    arm.name: arm
    for arm in (
        Arm("float64", lambda network, batch, device: Eager(network), torch.float64, torch.float64),
        Arm("eager", lambda network, batch, device: Eager(network)),
    )
}
TRUTH = "float64"
"""The arm that every other's gradient is compared with."""
OURS = tuple(name for name in ARMS if name != TRUTH)
PEER, PEER_TUNED = "peer", "peer-tuned"
PEERS = (PEER, PEER_TUNED)
"""The reference as it ships, and in the environment (allocator, waiting threads) that the worker gives its engine."""
