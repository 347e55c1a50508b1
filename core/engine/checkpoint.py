"""A state of the loop as the bytes of one safetensors file, read back bit for bit."""

from __future__ import annotations

import json
from pathlib import Path

import safetensors.torch
import torch

from core.engine.state import Leaves, State
from core.engine.stored import Source, opened

_GROUPS = ("leaves", "velocity", "good")
_AVERAGE = "average"
_ALONE = ("student", "anchors", "initial")
_LEAVES = ("images", "logits", "log_step_size")


class CheckpointMismatch(ValueError):
    """A checkpoint of another run lies where this one's is expected."""


def same_run(source: Source, found: str, run: str) -> None:
    """Nothing, if `source` was written by this run; CheckpointMismatch if not."""
    if found != run:
        name = source.name if isinstance(source, Path) else "The checkpoint"
        raise CheckpointMismatch(f"{name} belongs to run {found}, not {run}: delete it to start afresh.")


def packed(state: State, run: str, real: int = 0) -> bytes:
    """The content of a state's file; `run` names what it belongs to (a fingerprint, or anything as specific).

    `real` tells a reader of the file how many of its images are real ones that nothing changes.
    """
    groups = {group: getattr(state, group) for group in (*_GROUPS, *([_AVERAGE] if state.average else []))}
    tensors = {
        f"{name}.{leaf}": getattr(group, leaf).cpu().contiguous() for name, group in groups.items() for leaf in _LEAVES
    }
    if state.squares is not None:
        tensors |= {f"squares.{leaf}": getattr(state.squares, leaf).cpu().contiguous() for leaf in _LEAVES}
    tensors |= {name: own.cpu() for name in _ALONE if (own := getattr(state, name)) is not None}
    numbers = {"step": state.step, "loss": repr(state.loss), "damping": state.damping, "rollbacks": state.rollbacks}
    numbers |= {"updates": state.updates, "usual": repr(state.usual)}
    numbers |= {"stage": state.stage, "step_sizes": state.step_sizes}
    if state.rounds:
        numbers["rounds"] = state.rounds
    # safetensors refuses tensors that share memory, as `good` and `leaves` do before the first step
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    return safetensors.torch.save(tensors, {"state": json.dumps(numbers), "run": run, "real": str(real)})


def load(source: Source | None, run: str, device: torch.device) -> State | None:
    """The stored state, or None if there is none.

    Raises:
        CheckpointMismatch: it was written by a run with another name.
    """
    if source is None:
        return None
    metadata, tensors = opened(source, device)
    same_run(source, metadata["run"], run)
    stored = {name.partition(".")[0] for name in tensors if "." in name}
    groups = {group: Leaves(**{leaf: tensors[f"{group}.{leaf}"] for leaf in _LEAVES}) for group in stored}
    numbers = json.loads(metadata["state"])
    return State(
        step=numbers["step"],
        leaves=groups["leaves"],
        velocity=groups["velocity"],
        good=groups["good"],
        loss=float(numbers["loss"]),
        damping=numbers["damping"],
        rollbacks=numbers["rollbacks"],
        student=tensors.get("student"),
        anchors=tensors.get("anchors"),
        initial=tensors.get("initial"),
        average=groups.get(_AVERAGE),
        squares=groups.get("squares"),
        updates=numbers["updates"],
        usual=float(numbers["usual"]),
        stage=numbers.get("stage", 0),
        step_sizes=tuple(numbers.get("step_sizes", ())),
        rounds=numbers.get("rounds", 0),
    )
