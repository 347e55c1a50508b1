"""A state of the loop as one safetensors file: written whole or not at all, read back bit for bit."""

from __future__ import annotations

import json
import os
from pathlib import Path

import safetensors
import safetensors.torch
import torch

from core.engine.distill import Leaves, State

_GROUPS = ("leaves", "velocity", "good")
_AVERAGE = "average"
_LEAVES = ("images", "logits", "log_step_size")


class CheckpointMismatch(ValueError):
    """A checkpoint of another run lies where this one's is expected."""


def same_run(path: Path, found: str, run: str) -> None:
    """Nothing, if what lies at `path` was written by this run; CheckpointMismatch if not."""
    if found != run:
        raise CheckpointMismatch(f"{path.name} belongs to run {found}, not {run}: delete it to start afresh.")


def save(path: Path, state: State, run: str, real: int = 0) -> None:
    """Store a state; `run` names what it belongs to (a fingerprint, or anything as specific).

    `real` is said for whoever opens the file: how many of its images are real ones that nothing changes.
    """
    groups = {group: getattr(state, group) for group in (*_GROUPS, *([_AVERAGE] if state.average else []))}
    tensors = {
        f"{name}.{leaf}": getattr(group, leaf).cpu().contiguous() for name, group in groups.items() for leaf in _LEAVES
    }
    if state.squares is not None:
        tensors |= {f"squares.{leaf}": getattr(state.squares, leaf).cpu().contiguous() for leaf in _LEAVES}
    if state.student is not None:
        tensors["student"] = state.student.cpu()
    numbers = {"step": state.step, "loss": repr(state.loss), "damping": state.damping, "rollbacks": state.rollbacks}
    numbers |= {"updates": state.updates, "usual": repr(state.usual)}
    numbers |= {"stage": state.stage, "step_sizes": state.step_sizes}
    # safetensors refuses tensors that share memory, as `good` and `leaves` do before the first step
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    partial = path.with_suffix(f".{os.getpid()}.part")
    safetensors.torch.save_file(
        tensors, partial, metadata={"state": json.dumps(numbers), "run": run, "real": str(real)}
    )
    partial.replace(path)


def load(path: Path, run: str, device: torch.device) -> State | None:
    """The stored state, or None if there is none.

    Raises:
        CheckpointMismatch: it was written by a run with another name.
    """
    if not path.exists():
        return None
    with safetensors.safe_open(path, framework="pt", device=str(device)) as file:
        metadata = file.metadata()
        same_run(path, metadata["run"], run)
        names = set(file.keys())
        stored = {name.partition(".")[0] for name in names if "." in name}
        groups = {group: Leaves(**{leaf: file.get_tensor(f"{group}.{leaf}") for leaf in _LEAVES}) for group in stored}
        student = file.get_tensor("student") if "student" in names else None
    numbers = json.loads(metadata["state"])
    return State(
        step=numbers["step"],
        leaves=groups["leaves"],
        velocity=groups["velocity"],
        good=groups["good"],
        loss=float(numbers["loss"]),
        damping=numbers["damping"],
        rollbacks=numbers["rollbacks"],
        student=student,
        average=groups.get(_AVERAGE),
        squares=groups.get("squares"),
        updates=numbers["updates"],
        usual=float(numbers["usual"]),
        stage=numbers.get("stage", 0),
        step_sizes=tuple(numbers.get("step_sizes", ())),
    )
