"""The bytes of what a workspace keeps: tensors in the safetensors format, with their metadata, and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from core.engine.evaluate import Trained
from core.engine.networks import Moments

Source = Path | bytes
"""A file, which is mapped rather than read, or its content."""

_HEADER = 8  # bytes of a safetensors file that say how long its header is


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


def packed(tensors: Mapping[str, Tensor]) -> bytes:
    """The content of a file."""
    return safetensors.torch.save({name: tensor.cpu().contiguous() for name, tensor in tensors.items()})


def opened(source: Source, device: torch.device | str) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The metadata of a safetensors file, and its tensors on the device.

    Raises:
        OSError, safetensors.SafetensorError: there is no such file, or nothing legible in it.
    """
    if isinstance(source, bytes):
        tensors = {name: tensor.to(device) for name, tensor in safetensors.torch.load(source).items()}
        header = json.loads(source[_HEADER : _HEADER + int.from_bytes(source[:_HEADER], "little")])
        return header.get("__metadata__", {}), tensors
    with safetensors.safe_open(source, framework="pt", device=str(device)) as file:
        return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)


def read(source: Source | None, device: torch.device) -> dict[str, Tensor] | None:
    """The tensors; None where there are none, or nothing legible."""
    if source is None:
        return None
    try:
        return opened(source, device)[1]
    except (OSError, safetensors.SafetensorError):
        return None


def document(source: Source | None, default: Any) -> Any:
    """The JSON value, or `default` where there is none, or nothing legible (a power cut may empty a cache's file)."""
    if source is None:
        return default
    try:
        return json.loads(source if isinstance(source, bytes) else source.read_bytes())
    except (FileNotFoundError, ValueError):
        return default


def written(value: Any) -> bytes:
    """A JSON value as `document` reads it."""
    return json.dumps(value).encode()
