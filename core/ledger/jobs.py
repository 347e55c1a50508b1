"""Reading jobs and their files; the queue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import BindParameter, Row, Select, bindparam, func, select
from sqlalchemy.orm import Session

from core.ids import is_id
from core.ledger import fairness, suitable, waiting
from core.ledger.columns import storable
from core.ledger.finished import Finished, Stamp
from core.ledger.models import ApiKeyRow, FileRow, JobRow, MetadataRow, stands
from core.ledger.types import Ability, File, Job, QuotaExceeded, Reach, Standing, Status, UnknownJob

# Of the tables, not their classes, and built once: both spare a good part of a short answer's time.
_JOBS: Final = JobRow.__table__.columns
_ROWS: Final = MetadataRow.__table__.columns
_IDS: Final[BindParameter[Any]] = bindparam("ids", expanding=True)
_WHOLE: Final = select(*_JOBS).where(_JOBS.id.in_(_IDS))
_STAMP: Final = select(_JOBS.id, _JOBS.status, _JOBS.last_seq, _JOBS.owner).where(_JOBS.id == bindparam("id"))
_STANDING: Final = select(_JOBS.id, _JOBS.status, _JOBS.last_seq).where(_JOBS.id.in_(_IDS))
_COUNTS: Final = select(_JOBS.status, func.count()).group_by(_JOBS.status)
_OWN_COUNTS: Final = _COUNTS.where(_JOBS.owner == bindparam("owner"))
_WORDS: Final = select(_ROWS.job_id, _ROWS.key, _ROWS.value).where(_ROWS.job_id.in_(_IDS)).order_by(_ROWS.key)


def views(session: Session, rows: Iterable[JobRow | Row[Any]]) -> list[Job]:
    """The rows as values, with their metadata, and the places of the queued ones; a few statements, however many."""
    rows = list(rows)
    metadata = _metadata(session, [row.id for row in rows])
    queued = [row for row in rows if row.status is Status.QUEUED]
    there = suitable.there(session) if queued else []
    places, unmet = waiting.places(session, [row.id for row in queued], there), suitable.unmet(queued, there)
    return [_view(row, metadata[row.id], places.get(row.id), unmet.get(row.id)) for row in rows]


def view(session: Session, row: JobRow) -> Job:
    """One row as a value."""
    return views(session, [row])[0]


def stamped(session: Session, stamps: Sequence[Stamp], finished: Finished) -> list[Job]:
    """The jobs of these stamps, in their order, without any that has been deleted since they were read."""
    found = {stamp.id: job for stamp in stamps if (job := finished.get(stamp)) is not None}
    others = [stamp.id for stamp in stamps if stamp.id not in found]
    if others:
        rows = session.execute(_WHOLE, {"ids": others}).all()
        for row, job in zip(rows, views(session, rows), strict=True):
            finished.keep(row, job)
            found[job.id] = job
    return [found[stamp.id] for stamp in stamps if stamp.id in found]


def get(session: Session, job_id: str, reach: Reach, finished: Finished | None = None) -> Job:
    """The job of this id. Raises UnknownJob, also for one that is another owner's."""
    found = stamped(session, [_seen(session, job_id, reach)], finished or Finished())
    if not found:
        raise UnknownJob(job_id)
    return found[0]


def check(session: Session, job_id: str, reach: Reach) -> None:
    """Raise UnknownJob where the reach sees no job of this id."""
    _seen(session, job_id, reach)


def _seen(session: Session, job_id: str, reach: Reach) -> Stamp:
    """The stamp of a job within reach. Raises UnknownJob."""
    row: Any = session.execute(_STAMP, {"id": job_id}).first() if is_id("job", job_id) else None
    if row is None or not reach.sees(row.owner):
        raise UnknownJob(job_id)
    stamp: Stamp = row
    return stamp


def lock(session: Session, job_id: str, reach: Reach) -> JobRow:
    """The job's row, locked until the transaction ends. Raises UnknownJob."""
    row = session.get(JobRow, job_id, with_for_update=True) if is_id("job", job_id) else None
    if row is None or not reach.sees(row.owner):
        raise UnknownJob(job_id)
    return row


def standing(session: Session, job_ids: Sequence[str]) -> dict[str, Standing]:
    """How these jobs stand, by id; none of those that are gone."""
    rows = session.execute(_STANDING, {"ids": job_ids})
    return {row.id: Standing(row.status, row.last_seq) for row in rows}


def counts(session: Session, reach: Reach) -> dict[str, int]:
    """How many jobs within reach stand where; every status is named."""
    found = {status.value: 0 for status in Status}
    counted = session.execute(_COUNTS) if reach.everything else session.execute(_OWN_COUNTS, {"owner": reach.owner})
    for status, number in counted:
        found[status.value] = number
    return found


def files(session: Session, job_id: str) -> list[File]:
    """The artifact's files by name."""
    rows = session.scalars(select(FileRow).where(FileRow.job_id == job_id).order_by(FileRow.name))
    return sorted((_file(row) for row in rows), key=lambda file: file.name)


def file(session: Session, job_id: str, name: str, reach: Reach) -> File | None:
    """The artifact's file of this name, if it has one."""
    try:
        check(session, job_id, reach)
    except UnknownJob:
        return None
    row = session.get(FileRow, (job_id, name)) if storable(name) else None
    return None if row is None else _file(row)


def publishing(session: Session, name: str, sha256: str, reach: Reach) -> Job | None:
    """The first job whose artifact has a file of this name and SHA-256, if there is one within reach."""
    held = select(FileRow.job_id).where(FileRow.sha256 == sha256, FileRow.name == name)
    statement = select(JobRow).where(JobRow.id.in_(held)).order_by(JobRow.id)
    if not reach.everything:
        statement = statement.where(JobRow.owner == reach.owner)
    row = session.scalars(statement).first()
    return None if row is None else view(session, row)


def open_twin(session: Session, fingerprint: str | None, owner: str, *, locked: bool = False) -> JobRow | None:
    """The owner's queued or running job of this fingerprint that is to run to its end; there is at most one.

    Its row may be `locked` until the transaction ends.
    """
    if fingerprint is None:
        return None
    is_open = (stands(Status.QUEUED, Status.RUNNING), JobRow.finish_requested_at.is_(None))
    same = select(JobRow).where(JobRow.fingerprint == fingerprint, JobRow.owner == owner, *is_open)
    return session.scalars(same.with_for_update() if locked else same).one_or_none()


def check_quota(session: Session, owner: str, max_open: int | None) -> None:
    """Refuse another open job to an owner who has as many as they may; an owner without a name has no quota.

    Raises:
        QuotaExceeded: with both numbers.
    """
    if max_open is None or not owner:
        return
    # The owner's keys stand for the owner: two submissions at once must not both see the last free place.
    session.execute(select(ApiKeyRow.id).where(ApiKeyRow.owner == owner).with_for_update())
    is_open = stands(Status.QUEUED, Status.RUNNING)
    current = session.scalars(select(func.count()).select_from(JobRow).where(JobRow.owner == owner, is_open)).one()
    if current >= max_open:
        raise QuotaExceeded(max_open, current)


def under(session: Session, conditions: str, limit: int) -> list[Job]:
    """The newest jobs that succeeded whole at their first attempt under these conditions, as their forecasts name them.

    In the order of an index: reading ends with the last of them.
    """
    same = JobRow.conditions == conditions
    at_once = (JobRow.attempt == 1, JobRow.finish_requested_at.is_(None))
    statement = select(JobRow).where(stands(Status.SUCCEEDED), *at_once, same)
    return views(session, session.scalars(statement.order_by(JobRow.created_at.desc(), JobRow.id.desc()).limit(limit)))


def queues(session: Session, max_running: int | None, ability: Ability) -> Iterator[Select[JobRow]]:
    """The queued jobs that a worker can take, the next one first, owner by owner: first the one for whom workers do
    least, of several the one who waits longest. An owner's own jobs go by priority, and then by age.

    Without those of owners who have `max_running` running, which no other claim changes until this transaction ends.
    """
    waiting = select(JobRow).where(stands(Status.QUEUED), *suitable.suits(ability))
    waiting = waiting.order_by(JobRow.rank, JobRow.created_at, JobRow.id)  # in the order of an index
    if session.scalars(select(JobRow.id).where(stands(Status.QUEUED), JobRow.owner != "").limit(1)).first() is None:
        yield waiting
        return
    if max_running is not None:
        fairness.lock(session)  # two claims at once must not both see an owner's last free place
    first = select(JobRow.owner, func.min(JobRow.created_at), func.min(JobRow.id)).where(stands(Status.QUEUED))
    owners = session.execute(first.where(*suitable.suits(ability)).group_by(JobRow.owner)).all()
    busy = fairness.busy(session)
    full = (
        [] if max_running is None else [who for who, held in fairness.running(session).items() if held >= max_running]
    )
    for owner, _, _ in sorted(owners, key=lambda row: (busy.get(row[0], 0), row[1], row[2])):
        if owner not in full:
            yield waiting.where(JobRow.owner == owner)


def _metadata(session: Session, job_ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """The words that clients have put on these jobs, by job and by key."""
    found: dict[str, dict[str, str]] = {job_id: {} for job_id in job_ids}
    for job_id, key, value in session.execute(_WORDS, {"ids": job_ids}) if found else ():
        found[job_id][key] = value
    return found


def _file(row: FileRow) -> File:
    return File(row.name, row.bytes, row.sha256, row.media_type)


def _view(row: JobRow | Row[Any], metadata: Mapping[str, str], place: waiting.Place | None, unmet: str | None) -> Job:
    return Job(
        id=row.id,
        status=row.status,
        phase=row.phase,
        progress=row.progress,
        attempt=row.attempt,
        losses=row.losses,
        max_attempts=row.max_attempts,
        worker_id=row.worker_id,
        dataset=row.dataset,
        method=row.method,
        ipc=row.ipc,
        seed=row.seed,
        request=row.request,
        recipe=row.recipe,
        fingerprint=row.fingerprint,
        metrics=row.metrics,
        forecast=row.forecast,
        error=row.error,
        owner=row.owner,
        queue_position=place and place.number,
        queue_seconds=place and place.seconds,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        cancel_requested_at=row.cancel_requested_at,
        finish_requested_at=row.finish_requested_at,
        updated_at=row.updated_at,
        dataset_title=row.dataset_title or row.dataset,
        dataset_digest=row.dataset_digest,
        metadata=metadata,
        priority=-row.rank,
        runs_on=row.device,
        memory_bytes=row.memory_bytes,
        waits_for=unmet,
    )
