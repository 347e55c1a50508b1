"""Uploads on their way into the store: kept on this machine until they were inspected, two of them at a time.

An upload that has arrived is not lost: what a service that ended has left is inspected by the next one of its HOME.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final, TypeVar, final

import structlog

from core.artifacts import Store
from core.data import DatasetInvalid
from core.data.inspection import inspect
from core.files import PART, draft, is_orphan
from core.ledger import AWAY, Ledger, UnknownUpload, Upload

AT_ONCE: Final = 2
_OPENING: Final = 60.0
"""Seconds that a folder may be without its file: two calls of the system lie between."""

_FAILED: Final = "the service could not inspect or store it; upload it again later"
_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0
T = TypeVar("T")

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

    @contextmanager
    def place(self, upload_id: str) -> Iterator[IO[bytes]]:
        """The file that an upload is written to, in a folder of its own, which goes with it where the block raises.

        Within the block the upload is to become one of the ledger.
        """
        folder = self._folder / upload_id
        folder.mkdir(parents=True)
        try:
            with draft(folder / "upload") as file:
                yield file
        except BaseException:
            self.drop(upload_id)
            raise

    def drop(self, upload_id: str) -> None:
        """Forget an upload that did not arrive whole, or was inspected."""
        shutil.rmtree(self._folder / upload_id, ignore_errors=True)

    def rename(self, upload_id: str, to: str) -> bool:
        """Put an upload that has arrived in the place of another one; False where that is being inspected just now."""
        try:
            (self._folder / upload_id).rename(self._folder / to)
        except OSError:  # a folder with something in it
            return False
        return True

    def take(self, upload_id: str) -> None:
        """Inspect the upload that lies in its place and is in the ledger; returns at once."""
        self._workers.submit(self._inspect, upload_id)

    def resume(self) -> None:
        """Go on with what was left the last time."""
        for folder in sorted(self._folder.iterdir()) if self._folder.exists() else ():
            if _arrives(folder):
                continue  # at another process of this HOME, just now
            try:
                waits = self._ledger.uploads.get(folder.name).state == "inspecting"
            except UnknownUpload:
                self.drop(folder.name)
                self._ledger.uploads.release(folder.name)
                continue
            if waits:
                self.take(folder.name)
            else:
                self.drop(folder.name)

    def close(self) -> None:
        """Wait until nothing is being inspected any more; `closing` has been set."""
        self._workers.shutdown(cancel_futures=True)

    def _inspect(self, upload_id: str) -> None:
        uploads = self._ledger.uploads
        try:
            upload = self._answered(lambda: uploads.get(upload_id))
            outcome = self._examine(upload)
            if outcome is None:
                return
            concluded, address = self._conclude(upload_id, outcome), outcome.get("sha256")
            if concluded and address:
                # An equal upload may have been deleted, and the bundle with it, before the ledger knew of this need.
                self._stored(self._folder / upload_id / "bundle.npz")
            elif address:  # deleted while its bundle was on its way into the store
                self._let_go(address)
        except AWAY:
            return  # told to end while the database is away: the next process goes on with what lies here
        except UnknownUpload:
            pass  # deleted meanwhile
        self.drop(upload_id)

    def _conclude(self, upload_id: str, outcome: dict[str, Any]) -> bool:
        """Whether the ledger has taken what came of the inspection, where it had nothing of it yet.

        An outcome that it cannot keep becomes a problem: an upload that stayed as it is would never be told of.
        """
        try:
            return self._answered(lambda: self._ledger.uploads.conclude(upload_id, **outcome))
        except AWAY:
            raise
        except Exception:
            log.exception("the finding on an upload cannot be kept", upload=upload_id)
            return self._answered(lambda: self._ledger.uploads.conclude(upload_id, problem=_FAILED))

    def _examine(self, upload: Upload) -> dict[str, Any] | None:
        """The finding on the upload, for the ledger; None if this process is to end before it is known."""
        folder = self._folder / upload.id
        try:
            found = inspect(
                folder / "upload",
                folder,
                upload.size,
                self._closing.is_set,
                upload.mirror,
                upload.reading,
                upload.name,
            )
            if found is None:
                return None
            stored = self._stored(folder / "bundle.npz")
            if stored is None:
                return None
            sha256, length = stored
        except DatasetInvalid as fault:
            return {"problem": str(fault)}
        except Exception:
            log.exception("inspection failed", upload=upload.id)
            return {"problem": _FAILED}
        return {"found": found, "sha256": sha256, "length": length}

    def _stored(self, bundle: Path) -> tuple[str, int] | None:
        """SHA-256 and bytes of the bundle in the store, waited for while that is away; None when told to end."""
        pause = _PAUSE
        while True:
            try:
                return self._store.put(bundle)
            except OSError as error:
                if not bundle.exists():  # the upload was deleted meanwhile
                    raise
                log.warning("the store does not take an upload", reason=str(error))
                if self._closing.wait(pause):
                    return None
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _let_go(self, address: str) -> None:
        """Take a bundle out of the store that nothing needs."""
        try:
            self._answered(lambda: self._ledger.uploads.let_go(address, self._store.delete))
        except OSError as error:
            log.warning("a bundle that nothing needs stays in the store", sha256=address, reason=str(error))

    def _answered(self, ask: Callable[[], T]) -> T:
        """The ledger's answer, waited for while the database is away. Raises one of AWAY when told to end."""
        while True:
            try:
                return ask()
            except AWAY as error:
                log.warning("the ledger does not answer", reason=type(error).__name__)
                if self._closing.wait(_PAUSE):
                    raise


def _arrives(folder: Path) -> bool:
    """Whether a living process writes the upload of this folder."""
    with suppress(FileNotFoundError):
        files = list(folder.iterdir())
        if not files:
            return time.time() - folder.stat().st_mtime < _OPENING
        return any(file.suffix == PART and not is_orphan(file) for file in files)
    return False
