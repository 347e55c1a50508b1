"""The work of no single attempt: expire leases, ring again, clean up, tell webhooks. `python -m worker.sweeper`.

Any number of sweepers may run anywhere; the ledger counts each loss once, and everything else is idempotent.
"""

from __future__ import annotations

import random
import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import final

import structlog

from core import doorbell, logs
from core.artifacts.store import Store
from core.ledger import AWAY, ENDED, HELD, Job, Ledger, Status, UnknownJob
from core.settings import Settings, settings
from worker import uploads
from worker.courier import Courier
from worker.database_retry import until_ready
from worker.drain import Drain
from worker.housekeeping import Housekeeper
from worker.leaps import Leaps
from worker.protocol import parts_of, staging_of

log = structlog.stdlib.get_logger(__name__)


@final
class Sweeper:
    """Goes round every `sweep_interval` seconds until drained."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger
        self._housekeeper = Housekeeper(settings, ledger, Store(settings.artifacts_url))
        self._courier = Courier(settings, ledger, random.Random())
        self._leaps = Leaps(settings.heartbeat_interval, 2 * settings.heartbeat_interval)

    def run(self, drain: Drain) -> None:
        """Sweeps at once and then at intervals, and tells webhooks; returns when drain is set. Never raises."""
        until_ready(self._ledger, drain)
        threading.Thread(target=self._courier.run, args=(drain,), name="couriers", daemon=True).start()
        while not drain.is_set():
            try:
                self.sweep()
            except AWAY as error:
                log.warning("the ledger does not answer", reason=type(error).__name__)
            except Exception:
                log.exception("sweeping failed")
            drain.wait(self._settings.sweep_interval)

    def sweep(self) -> None:
        """One round."""
        swept = self._ledger.sweep(expire=self._leaps.settled(self._ledger.keeping.now(), time.monotonic()))
        if swept:
            log.warning("leases expired", requeued=swept.requeued, failed=swept.failed, cancelled=swept.cancelled)
        if self._ledger.counts()[Status.QUEUED]:
            doorbell.ring(self._settings)
        self._tidy()
        uploads.tidy(self._ledger, self._settings.datasets)
        self._housekeeper.keep()

    def _tidy(self) -> None:
        """Deletes staging folders of attempts that are over, and all of a job that needs nothing of it any more."""
        with suppress(FileNotFoundError):
            roots = list(self._settings.jobs.iterdir())
            names = [root.name for root in roots]
            done_with = self._ledger.keeping.done_with(names, self._settings.checkpoint_days)
            for name in self._ledger.deleted(names) | done_with:
                shutil.rmtree(self._settings.jobs / name, ignore_errors=True)
            for root in roots:
                attempts, parts = _attempts(root), parts_of(root)
                if not attempts and not parts.exists():
                    continue
                try:
                    job = self._ledger.job(root.name)
                except UnknownJob:
                    continue  # another database's job: not ours to delete
                if job.status in ENDED:
                    shutil.rmtree(parts, ignore_errors=True)
                for folder in attempts:
                    if _is_over(job, int(folder.name)):
                        shutil.rmtree(folder, ignore_errors=True)


def _attempts(root: Path) -> list[Path]:
    with suppress(FileNotFoundError, NotADirectoryError):
        return [folder for folder in staging_of(root).iterdir() if folder.name.isdecimal()]
    return []


def _is_over(job: Job, attempt: int) -> bool:
    """False for an attempt later than the job as it was read, which may have begun since."""
    return attempt < job.attempt or (attempt == job.attempt and job.status not in HELD)


def main() -> None:
    """Sweeps until SIGTERM or SIGINT."""
    drain = Drain()
    drain.on_signals()
    logs.configure(settings())
    log.info("sweeper ready", every=settings().sweep_interval)
    Sweeper(settings(), Ledger(settings().ledger_url)).run(drain)
    log.info("sweeper stopped")


if __name__ == "__main__":
    main()
