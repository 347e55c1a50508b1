"""Uploaded datasets on a worker: fetched from the store before a job that needs them, gone once they are deleted."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from core.artifacts.store import MissingObject, Store
from core.data.catalogue import UPLOADS
from core.ids import is_upload
from core.ledger import Job, Ledger, UnknownUpload
from worker.database_retry import Beyond


class LostUpload(Beyond):
    """The store no longer has an upload, or has other bytes in its place."""


def fetch(job: Job, ledger: Ledger, store: Store, data_dir: Path) -> None:
    """Bring the uploads that a job reads into the data folder; one that was deleted is left to the engine to miss.

    Raises:
        LostUpload: the store does not have what it should hold.
        OSError: the store is away.
    """
    for name in {job.dataset, (job.recipe.get("init") or {}).get("source")}:
        if not isinstance(name, str) or not is_upload(name):
            continue
        path = data_dir / UPLOADS / f"{name}.npz"
        titled = name == job.dataset != job.dataset_title
        title = f"'{job.dataset_title}' ({name})" if titled else name
        try:
            address = ledger.uploads.get(name).sha256
        except UnknownUpload:
            path.unlink(missing_ok=True)
            continue
        if address is not None and not path.exists():
            try:
                store.fetch(address, path)
            except MissingObject as fault:
                raise LostUpload(f"The upload {title} is lost: {fault}.") from None


def tidy(ledger: Ledger, data_dir: Path) -> None:
    """Delete the copies of uploads that are no more."""
    with suppress(FileNotFoundError):
        for path in (data_dir / UPLOADS).iterdir():
            try:
                if is_upload(path.stem):
                    ledger.uploads.get(path.stem)
            except UnknownUpload:
                path.unlink(missing_ok=True)
