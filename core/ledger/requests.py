"""Requests of clients about a job that is there: cancel, pause, resume, finish, retry. Asking twice is asking once."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.ids import is_upload
from core.ledger import clock, deletion, jobs, kept, submissions, transitions
from core.ledger.models import JobRow, UploadRow
from core.ledger.transitions import Move
from core.ledger.types import IllegalTransition, Job, Reach, SourceGone, Status


def cancel(session: Session, job_id: str, reach: Reach) -> Job:
    """Cancel a job that waits; ask the worker of a running one to stop."""
    row = jobs.lock(session, job_id, reach)
    if row.status not in (Status.CANCELLING, Status.CANCELLED):
        transition = transitions.destination(row, Move.CANCEL)
        now = clock.now(session)
        row.cancel_requested_at = now
        transitions.apply(session, row, transition, now)
        session.flush()
    return jobs.view(session, row)


def pause(session: Session, job_id: str, reach: Reach) -> Job:
    """Take a queued job out of the queue; ask the worker of a running one to leave it in its checkpoint."""
    row = jobs.lock(session, job_id, reach)
    if row.status not in (Status.PAUSING, Status.PAUSED):
        _move(session, row, Move.PAUSE)
    return jobs.view(session, row)


def resume(session: Session, job_id: str, reach: Reach, max_open: int | None, unfit: str | None = None) -> Job:
    """Queue a paused job again, at the place of its age; one whose worker still saves it is running again."""
    row = jobs.lock(session, job_id, reach)
    if row.status not in (Status.QUEUED, Status.RUNNING):
        transitions.destination(row, Move.RESUME)
        _reopen(session, row, "resume", max_open, unfit)
        _move(session, row, Move.RESUME, reason="A client resumed it.")
    return jobs.view(session, row)


def finish(session: Session, job_id: str, reach: Reach, max_open: int | None) -> Job:
    """Have a job end with the best that it has; one that waits does so as soon as a worker has it."""
    row = jobs.lock(session, job_id, reach)
    if row.finish_requested_at is None or row.status not in (Status.QUEUED, Status.RUNNING):
        transitions.destination(row, Move.FINISH)
        if row.status in (Status.PAUSED, Status.PAUSING):
            jobs.check_quota(session, row.owner, max_open)
        row.finish_requested_at = row.finish_requested_at or clock.now(session)
        _move(session, row, Move.FINISH)
    return jobs.view(session, row)


def retry(
    session: Session, job_id: str, reach: Reach, max_open: int | None, room: int | None, unfit: str | None = None
) -> Job:
    """Queue a failed or cancelled job again, keeping its attempt number and checkpoint, and whether it is to finish."""
    row = jobs.lock(session, job_id, reach)
    transitions.destination(row, Move.RETRY)
    _check_sources(session, row)
    _reopen(session, row, "retry", max_open, unfit)
    kept.check_room(session, row.owner, room, row.forecast)
    row.losses = 0
    row.progress = row.metrics = row.error = None
    row.started_at = row.finished_at = row.cancel_requested_at = row.progressed_at = None
    _move(session, row, Move.RETRY, reason="A client asked for another attempt.")
    return jobs.view(session, row)


def _check_sources(session: Session, row: JobRow) -> None:
    """Refuse a job whose upload, generator's source or beginning was deleted. Raises SourceGone."""
    for name in (row.dataset, (row.recipe.get("init") or {}).get("source")):
        if not isinstance(name, str) or not is_upload(name):
            continue
        upload = session.get(UploadRow, name)
        title = f"'{row.dataset_title}' ({name})" if name == row.dataset and row.dataset_title else name
        anew = "Upload it again, and submit the job for that: POST /v1/jobs."
        if upload is None:
            raise SourceGone(f"The upload {title}, which job {row.id} reads, was deleted.", anew)
        if upload.state == "invalid":
            raise SourceGone(f"The upload {title}, which job {row.id} reads, cannot be used any more.", anew)
    images, source = row.request.get("continues"), row.request.get("continue_from")
    if images and session.get(JobRow, source) is None and not deletion.needed(session, images):
        raise SourceGone(
            f"Job {source}, with whose images job {row.id} begins, was deleted.",
            "Submit the job with continue_from set to another one, or without it: POST /v1/jobs.",
        )


def _reopen(session: Session, row: JobRow, what: str, max_open: int | None, unfit: str | None) -> None:
    """Refuse to open a job again beside an equal one, after one that has the result, or beyond its owner's quota.

    The finished job of the id `unfit` has it no more.
    """
    # one that is to end early makes another result
    twin, done = None, None
    if row.finish_requested_at is None:
        twin = jobs.open_twin(session, row.fingerprint, row.owner)
        done = submissions.done_twin(session, row.fingerprint, row.owner)
    if twin is not None:
        raise IllegalTransition(
            f"Job {row.id} cannot {what}: job {twin.id} asks for the same and is {twin.status.value}; "
            "wait for that one."
        )
    if done is not None and done.id != unfit:
        raise IllegalTransition(
            f"Job {row.id} cannot {what}: job {done.id} has made the result that it asks for meanwhile; take that one."
        )
    jobs.check_quota(session, row.owner, max_open)


def _move(session: Session, row: JobRow, move: Move, **told: str) -> None:
    transitions.apply(session, row, transitions.destination(row, move), clock.now(session), **told)
    session.flush()
