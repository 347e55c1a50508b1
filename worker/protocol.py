"""The agreement of supervisor and engine: the files of a job's folder and the meaning of an exit status.

Between them runs a pipe of JSON lines (the channel), from engine to supervisor:
`{"type": "progress", "phase", "done", "total", "eta_seconds"}` (the first one of a phase also says `skipped`, what was
there before), `{"type": "metric", "name", "step", "value"}`, `{"type": "log", "level", "message"}`,
`{"type": "preview", "step", "path"}` and `{"type": "neighbours", "path"}`, each a PNG in the folder `pictures`, which
the supervisor takes to the store; `{"type": "kept", "name"}`, a result in the cache that may go there, too; and
`{"type": "ask", "number", "what", ...}`, which the supervisor answers by a line on the engine's standard input,
`{"number", ...}`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

ENGINE: Final = "worker.engine"
"""Module that is run as the engine's process."""

CALIBRATION: Final = "worker.engine.calibrate"
"""Module that is run to measure the hardware, started as the engine is; it says `{"type": "calibration", ...}`,
more than once if it learns more."""


@final
class Exit(enum.IntEnum):
    """The engine's exit statuses; every other one, or a signal, is a crash."""

    DONE = 0
    """The result file is written and the staging folder complete."""

    FAILED = 10
    """The same request would fail again; the error file says why."""

    DRAINED = 20
    """Told to stop, and everything up to now is in the checkpoint."""

    DECLINED = 30
    """The part of another worker's job would not have the same bits here; nothing was kept."""


@final
@dataclass(frozen=True)
class JobFolder:
    """Where one attempt at a job reads and writes.

    What an attempt produces carries its number, so that a stale twin can't touch the files of its successor; only the
    checkpoint is handed on from attempt to attempt.
    """

    root: Path
    attempt: int

    @property
    def job(self) -> Path:
        """The file with the job, written by the supervisor."""
        return self.root / "job.json"

    @property
    def checkpoint(self) -> Path:
        """Folder kept across attempts."""
        return self.root / "checkpoint"

    @property
    def continues(self) -> Path:
        """The images of the earlier result that the job goes on from, if it does."""
        return self.root / "continues.safetensors"

    @property
    def finish(self) -> Path:
        """A file that is there once the attempt is to end with the best that it has, written by the supervisor."""
        return self.root / f"finish-{self.attempt}"

    @property
    def staging(self) -> Path:
        """Folder of the artifact in the making."""
        return staging_of(self.root) / str(self.attempt)

    @property
    def pictures(self) -> Path:
        """Folder of pictures on their way to the store."""
        return self.root / "pictures"

    @property
    def result(self) -> Path:
        """`{"metrics": {...}}` of an attempt that is done."""
        return self.root / f"result-{self.attempt}.json"

    @property
    def error(self) -> Path:
        """`{"code", "type", "message", "phase", "hint"}` of an attempt that failed."""
        return self.root / f"error-{self.attempt}.json"


def staging_of(root: Path) -> Path:
    """Folder of the staging folders of all attempts at a job."""
    return root / "staging"


def parts_of(root: Path) -> Path:
    """Folder of the parts of a job that are made here for another worker, a job's folder each."""
    return root / "parts"
