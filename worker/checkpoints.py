"""A job's checkpoint on its way to the store and back, so that a job moves between workers with a HOME of their own.

Files are taken together, as they were at one moment: an engine that goes on from them finds what it left, or what it
left some seconds before.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self, final

import structlog

from core.artifacts.store import MissingObject, Store
from core.files import PART, write_atomic
from core.ledger import Claim, Ledger, Stored
from core.masks import masked
from core.settings import Settings
from worker.protocol import JobFolder

_EVERY: Final = 5.0
"""Seconds between looks at the folder, if checkpoints are not written more often."""
_PATIENCE: Final = 5.0

Mark = tuple[int, int]
"""Nanoseconds of the last change, and bytes."""

log = structlog.stdlib.get_logger(__name__)


@final
class CheckpointCarrier:
    """Takes an attempt's checkpoint to the store while entered, in a thread of its own; does nothing without one.

    Without STILLHOUSE_STORE_URL all workers have one HOME, and so the checkpoint itself.
    """

    def __init__(self, settings: Settings, ledger: Ledger, store: Store, claim: Claim, folder: JobFolder) -> None:
        self._ledger, self._store, self._claim, self._folder = ledger, store, claim, folder
        self._shares, self._every = settings.store_url is not None, min(_EVERY, settings.checkpoint_interval)
        self._ended = threading.Event()
        self._marks: dict[str, Mark] = {}
        self._stored: dict[str, Stored] = {}
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)

    def __enter__(self) -> Self:
        if self._shares:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._shares:
            self._thread.join(_PATIENCE)

    def last(self) -> None:
        """Takes what an engine that is gone has left. Never raises."""
        if self._shares and not self._thread.is_alive():
            self._try()

    def _run(self) -> None:
        while not self._ended.wait(self._every):
            self._try()

    def _try(self) -> None:
        try:
            self._carry()
        except Exception as error:  # a store or a database that is away costs another worker some steps
            log.warning("the checkpoint was not stored", reason=masked(str(error)))

    def _carry(self) -> None:
        folder = self._folder.checkpoint
        marks = _marks(folder)
        if marks == self._marks:
            return
        stored = dict[str, Stored]()
        for name, mark in marks.items():
            if self._marks.get(name) == mark:
                stored[name] = self._stored[name]
            else:
                with _still(folder / name, self._folder.root) as path:
                    stored[name] = Stored(*self._store.put(path))
        if _marks(folder) == marks and self._ledger.sharing.keep_checkpoint(self._claim, stored, self._store.delete):
            self._marks, self._stored = marks, stored


def bring(settings: Settings, ledger: Ledger, store: Store, claim: Claim, folder: JobFolder) -> None:
    """Bring the job's checkpoint here, if another worker has left a newer one than lies here; harmless to repeat.

    Raises:
        OSError: the store is away.
    """
    last = folder.root / "checkpoint-of"
    here = int(last.read_text()) if last.exists() else 0
    attempt, files = ledger.sharing.checkpoint(claim.job.id) if settings.store_url is not None else (0, {})
    if attempt > here:
        fresh = folder.root / "checkpoint-new"
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            for name, file in files.items():
                store.fetch(file.sha256, fresh / name)
        except MissingObject as error:
            log.warning("the checkpoint is lost: the job starts over", reason=str(error))
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
        shutil.rmtree(folder.checkpoint, ignore_errors=True)
        fresh.replace(folder.checkpoint)
    folder.checkpoint.mkdir(exist_ok=True)
    write_atomic(last, str(claim.attempt).encode())


def _marks(folder: Path) -> dict[str, Mark]:
    found = dict[str, Mark]()
    for path in sorted(folder.rglob("*")):
        with suppress(FileNotFoundError):  # dropped, or replaced, meanwhile
            told = path.stat()
            if path.suffix != PART and not path.is_dir():
                found[path.relative_to(folder).as_posix()] = told.st_mtime_ns, told.st_size
    return found


@contextmanager
def _still(path: Path, beside: Path) -> Iterator[Path]:
    """Another name of the file as it is now: what replaces it takes the old name alone."""
    link = beside / f"carried-{path.name}"
    link.unlink(missing_ok=True)
    os.link(path, link)
    try:
        yield link
    finally:
        link.unlink(missing_ok=True)
