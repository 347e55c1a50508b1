"""Datasets that somebody uploaded: what became of their inspection, where their bundle is, whose they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast, final

from sqlalchemy import Text, func, not_, or_, select
from sqlalchemy import cast as cast_column
from sqlalchemy.orm import Session

from core.ids import is_upload
from core.ledger import arrivals, clock, deletion, names, outbox
from core.ledger.columns import storable
from core.ledger.database import Database
from core.ledger.models import ArrivalRow, JobRow, UploadRow, stands
from core.ledger.types import ENDED, Document, Reach, UploadState

FORGOTTEN: Final = timedelta(days=1)
"""An inspection that has not ended by then never will: the process that had the file is gone."""


@final
@dataclass(frozen=True)
class Upload:
    """An uploaded dataset. `found` is what the inspection told and `sha256` its bundle's address, once it is ready."""

    id: str
    owner: str
    name: str
    """As it is called; no other of the owner's uploads that can be used is, and no dataset of the catalogue was."""
    sent_as: str
    """The name that it came under; another one where that was taken."""
    state: UploadState
    bytes: int
    size: int | None
    """Pixels of a side that the images are scaled to; None: as they are; 0: a side that the inspection chooses."""
    mirror: bool | None
    """The uploader's word on whether a mirrored picture stays what it is; None: it is to be found out."""
    reading: Document | None
    """The same on how numbers are to be read (`core.data.table_files.Reading`); None: nothing was said."""
    problem: str | None
    found: Document | None
    sha256: str | None
    created_at: datetime
    sent: str | None
    """SHA-256 of the file that was sent; None where it is not known."""


@final
class UnknownUpload(ValueError):
    """No uploaded dataset that may be seen has this id."""


@final
class UploadInUse(ValueError):
    """Jobs that are not over need the dataset."""

    def __init__(self, jobs: int) -> None:
        super().__init__(
            "One job that is not over needs this dataset."
            if jobs == 1
            else f"{jobs} jobs that are not over need this dataset."
        )


@final
class Uploads:
    """The uploaded datasets of a ledger. Every method is one transaction, as the ledger's are."""

    def __init__(self, database: Database, reach: Reach) -> None:
        self._database = database
        self._reach = reach

    def reserve(self, upload_id: str, length: int, room: int, at_once: int, wish: int | None = None) -> int:
        """Keep so many bytes of the owner's `room` for an upload that arrives, or that grows beyond what was announced.

        Returns how many are kept: `length`, or as many up to `wish` as there is room for.

        Raises:
            NoRoom: there are not so many left, or `at_once` uploads of theirs arrive or are being inspected.
        """
        with self._database.write() as session:
            return arrivals.reserve(session, upload_id, self._reach.owner, length, room, at_once, wish)

    def release(self, upload_id: str) -> None:
        """Keep nothing any more for an upload that does not arrive."""
        with self._database.write() as session:
            arrivals.release(session, upload_id)

    def arriving(self) -> list[str]:
        """The ids of all uploads that bytes are kept free for."""
        with self._database.read() as session:
            return list(session.scalars(select(ArrivalRow.id)))

    def add(
        self,
        upload_id: str,
        name: str,
        size: int | None,
        length: int,
        mirror: bool | None = None,
        reading: Document | None = None,
        sent: str | None = None,
        reserved: Container[str] = (),
    ) -> Upload:
        """An upload that has arrived whole, and is to be inspected; or the one of this name that is equal to it.

        Where another of the owner's has the name, and can be used or is being inspected, it gets a number.

        Args:
            sent: SHA-256 of the file; None: no upload is equal to it.
            reserved: names that no upload gets, since they mean something else.
        """
        owner, asked = self._reach.owner, (sent, mirror, reading or None)
        with self._database.write() as session:
            names.lock(session, owner)
            usable = UploadRow.owner == owner, UploadRow.state != "invalid"
            called = select(UploadRow).where(*usable, or_(UploadRow.name == name, UploadRow.sent_as == name))
            for other in session.scalars(called.order_by(UploadRow.id)) if sent is not None else ():
                if (_sent(other), other.mirror, other.reading) == asked and _of_size(other, size):
                    arrivals.release(session, upload_id)
                    return _view(other)
            taken = set(session.scalars(select(UploadRow.name).where(*usable)))
            row = UploadRow(
                id=upload_id,
                owner=owner,
                name=names.free(name, taken, reserved),
                sent_as=name,
                state="inspecting",
                size=size,
                mirror=mirror,
                reading=reading or None,
                bytes=length,
                created_at=clock.now(session),
                sent=sent,
            )
            session.add(row)
            arrivals.release(session, upload_id)
            session.flush()
            return _view(row)

    def reopen(self, lost: Upload, length: int) -> Upload:
        """The upload, to be inspected once more since the store has lost its bundle, and so many bytes came anew.

        As it is by now, where another one is being inspected in its place already. Raises UnknownUpload.
        """
        with self._database.write() as session:
            row = session.get(UploadRow, lost.id, with_for_update=True)
            if row is None:
                raise UnknownUpload(f"The uploaded dataset {lost.id} was deleted a moment ago.")
            if row.state == "ready" and row.sha256 == lost.sha256:
                row.sent, row.created_at = _sent(row), clock.now(session)  # so long it may take from now
                row.state, row.found, row.sha256, row.bytes = "inspecting", None, None, length
            return _view(row)

    def get(self, upload_id: str) -> Upload:
        """The upload of this id. Raises UnknownUpload, also for one that is another owner's."""
        with self._database.read() as session:
            return _view(self._row(session, upload_id))

    def called(self, name: str, *, own: bool = False) -> list[Upload]:
        """The uploads of this name within reach, oldest first; or the reach's `own` alone."""
        statement = select(UploadRow).where(UploadRow.name == name).order_by(UploadRow.id)
        if own or not self._reach.everything:
            statement = statement.where(UploadRow.owner == self._reach.owner)
        if not storable(name):
            return []
        with self._database.read() as session:
            return [_view(row) for row in session.scalars(statement)]

    def all(self) -> list[Upload]:
        """The uploads within reach, oldest first."""
        statement = select(UploadRow).order_by(UploadRow.id)
        if not self._reach.everything:
            statement = statement.where(UploadRow.owner == self._reach.owner)
        with self._database.read() as session:
            return [_view(row) for row in session.scalars(statement)]

    def conclude(
        self,
        upload_id: str,
        *,
        found: Document | None = None,
        sha256: str | None = None,
        length: int = 0,
        problem: str | None = None,
    ) -> bool:
        """Say what the inspection found, or the problem; False if it had been said, or the upload is gone."""
        state = "invalid" if problem is not None else "ready"
        values = {"state": state, "found": found, "sha256": sha256, "problem": problem, "bytes": length}
        with self._database.write() as session:
            deletion.lock(session, shared=True)
            row = session.get(UploadRow, upload_id, with_for_update=True)
            if row is None or row.state != "inspecting":
                return False
            if found is not None:
                values["found"] = found | {"remarks": [*_like(session, row, found), *found.get("remarks", ())]}
            for name, value in values.items():
                setattr(row, name, value)
            _announce(session, row, clock.now(session))
            return True

    def delete(self, upload_id: str, remove: Callable[[str], None]) -> None:
        """Forget an upload; `remove` takes its bundle out of the store if nothing else needs it, by its SHA-256.

        Raises:
            UnknownUpload: there is none.
            UploadInUse: a job that is not over needs it.
        """
        with self._database.write() as session:
            row = self._row(session, upload_id)
            source = JobRow.recipe["init"]["source"].as_string()
            is_open = not_(stands(*ENDED))
            needs = select(func.count()).select_from(JobRow)
            needs = needs.where(is_open, or_(JobRow.dataset == row.id, source == row.id))
            if jobs := session.scalars(needs).one():
                raise UploadInUse(jobs)
            address = row.sha256
            session.delete(row)
        if address is not None:  # the upload is gone by now, whatever becomes of its bundle
            self.let_go(address, remove)

    def let_go(self, address: str, remove: Callable[[str], None]) -> None:
        """Have a bundle taken out of the store by `remove`, by its SHA-256, if nothing needs it."""
        with self._database.write() as session:
            deletion.lock(session, shared=False)
            if not deletion.needed(session, address):
                remove(address)

    def _row(self, session: Session, upload_id: str) -> UploadRow:
        row = session.get(UploadRow, upload_id) if is_upload(upload_id) else None
        if row is None or not self._reach.sees(row.owner):
            raise UnknownUpload(f"There is no uploaded dataset {upload_id[:40]!r}.")
        return row


def give_up(session: Session, now: datetime) -> None:
    """Mark uploads whose inspection can't come to an end any more."""
    problem = "The inspection was interrupted; upload it again."
    lost = select(UploadRow).where(UploadRow.state == "inspecting", UploadRow.created_at <= now - FORGOTTEN)
    for row in session.scalars(lost.with_for_update(skip_locked=True)).all():
        give_up_one(session, row, now, problem)


def give_up_one(session: Session, row: UploadRow, now: datetime, problem: str) -> None:
    """Mark one whose inspection can't come to an end."""
    row.state, row.problem, row.bytes = "invalid", problem, 0
    _announce(session, row, now)


def _announce(session: Session, row: UploadRow, now: datetime) -> None:
    """Write for the owner's webhooks that an inspection has ended."""
    told = {"id": row.id, "name": row.name, "state": row.state, "url": f"/v1/datasets/{row.id}"}
    outbox.announce(session, row.owner, f"dataset.{row.state}", now, told)


def _like(session: Session, row: UploadRow, found: Document) -> list[str]:
    """The remark on an upload whose content the owner has uploaded before, packed or called otherwise."""
    digest = found.get("digest")
    # its text, of which PostgreSQL can ask also where it holds a NUL, as documents of old may
    same = cast_column(UploadRow.found, Text).contains(f'"digest": {json.dumps(digest)}', autoescape=True)
    others = select(UploadRow).where(UploadRow.owner == row.owner, UploadRow.state == "ready", UploadRow.id != row.id)
    other = session.scalars(others.where(same).order_by(UploadRow.id).limit(1)).first() if digest else None
    return [] if other is None else [f"It holds the very same data as '{other.name}' ({other.id})."]


def _of_size(row: UploadRow, size: int | None) -> bool:
    """Whether an upload is what it would be with its images scaled so."""
    return row.size == size or ({row.size, size} == {None, 0} and bool((row.found or {}).get("either_size")))


def _sent(row: UploadRow) -> str | None:
    """The hash of what was sent; uploads of old have it once they were inspected."""
    return row.sent or (row.found or {}).get("sent")


def _view(row: UploadRow) -> Upload:
    return Upload(
        id=row.id,
        owner=row.owner,
        name=row.name,
        sent_as=row.sent_as or row.name,
        state=cast("UploadState", row.state),
        bytes=row.bytes,
        size=row.size,
        mirror=row.mirror,
        reading=row.reading,
        problem=row.problem,
        found=row.found,
        sha256=row.sha256,
        created_at=row.created_at,
        sent=_sent(row),
    )
