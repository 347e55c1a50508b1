"""An engine that distils nothing: it counts steps, and does on command whatever an engine can do, right or wrong.

It is run by the real supervisor as a real process, and reads its script from the overrides of the job's request.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, final

from worker.protocol import Exit, JobFolder

MEDIA_TYPE = "application/octet-stream"


@final
@dataclass(frozen=True)
class Script:
    """The steps to take, and those at which to go wrong."""

    steps: int = 10
    pace: float = 0.0
    """Seconds of pretended work a step."""
    checkpoint_every: int = 2
    trace: str | None = None
    """File that gets a line `attempt step pid` for every step done."""
    hold_at: int | None = None
    """Step before which to wait for the file `gate`."""
    gate: str = ""
    crash_at: int | None = None
    crash_by: str = "exit"
    """`exit` with a traceback, `kill` by SIGKILL, `memory` like an allocation that failed."""
    crashes: int = 1
    """Attempts that crash."""
    fail_at: int | None = None
    deaf: bool = False
    """Ignores SIGTERM."""
    spoil: str | None = None
    """The damage to a staging folder that was complete: `change`, `remove`, `add`, `link`."""


def state_after(steps: int) -> str:
    """The only state there is after that many steps, however often the engine was interrupted."""
    state = "seed"
    for step in range(steps):
        state = _advance(state, step)
    return state


def _advance(state: str, step: int) -> str:
    return hashlib.sha256(f"{state}{step}".encode()).hexdigest()


@final
class Double:
    """One run of the script."""

    def __init__(self, folder: JobFolder, script: Script, channel: int) -> None:
        self._folder = folder
        self._script = script
        self._channel = os.fdopen(channel, "w")
        self._told_to_stop = threading.Event()
        self._step = 0
        self._state = "seed"

    def run(self) -> Exit:
        """From the checkpoint to the end of the script, or as far as it is let."""
        signal.signal(signal.SIGTERM, self._stop)
        self._resume()
        self._say(type="log", level="info", message=f"starting at step {self._step}")
        while self._step < self._script.steps:
            self._hold()
            if self._told_to_stop.is_set():
                self._save()
                return Exit.DRAINED
            if self._step == self._script.fail_at:
                return self._fail()
            if self._step == self._script.crash_at and self._folder.attempt <= self._script.crashes:
                self._crash()
            if self._folder.finish.exists():
                break
            self._advance()
        self._stage()
        return Exit.DONE

    def _stop(self, *_: object) -> None:
        if not self._script.deaf:
            self._told_to_stop.set()

    def _advance(self) -> None:
        time.sleep(self._script.pace)
        self._state = _advance(self._state, self._step)
        if self._script.trace:
            with Path(self._script.trace).open("a") as trace:
                trace.write(f"{self._folder.attempt} {self._step} {os.getpid()}\n")
        self._step += 1
        self._say(type="progress", phase="distilling", done=self._step, total=self._script.steps, eta_seconds=0.5)
        self._say(type="metric", name="loss", step=self._step, value=1 / self._step)
        if self._step % self._script.checkpoint_every == 0:
            self._save()

    def _hold(self) -> None:
        if self._step == self._script.hold_at:
            gates = Path(self._script.gate), self._folder.finish
            while not any(gate.exists() for gate in gates) and not self._told_to_stop.is_set():
                time.sleep(0.01)

    def _say(self, **message: Any) -> None:
        print(json.dumps(message), file=self._channel, flush=True)

    def _resume(self) -> None:
        saved = self._folder.checkpoint / "state.json"
        if saved.exists():
            self._step, self._state = json.loads(saved.read_text())

    def _save(self) -> None:
        draft = self._folder.checkpoint / f"state-{self._folder.attempt}.tmp"
        draft.write_text(json.dumps([self._step, self._state]))
        draft.replace(self._folder.checkpoint / "state.json")

    def _fail(self) -> Exit:
        error = {
            "code": "numerical_divergence",
            "type": "Divergence",
            "message": f"The loss became NaN at step {self._step}.",
            "phase": "distilling",
            "hint": "Lower schedule.lr.",
        }
        self._folder.error.write_text(json.dumps(error))
        print("fetched from https://user:hunter2@example.org/data", file=sys.stderr)
        return Exit.FAILED

    def _crash(self) -> None:
        if self._script.crash_by == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self._script.crash_by == "memory":
            raise MemoryError("cannot allocate 64 GiB")
        raise RuntimeError("the engine has a bug")

    def _stage(self) -> None:
        staging = self._folder.staging
        files = {"data/state.txt": self._state, "README.md": "# A dataset of nothing\n"}
        listing = []
        for name, text in sorted(files.items()):
            path = staging / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            digest = hashlib.sha256(text.encode()).hexdigest()
            listing.append({"name": name, "bytes": len(text), "sha256": digest, "media_type": MEDIA_TYPE})
        (staging / "manifest.json").write_text(json.dumps({"schema_version": 1, "files": listing}))
        self._spoil(staging / "data/state.txt")
        self._folder.result.write_text(json.dumps({"metrics": {"steps": self._step, "ended": self._ended}}))

    @property
    def _ended(self) -> dict[str, int] | None:
        return {"step": self._step} if self._step < self._script.steps else None

    def _spoil(self, path: Path) -> None:
        match self._script.spoil:
            case "change":
                path.write_text(path.read_text()[::-1])
            case "remove":
                path.unlink()
            case "add":
                path.with_name("stowaway").write_text("nobody vouches for this")
            case "link":
                path.unlink()
                path.symlink_to("/etc/hostname")


def main() -> int:
    """The engine's command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--job-dir", type=Path, required=True)
    parser.add_argument("--channel", type=int, required=True)
    arguments = parser.parse_args()
    threading.Thread(target=_die_with_the_worker, daemon=True).start()
    order = json.loads((arguments.job_dir / "job.json").read_text())
    known = {field.name for field in fields(Script)}
    script = Script(**{name: value for name, value in order["request"]["overrides"].items() if name in known})
    return Double(JobFolder(arguments.job_dir, order["attempt"]), script, arguments.channel).run()


def _die_with_the_worker() -> None:
    while os.read(0, 1):  # unbuffered: a lock of sys.stdin held by a daemon thread aborts the interpreter's exit
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
