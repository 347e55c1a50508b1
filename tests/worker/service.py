"""The workers under test: real processes on a real ledger, with a short patience and the engine double."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, final

import pytest
from sqlalchemy import make_url

from core import doorbell
from core.artifacts.store import Store
from core.ledger import ENDED, NO_NEEDS, Event, Job, Ledger, Needs, Status
from core.settings import Settings
from worker.drain import Drain
from worker.supervisor import Supervisor

Trigger = Literal["poller", "celery"]

Combination = tuple[Trigger, str]

BOTH: tuple[Combination, ...] = (("poller", "sqlite"), ("celery", "postgresql"))
"""Each trigger and each database once, together as they are in use."""


def over(combinations: tuple[Combination, ...], fixture: str = "service") -> pytest.MarkDecorator:
    """Runs a test with its service in each of these combinations."""
    return pytest.mark.parametrize(fixture, combinations, ids="-".join, indirect=True)


ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0
"""Seconds a condition may take to come true; it is there for a machine under load, and nothing waits that long."""

IMPATIENT: dict[str, Any] = {
    "lease_ttl": 3.0,
    "heartbeat_interval": 0.5,
    "self_fence_after": 2.4,
    "sweep_interval": 0.2,
    "poll_interval": 0.1,
    "backstop_interval": 600.0,  # so that what a Celery worker does, it does because of a ring
    "drain_grace": 2.0,
}


def until(condition: Callable[[], object], what: str) -> None:
    """Waits for a condition; fails with `what` was expected after PATIENCE seconds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"timed out waiting until {what}"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended but is not reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # gone before the file was opened, or while it was read
        return False
    return state != "Z"


def threads(pid: int) -> set[str]:
    """The states that the threads of a process are in, as proc(5) has them."""
    found = set()
    for task in Path(f"/proc/{pid}/task").glob("*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it ended before it was read
            found.add(task.read_text().rpartition(")")[2].split()[0])
    return found


@final
@dataclass(frozen=True)
class Play:
    """A job that the double plays by a script, and the proof it leaves of every step."""

    ledger: Ledger
    store: Store
    job_id: str
    trace: Path
    gate: Path

    @property
    def job(self) -> Job:
        """The job now."""
        return self.ledger.job(self.job_id)

    def wait_for(self, *statuses: Status) -> Job:
        """Waits until the job stands there."""
        until(lambda: self.job.status in statuses, f"{self.job_id} is {' or '.join(statuses)}")
        return self.job

    def wait_for_end(self) -> Job:
        """Waits until the job has ended."""
        return self.wait_for(*ENDED)

    def wait_for_step(self, attempt: int, step: int) -> int:
        """Waits until that step is done in that attempt; returns the engine's process."""
        until(lambda: step in self.steps(attempt), f"attempt {attempt} has done step {step}")
        return next(int(pid) for number, _, pid in self._traced() if int(number) == attempt)

    def steps(self, attempt: int) -> list[int]:
        """The steps done by an attempt."""
        return [int(step) for number, step, _ in self._traced() if int(number) == attempt]

    def open_gate(self) -> None:
        """Lets a double go on that waits where its script says `hold_at`."""
        self.gate.touch()

    def events(self, kind: str) -> list[Event]:
        """The job's events whose type begins so."""
        return [event for event in self.ledger.events(self.job_id) if event.type.startswith(kind)]

    def history(self) -> list[str]:
        """The transitions the job has made."""
        return [event.type.removeprefix("job.") for event in self.events("job.")]

    def state(self) -> str:
        """The published state."""
        file = self.ledger.file(self.job_id, "data/state.txt")
        assert file is not None, "nothing is published"
        with self.store.open(file.sha256) as content:
            return content.read().decode()

    def _traced(self) -> list[list[str]]:
        return [line.split() for line in self.trace.read_text().splitlines()] if self.trace.exists() else []


@final
class Service:
    """A ledger, and the processes that work for it."""

    def __init__(
        self, home: Path, database_url: str, broker_url: str | None, trigger: Trigger, **patience: Any
    ) -> None:
        home.mkdir(exist_ok=True)
        self.settings = Settings(
            home=home, database_url=database_url, broker_url=broker_url, log_format="console", **(IMPATIENT | patience)
        )
        self.ledger = Ledger(database_url)
        self.trigger = trigger
        self.store = Store(self.settings.artifacts_url)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._guards: list[subprocess.Popen[bytes]] = []
        self._logs: list[IO[bytes]] = []
        self._plays: list[Play] = []

    def start_worker(
        self, engine: str = "tests.worker.double", *, waits: bool = False, **changes: Any
    ) -> subprocess.Popen[bytes]:
        """One worker, with the engine double or another engine; returns once it looks for work.

        Args:
            waits: it is not to look for work yet.
            changes: settings of this worker that are not the service's.
        """
        known = {worker.worker_id for worker in self.ledger.workers()}
        module = "worker" if self.trigger == "celery" else "worker.poller"
        worker = self._start(module, "--engine", engine, **changes)
        if not waits:
            until(lambda: {w.worker_id for w in self.ledger.workers()} - known, "the worker has announced itself")
        return worker

    def stop(self, worker: subprocess.Popen[bytes]) -> None:
        """Stop a worker as a machine that falls asleep does, but not while it holds SQLite's one lock for writers.

        A stopped process keeps that lock, and nobody else could write until it wakes. On a busy machine its threads go
        on for some time after the signal, and one could take the lock the moment that it is free here.
        """
        url = make_url(str(self.settings.database_url))
        if url.get_backend_name() != "sqlite":
            worker.send_signal(signal.SIGSTOP)
            return
        with closing(sqlite3.connect(str(url.database), timeout=PATIENCE, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            worker.send_signal(signal.SIGSTOP)
            until(lambda: threads(worker.pid) == {"T"}, "every thread of the worker has stopped")

    def start_sweeper(self) -> subprocess.Popen[bytes]:
        """One sweeper, apart from those inside the workers."""
        return self._start("worker.sweeper")

    def _start(self, *command: str, **changes: Any) -> subprocess.Popen[bytes]:
        given = {name: value for name, value in (self.settings.model_dump() | changes).items() if value is not None}
        log = (self.settings.home / f"{len(self._processes)}-{command[0]}.log").open("wb")
        self._logs.append(log)
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            env={
                **os.environ,
                **{f"STILLHOUSE_{name.upper()}": str(value) for name, value in given.items()},
                "PYTHONPATH": str(ROOT),
            },
            cwd=self.settings.home,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        self._processes.append(process)
        guard = ["sh", "-c", 'cat >/dev/null; kill -9 "$1"', "sh", str(process.pid)]
        self._guards.append(subprocess.Popen(guard, stdin=subprocess.PIPE))  # ends it when the tests are killed
        return process

    @contextmanager
    def supervisor_at_work(self) -> Iterator[Drain]:
        """A supervisor in this process, looking for work until the block ends; yields what makes it drain."""
        drain = Drain()
        supervisor = Supervisor(self.settings, self.ledger, self.store, "test", drain, "tests.worker.double")

        def work() -> None:
            while not drain.is_set():
                supervisor.look()
                drain.wait(self.settings.poll_interval)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield drain
        finally:
            drain.set()
            thread.join()

    def submit(self, max_attempts: int = 3, needs: Needs = NO_NEEDS, **script: Any) -> Play:
        """Queues a job that the double plays by this script, and rings."""
        play = self.submit_quietly(max_attempts, needs, **script)
        doorbell.ring(self.settings)
        return play

    def submit_quietly(self, max_attempts: int = 3, needs: Needs = NO_NEEDS, **script: Any) -> Play:
        """Queues a job without ringing."""
        trace, gate = (self.settings.home / f"{len(self._plays)}-{name}" for name in ("trace", "gate"))
        overrides = {"trace": str(trace), "gate": str(gate), **script}
        request = {"dataset": "digits", "ipc": 1, "method": "mtt", "overrides": overrides}
        submission = self.ledger.submit(
            request, {}, dataset="digits", method="mtt", ipc=1, seed=0, max_attempts=max_attempts, needs=needs
        )
        self._plays.append(Play(self.ledger, self.store, submission.job.id, trace, gate))
        return self._plays[-1]

    def describe(self) -> str:
        """The evidence for a failed test: the last job's story, and the ends of the logs."""
        story = [f"{play.job}\n" + "\n".join(map(str, play.events(""))) for play in self._plays[-1:]]
        logs = [f"{path.name}:\n{path.read_text()[-4000:]}" for path in sorted(self.settings.home.glob("*.log"))]
        return "\n\n".join([*story, *logs])

    def close(self) -> None:
        """Ends every process it started."""
        for guard in self._guards:
            guard.kill()
            guard.communicate()
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
        for log in self._logs:
            log.close()
        self.ledger.close()
