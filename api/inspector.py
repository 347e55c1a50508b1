"""Uploads on their way into the store: kept on this machine until they were inspected, two of them at a time.

An upload that has arrived is not lost: what a service that ended has left is inspected by the next one of its HOME.
"""

from __future__ import annotations

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, final

import structlog

from core.artifacts import Store
from core.data import DatasetInvalid
from core.data.inspection import inspect
from core.ledger import Ledger, UnknownUpload

AT_ONCE: Final = 2
_FORGOTTEN = 86_400.0

log = structlog.stdlib.get_logger(__name__)


@final
class Inspector:
    """Takes uploads in; `closing` stops it, and leaves what is not inspected for the next time."""

    def __init__(self, folder: Path, ledger: Ledger, store: Store, closing: threading.Event) -> None:
        self._folder = folder
        self._ledger = ledger
        self._store = store
        self._closing = closing
        self._workers = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="inspection")

    def place(self, upload_id: str) -> Path:
        """Where the file of an upload is written to, in a folder of its own."""
        folder = self._folder / upload_id
        folder.mkdir(parents=True)
        return folder / "upload"

    def drop(self, upload_id: str) -> None:
        """Forget an upload that did not arrive whole, or was inspected."""
        shutil.rmtree(self._folder / upload_id, ignore_errors=True)

    def take(self, upload_id: str) -> None:
        """Inspect the upload that lies in its place and is in the ledger; returns at once."""
        self._workers.submit(self._inspect, upload_id)

    def resume(self) -> None:
        """Go on with what was left the last time."""
        for folder in sorted(self._folder.iterdir()) if self._folder.exists() else ():
            try:
                waits = self._ledger.uploads.get(folder.name).state == "inspecting"
            except UnknownUpload:
                # It may be arriving at another process of this HOME just now; a day later it is not.
                if time.time() - folder.stat().st_mtime > _FORGOTTEN:
                    self.drop(folder.name)
                continue
            if waits:
                self.take(folder.name)
            else:
                self.drop(folder.name)

    def close(self) -> None:
        """Wait until nothing is being inspected any more; `closing` has been set."""
        self._workers.shutdown(cancel_futures=True)

    def _inspect(self, upload_id: str) -> None:
        uploads, folder = self._ledger.uploads, self._folder / upload_id
        try:
            asked = uploads.get(upload_id)
            found = inspect(folder / "upload", folder, asked.size, self._closing.is_set, asked.mirror)
            if found is None:
                return
            sha256, length = self._store.put(folder / "bundle.npz")
            uploads.conclude(upload_id, found=found, sha256=sha256, length=length)
        except DatasetInvalid as fault:
            uploads.conclude(upload_id, problem=str(fault))
        except UnknownUpload:
            pass  # deleted meanwhile
        except Exception:
            log.exception("inspection failed", upload=upload_id)
            uploads.conclude(upload_id, problem="the service could not inspect or store it; upload it again later")
        self.drop(upload_id)
