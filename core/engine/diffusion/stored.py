"""A generator and the training of one as safetensors: the bytes of a file, and back, bit for bit."""

from __future__ import annotations

import json
from dataclasses import asdict

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from core.engine.checkpoint import same_run
from core.engine.diffusion.generator import Architecture, Generator
from core.engine.diffusion.training import Progress
from core.engine.stored import Source, opened

_VECTORS = ("theta", "first", "second", "average", "autoencoder")


def about(generator: Generator) -> dict[str, object]:
    """The entries of a generator's file beside its weights."""
    numbers = {"guidance": generator.guidance, "steps": generator.steps, "limit": generator.limit}
    return {"architecture": asdict(generator.architecture), **numbers}


def packed(generator: Generator) -> bytes:
    """The content of `generator.safetensors`, which `generator.load` reads."""
    metadata = {"stillhouse": json.dumps(about(generator), sort_keys=True)}
    return safetensors.torch.save({name: _own(weight) for name, weight in generator.weights.items()}, metadata)


def read(source: Source | None, device: torch.device) -> Generator | None:
    """The generator of those bytes; None where there are none, or nothing legible."""
    if source is None:
        return None
    try:
        metadata, weights = opened(source, device)
    except (OSError, safetensors.SafetensorError):
        return None
    said = json.loads(metadata["stillhouse"])
    architecture = said.pop("architecture")
    return Generator(Architecture(**architecture | {"image": tuple(architecture["image"])}), weights, **said)


def pack_progress(progress: Progress, run: str) -> bytes:
    """A training between two steps; `run` names what it belongs to."""
    numbers = {"stage": progress.stage, "step": progress.step, "loss": repr(progress.loss)}
    tensors = {name: _own(getattr(progress, name)) for name in _VECTORS}
    return safetensors.torch.save(tensors, {"progress": json.dumps(numbers), "run": run})


def read_progress(source: Source | None, run: str, device: torch.device) -> Progress | None:
    """The stored training, or None if there is none.

    Raises:
        CheckpointMismatch: it was written by a run with another name.
    """
    if source is None:
        return None
    metadata, tensors = opened(source, device)
    same_run(source, metadata["run"], run)
    numbers = json.loads(metadata["progress"])
    return Progress(stage=numbers["stage"], step=numbers["step"], loss=float(numbers["loss"]), **tensors)


def _own(tensor: Tensor) -> Tensor:
    """A copy in memory of its own: safetensors refuses tensors that share memory, and views of theta do."""
    return tensor.detach().cpu().contiguous().clone()
