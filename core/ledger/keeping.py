"""Keeping house: which of the store's objects to read again and which nobody needs, and which jobs are out of date."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, final

from sqlalchemy import Select, and_, not_, or_, select, union

from core.ledger import clock, deletion, kept
from core.ledger.database import Database
from core.ledger.kept import Kept
from core.ledger.models import CheckpointRow, ChoreRow, EventRow, FileRow, JobRow, ResultRow, UploadRow, stands
from core.ledger.types import ENDED, Status

BATCH: Final = 100
"""Jobs, or objects, that are handled in one transaction."""

_VERIFY: Final = "verify"
_MOST: Final = 50
_MOST_BYTES: Final = 64 << 20
_LEAST_PAUSE: Final = 60.0
_DAY: Final = 86_400.0
_PICTURE: Final = EventRow.data["sha256"].as_string()
_PICTURED: Final = EventRow.type.in_(("preview", "neighbours"))


@final
class Keeping:
    """A ledger's view of what grows old. Every method is one transaction, as the ledger's are."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def now(self) -> datetime:
        """The moment by the clock that leases are judged by."""
        with self._database.read() as session:
            return clock.now(session)

    def due(self, bytes_a_day: int) -> dict[str, int]:
        """Objects of artifacts and uploads to be read now, and their bytes; none while so many were read today.

        After the last of them comes the first again. What is found is to be said by `note`.
        """
        with self._database.read() as session:  # nothing is due nearly always
            row = session.get(ChoreRow, _VERIFY)
            if row is not None and row.due_at > clock.now(session):
                return {}
        with self._database.write() as session:
            row = session.get(ChoreRow, _VERIFY, with_for_update=True)
            now = clock.now(session)
            if row is None:
                row = ChoreRow(name=_VERIFY, due_at=now, state={})
                session.add(row)
            if row.due_at > now:
                return {}
            uploaded = select(UploadRow.sha256, UploadRow.bytes).where(UploadRow.sha256.is_not(None))
            stored = union(select(FileRow.sha256, FileRow.bytes), uploaded).subquery()
            in_order = select(stored).order_by(stored.c.sha256).limit(_MOST)
            cursor = row.state.get("cursor", "")
            found = _first(session.execute(in_order.where(stored.c.sha256 > cursor)))
            found = found or _first(session.execute(in_order))
            row.state = {**row.state, "cursor": max(found, default="")}
            pause = max(_LEAST_PAUSE, sum(found.values()) * _DAY / bytes_a_day)
            row.due_at = now + timedelta(seconds=pause)
            return found

    def turn(self, chore: str, pause: float) -> bool:
        """Whether this process is to do a chore now, which nobody else does for the `pause` of seconds that follows."""
        with self._database.read() as session:  # it is nobody's turn nearly always
            row = session.get(ChoreRow, chore)
            if row is not None and row.due_at > clock.now(session):
                return False
        with self._database.write() as session:
            row = session.get(ChoreRow, chore, with_for_update=True)
            now = clock.now(session)
            if row is not None and row.due_at > now:
                return False
            if row is None:
                row = ChoreRow(name=chore, due_at=now, state={})
                session.add(row)
            row.due_at = now + timedelta(seconds=pause)
            return True

    def note(self, intact: Mapping[str, bool]) -> None:
        """Keep which of the objects that were read are as they should be."""
        with self._database.write() as session:
            row = session.get_one(ChoreRow, _VERIFY, with_for_update=True)
            damaged = {address for address in row.state.get("damaged", ()) if address not in intact}
            damaged |= {address for address, good in intact.items() if not good}
            row.state = {**row.state, "damaged": sorted(damaged)}

    def by_owner(self, owner: str | None = None) -> list[Kept]:
        """The bytes that each owner keeps in the store, or the one owner."""
        with self._database.read() as session:
            return kept.by_owner(session, owner)

    def damaged(self) -> list[str]:
        """The objects that were damaged or missing when they were last read, and are needed still."""
        with self._database.read() as session:
            row = session.get(ChoreRow, _VERIFY)
            found = [] if row is None else row.state.get("damaged", ())
            return [address for address in found if deletion.needed(session, address)]

    def jobs_with(self, address: str) -> list[str]:
        """The jobs that have the object in their artifacts."""
        with self._database.read() as session:
            return list(session.scalars(select(FileRow.job_id).where(FileRow.sha256 == address).distinct()))

    def needed(self) -> set[str]:
        """All objects that are a file of an artifact, a bundle, a picture of a job, or carried between workers."""
        with self._database.read() as session:
            return {address for query in _needs() for address in session.scalars(query) if address is not None}

    def remove(self, addresses: Collection[str], remove: Callable[[str], None]) -> None:
        """Have those of up to `BATCH` objects removed that nothing needs, while nobody publishes."""
        with self._database.write() as session:
            deletion.lock(session, shared=False)
            among = [query.where(query.selected_columns[0].in_(addresses)) for query in _needs()]
            needed = {address for query in among for address in session.scalars(query)}
            for address in addresses:
                if address not in needed:
                    remove(address)

    def out_of_date(self, days: float) -> list[str]:
        """Jobs that ended longer ago than so many days, and that no open job goes on from; of the oldest `BATCH`."""
        with self._database.read() as session:
            goes_on = select(JobRow.request["continue_from"].as_string()).where(not_(stands(*ENDED)))
            needed = {*session.scalars(goes_on)}
            over = stands(*ENDED), JobRow.finished_at <= clock.now(session) - timedelta(days=days)
            old = select(JobRow.id).where(*over).order_by(JobRow.finished_at).limit(BATCH)
            return [job_id for job_id in session.scalars(old) if job_id not in needed]

    def done_with(self, job_ids: Collection[str], days: float) -> set[str]:
        """Those of the jobs that succeeded, or that failed or were cancelled longer ago than so many days."""
        with self._database.read() as session:
            over = JobRow.finished_at <= clock.now(session) - timedelta(days=days)
            ended = or_(stands(Status.SUCCEEDED), and_(stands(Status.FAILED, Status.CANCELLED), over))
            return set(session.scalars(select(JobRow.id).where(JobRow.id.in_(job_ids), ended)))


def _first(objects: Iterable[Any]) -> dict[str, int]:
    """The first of the objects, as many as are read within seconds; always one, if there is one."""
    found = dict[str, int]()
    for sha256, length in objects:
        if found and sum(found.values()) + length > _MOST_BYTES:
            break
        found[sha256] = length
    return found


def _needs() -> tuple[Select[Any], ...]:
    carried = select(ResultRow.sha256), select(CheckpointRow.sha256)
    return select(FileRow.sha256), select(UploadRow.sha256), select(_PICTURE).where(_PICTURED), *carried
