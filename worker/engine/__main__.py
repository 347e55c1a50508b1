"""The engine's process: reads a job folder, runs its phases, speaks JSON lines; no SQL, no secrets.

    python -m worker.engine --job-dir D --channel FD

Its standard input is a life line: when it closes, the process that started the engine is gone, and the engine ends.
SIGTERM asks it to checkpoint and leave. Exit statuses are `worker.protocol.Exit`.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import signal
import sys
import threading
import traceback
from pathlib import Path
from types import FrameType
from typing import Any, Never

import torch

from core import lifeline
from core.advice.order import KIND
from core.data import DatasetChanged, DatasetInvalid, DatasetUnavailable, UnknownDataset
from core.engine.checkpoint import CheckpointMismatch
from core.engine.distill import Diverged
from core.engine.journal import Journal
from core.engine.stored import written
from core.engine.teacher import TeacherAtChance
from core.engine.workspace import Drained
from core.files import write_atomic
from core.masks import masked
from core.recipe import RecipeError
from worker.engine.advising import advise
from worker.engine.assisting import Declined, assist, assist_advice
from worker.engine.attempt import run
from worker.engine.channel import Warnings, open_channel
from worker.engine.crew import Line
from worker.engine.job import Job
from worker.protocol import Exit, JobFolder

_CODES: dict[type[BaseException], tuple[str, str]] = {
    DatasetUnavailable: ("dataset_unavailable", "Put the file where the message says, then retry the job."),
    UnknownDataset: ("dataset_unavailable", "Put the bundle back, or submit a dataset of GET /v1/datasets."),
    DatasetChanged: ("dataset_changed", "Put the old content back and retry, or submit a job for what is there now."),
    DatasetInvalid: ("invalid_dataset", "Mend the file as the message says, then retry the job."),
    RecipeError: ("invalid_dataset", "Submit a new job with the change the message asks for."),
    TeacherAtChance: ("invalid_dataset", "Submit a new job with the change the message asks for."),
    Diverged: ("numerical_divergence", "Submit a new job with the lower learning rates the message names."),
    CheckpointMismatch: ("engine_error", "Submit the job anew: its checkpoint belongs to another run."),
    torch.cuda.OutOfMemoryError: ("out_of_memory", "Lower objective.batch_size, network.width or ipc."),
    MemoryError: ("out_of_memory", "Lower objective.batch_size, network.width or ipc."),
}


def main() -> Never:
    """Run one attempt and exit with its status."""
    parser = argparse.ArgumentParser(prog="python -m worker.engine", description=__doc__)
    parser.add_argument("--job-dir", type=Path, required=True)
    parser.add_argument("--channel", type=int, required=True, help="file descriptor the JSON lines are written to")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    line = Line()
    lifeline.hold(hear=line.hear)
    told_to_stop = threading.Event()

    def on_term(_signal: int, _frame: FrameType | None) -> None:
        told_to_stop.set()

    signal.signal(signal.SIGTERM, on_term)
    # The modules, a million objects, are never garbage: each full look for it would go through them for nothing. At the
    # end they go as always, since some complain of what is still there.
    gc.freeze()
    try:
        sys.exit(attempt(options.job_dir, open_channel(options.channel), told_to_stop, line))
    finally:
        gc.unfreeze()


def attempt(job_dir: Path, journal: Journal, told_to_stop: threading.Event, line: Line | None = None) -> Exit:
    """Run the job of a folder to its result, its error, or a checkpoint; or a part of one that others work on."""
    content: dict[str, Any] = json.loads((job_dir / "job.json").read_text())
    folder = JobFolder(job_dir, content["attempt"])
    core, warnings = logging.getLogger("core"), Warnings(journal)
    core.addHandler(warnings)
    try:
        if content["request"].get("kind") == KIND and "part" in content:
            assist_advice(content, folder, journal, told_to_stop.is_set, line)
            metrics = {}
        elif content["request"].get("kind") == KIND:
            metrics = advise(content, folder, journal, told_to_stop.is_set, line)
        elif "part" in content:
            assist(Job.read(job_dir), content["part"], folder, journal, told_to_stop.is_set, line)
            metrics = {}
        else:
            metrics = run(Job.read(job_dir), folder, journal, told_to_stop.is_set, line)
    except Drained:
        return Exit.DRAINED
    except Declined as error:
        journal.log(str(error))
        return Exit.DECLINED
    except Exception as error:
        traceback.print_exc()
        write_atomic(folder.error, written(_explain(error, journal.phase)))
        return Exit.FAILED
    finally:
        core.removeHandler(warnings)
    write_atomic(folder.result, written({"metrics": metrics}))
    return Exit.DONE


def _explain(error: Exception, phase: str) -> dict[str, Any]:
    code, hint = next(
        (found for kind, found in _CODES.items() if isinstance(error, kind)),
        ("engine_error", "This is a fault of the engine, not of the request: report it with the job's log."),
    )
    # On the CPU torch reports exhausted memory as a plain RuntimeError of its allocator.
    if code == "engine_error" and "can't allocate memory" in str(error):
        code, hint = _CODES[MemoryError]
    return {"code": code, "type": type(error).__name__, "message": masked(str(error)), "phase": phase, "hint": hint}


if __name__ == "__main__":
    main()
