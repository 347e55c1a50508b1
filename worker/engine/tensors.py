"""Networks and what they say, as files of tensors in the cache."""

from __future__ import annotations

from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from core.engine.evaluate import Trained
from core.engine.networks import Moments


def of(network: Trained) -> dict[str, Tensor]:
    """A trained network by names."""
    kinds = network.moments._asdict() if network.moments else {}
    moments = {f"{kind}.{block}": found for kind, blocks in kinds.items() for block, found in enumerate(blocks)}
    return {"theta": network.theta} | moments


def trained(known: dict[str, Tensor]) -> Trained:
    """The network of those names."""
    blocks = range(sum(name.startswith("means.") for name in known))
    moments = Moments(*(tuple(known[f"{kind}.{block}"] for block in blocks) for kind in Moments._fields))
    return Trained(known["theta"], moments if blocks else None, 0.0)


def packed(tensors: dict[str, Tensor]) -> bytes:
    """The content of a file."""
    return safetensors.torch.save({name: tensor.cpu().contiguous() for name, tensor in tensors.items()})


def read(path: Path, device: torch.device) -> dict[str, Tensor] | None:
    """What a file holds; None where there is none, or nothing legible in it."""
    try:
        with safetensors.safe_open(path, framework="pt", device=str(device)) as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
    except (OSError, safetensors.SafetensorError):
        return None
