"""The trigger without a broker, and the backstop with one: looks for work at intervals. `python -m worker.poller`."""

from __future__ import annotations

import argparse
import os
import secrets
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, final

import structlog

from core import logs
from core.artifacts.store import Store
from core.forecast import Calibration
from core.ledger import AWAY, Ledger
from core.settings import Settings, settings
from worker import gpu
from worker.calibrator import Calibrator
from worker.database_retry import until_ready
from worker.drain import Drain
from worker.protocol import ENGINE
from worker.supervisor import Supervisor
from worker.sweeper import Sweeper

_SETTLING: Final = 10.0
"""Seconds a drained attempt may take to be written down, beyond the engine's own grace."""

_IDLE: Final = 3.0
"""Seconds without work after which a worker measures its hardware."""

log = structlog.stdlib.get_logger(__name__)


@final
class Poller:
    """A worker: one slot, a thread that looks for work for it, and a thread that sweeps."""

    def __init__(self, settings: Settings, interval: float, engine: str = ENGINE) -> None:
        """
        Args:
            interval: seconds between looks for work.
            engine: module that is run as the engine's process.
        """
        self.worker_id = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        """New with every start: a name that comes back could be taken for the worker that died."""
        self.drain = Drain()
        """Raising it is the polite way to stop."""
        ledger, store = Ledger(settings.ledger_url), Store(settings.artifacts_url)
        self._calibrator = Calibrator(settings, ledger)
        self.supervisor = Supervisor(
            settings,
            ledger,
            store,
            self.worker_id,
            self.drain,
            engine,
            self._calibrator.record_forecast,
            self._calibrator.race,
            self._calibrator.room,
        )
        self._gpu: gpu.Hold | None = None
        self._settled = False
        self._announced = float("-inf")
        self._told: Calibration | None = None
        # another engine is not measured by this one's kernels
        self._measures = engine == ENGINE and settings.calibrate == "auto"
        self._ledger = ledger
        self._settings = settings
        self._interval = interval
        self._polling = threading.Thread(target=self._poll, name="poller", daemon=True)
        sweeper = Sweeper(settings, ledger)
        self._sweeping = threading.Thread(target=sweeper.run, args=(self.drain,), name="sweeper", daemon=True)

    def open(self) -> None:
        """Starts both threads."""
        self._polling.start()
        self._sweeping.start()
        log.info("worker ready", worker=self.worker_id, every=self._interval)

    def close(self) -> None:
        """Drains: the running job is checkpointed and queued again. Returns within `drain_grace` and ten seconds."""
        self.drain.set()
        self._polling.join(timeout=self._settings.drain_grace + _SETTLING)
        self._sweeping.join(timeout=1)
        if self._gpu is not None:
            self._gpu.release()
        log.info("worker stopped", worker=self.worker_id)

    def _poll(self) -> None:
        while not self.drain.is_set() and not self._settled:
            self.supervisor.while_idle(self._settle)
            self.drain.wait(0 if self._settled else _IDLE)
        while not self.drain.is_set():
            self._greet()
            self.supervisor.look()
            if self._measures and time.monotonic() - self.supervisor.worked_at >= _IDLE:
                self.supervisor.while_idle(self._measure)
            unknown = self._measures and self._calibrator.known is None
            self.drain.wait(min(self._interval, _IDLE) if unknown else self._interval)

    def _settle(self, wanted: Callable[[], bool]) -> None:
        """The GPU, and the speed of this machine where it was measured: the first job, too, waits for both."""
        until_ready(self._ledger, self.drain)
        locks = self._settings.gpu_locks or Path(tempfile.gettempdir())
        self._gpu = gpu.take(locks, self._settings.device, os.environ, self.drain)
        self.supervisor.has_gpu = self._gpu is not None
        self._greet()  # before the first job, which may take hours
        if self._measures and not self.drain.is_set():
            self._calibrator.recall(self.drain.is_set)
            self._greet()
        self._settled = True

    def _measure(self, wanted: Callable[[], bool]) -> None:
        """Lets the calibrator measure, if it is due, and tells what it has learnt when it has learnt it."""

        def asked() -> bool:
            self._greet()
            return wanted()

        if self._calibrator.due:  # which looks at the jobs so far: asked while none runs
            self._calibrator.measure(asked)

    def _greet(self) -> None:
        """Says that this worker is there, if that is due; while it works, the heartbeats of the job say it."""
        known, now, ability = self._calibrator.known, time.monotonic(), self.supervisor.ability
        if known is self._told and now - self._announced < self._settings.heartbeat_interval:
            return
        self._told, self._announced = known, now
        measured = known.model_dump(mode="json") if known else None
        try:
            self._ledger.register_worker(self.worker_id, self._settings.device, socket.gethostname(), measured, ability)
        except AWAY as error:
            log.warning("the ledger does not answer", reason=type(error).__name__)


def run(engine: str = ENGINE) -> None:
    """Works until SIGTERM or SIGINT."""
    logs.configure(settings())
    poller = Poller(settings(), settings().poll_interval, engine)
    poller.drain.on_signals()
    poller.open()
    poller.drain.wait()
    log.info("worker stopping", worker=poller.worker_id)
    poller.close()


def engine_option(description: str | None) -> argparse.ArgumentParser:
    """The command line that every way to start a worker shares."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--engine", default=ENGINE, help="module that is run as the engine's process")
    return parser


if __name__ == "__main__":
    run(engine_option(__doc__).parse_args().engine)
