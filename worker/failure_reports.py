"""Why an attempt did not succeed, in words for the person who asked for it."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from typing import Any

from core.masks import masked
from worker.protocol import JobFolder

Error = dict[str, Any]
"""`{"code", "type", "message", "phase", "hint"}`."""


def crash(status: int, last_words: Sequence[str]) -> str:
    """One sentence on an engine that ended with neither a result nor an error file."""
    text = "\n".join(last_words)
    ran_out = "out of memory" in text.lower() or "MemoryError" in text
    if status == -signal.SIGKILL:
        return "The engine was killed by SIGKILL, most likely by the kernel because memory ran out."
    how = f"was killed by {_name(-status)}" if status < 0 else f"ended with status {status}"
    if ran_out:
        return f"The engine {how} after running out of memory."
    fatal = [line for line in last_words if line.startswith("Fatal Python error")]
    said = [line.strip() for line in fatal or last_words if line.strip()]
    return f"The engine {how}" + (f": {said[-1][:300]}" if said else " without a word") + "."


def failure(folder: JobFolder, phase: str | None) -> Error:
    """The error that the engine wrote before it exited with FAILED."""
    try:
        written = json.loads(folder.error.read_bytes())
    except (OSError, ValueError):
        written = None
    error = written if isinstance(written, dict) else {}
    return {
        "code": str(error.get("code", "engine_error")),
        "type": str(error.get("type", "EngineError")),
        "message": str(error.get("message", "The engine failed and left no explanation.")),
        "phase": error.get("phase") or phase,
        "hint": error.get("hint"),
    }


def timeout(seconds: float, phase: str | None) -> Error:
    """The error of an attempt that ran too long."""
    return {
        "code": "timeout",
        "type": "Timeout",
        "message": f"The attempt ran longer than {seconds:g} seconds, which is STILLHOUSE_JOB_TIMEOUT.",
        "phase": phase,
        "hint": "Retry it to go on from its checkpoint, raise STILLHOUSE_JOB_TIMEOUT, or ask for fewer steps.",
    }


def stall(phase: str | None) -> str:
    """One sentence on an engine that stood still."""
    where = f" in the phase {phase}" if phase else ""
    return f"The engine said nothing{where} for longer than STILLHOUSE_STALL_AFTER allows, and was ended."


def storage(problem: Exception) -> Error:
    """The error of an artifact that could not be published."""
    return {
        "code": "storage_error",
        "type": type(problem).__name__,
        "message": f"The artifact could not be stored: {masked(str(problem))}",
        "phase": "publishing",
        "hint": "Check the free space of STILLHOUSE_HOME and that STILLHOUSE_STORE_URL can be written, then retry: "
        "the job goes on from its checkpoint.",
    }


def unavailable(problem: Exception) -> Error:
    """The error of a job whose dataset, or the result that it goes on from, is gone or lost or has changed."""
    return {
        "code": "dataset_unavailable",
        "type": type(problem.__cause__ or problem).__name__,
        "message": str(problem),
        "phase": "preparing",
        "hint": "Upload the same file again, which puts back what the store lost, and retry this job. Where it was "
        "deleted, or a result is lost, upload it or submit its request again, and then a job for that.",
    }


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
