"""A worker's writes to the job it holds. Every one is fenced: an attempt that is over changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from core.ledger import clock, deletion, events, jobs, transitions
from core.ledger.models import FileRow, JobRow, WorkerRow
from core.ledger.transitions import Move
from core.ledger.types import ABLE, HELD, Ability, Beat, Claim, Document, File, Status

_ERROR_FIELDS = ("code", "type", "message", "phase", "hint")


def claim(
    session: Session, worker_id: str, ttl: float, max_running: int | None = None, ability: Ability = ABLE
) -> Claim | None:
    """Start the next job that the worker can take, if any waits that nobody else is just starting."""
    for queue in jobs.queues(session, max_running, ability):
        row = session.scalars(queue.limit(1).with_for_update(skip_locked=True)).first()
        if row is not None:
            break
    else:
        return None
    now = clock.now(session)
    row.attempt += 1
    row.worker_id = worker_id
    row.lease_expires_at = now + timedelta(seconds=ttl)
    row.started_at = row.started_at or now
    row.reported = 0
    transition = transitions.destination(row, Move.CLAIM)
    transitions.apply(session, row, transition, now, worker_id=worker_id)
    session.flush()
    return Claim(jobs.view(session, row), row.attempt)


def held(session: Session, claim: Claim) -> JobRow | None:
    """The job's row, locked, if this attempt still holds it."""
    row = session.get(JobRow, claim.job.id, with_for_update=True)
    if row is None or row.attempt != claim.attempt or row.status not in HELD:
        return None
    return row


def heartbeat(session: Session, claim: Claim, ttl: float) -> Beat:
    """Renew the lease, which may have expired as long as nobody swept it."""
    row = held(session, claim)
    if row is None:
        return Beat(held=False)
    now = clock.now(session)
    row.lease_expires_at = now + timedelta(seconds=ttl)
    session.execute(update(WorkerRow).where(WorkerRow.worker_id == row.worker_id).values(last_seen=now))
    return Beat(
        held=True,
        cancel_requested=row.status is Status.CANCELLING,
        pause_requested=row.status is Status.PAUSING,
        finish_requested=row.finish_requested_at is not None,
    )


def record(
    session: Session,
    claim: Claim,
    phase: str | None,
    progress: Document | None,
    metrics: Document | None,
    reported: Sequence[tuple[str, Document]],
) -> bool:
    """Keep what the engine says of itself."""
    row = held(session, claim)
    if row is None:
        return False
    now = clock.now(session)
    phase = phase or (progress or {}).get("phase") or row.phase
    phase_changed, row.phase = phase != row.phase, phase
    if progress is not None:
        row.progress = {**progress, "phase": phase}
    if metrics is not None:
        row.metrics = {**(row.metrics or {}), **metrics}
    if progress is not None or phase_changed:
        events.report_progress(session, row, now, phase_changed)
    events.report(session, row, now, reported)
    row.updated_at = now
    return True


def record_forecast(session: Session, claim: Claim, forecast: Document, recipe: Document | None) -> bool:
    """Keep what the job is expected to cost where it runs, and the recipe if it is fitted to that place."""
    row = held(session, claim)
    if row is None:
        return False
    row.forecast = forecast
    row.recipe = recipe or row.recipe
    return True


def succeed(session: Session, claim: Claim, files: Sequence[File], metrics: Document | None) -> bool:
    """Publish: the files' rows and the job's end in one transaction."""
    deletion.lock(session, shared=True)
    row = held(session, claim)
    if row is None:
        return _was_mine(session, claim)
    if row.status is not Status.CANCELLING:
        row.metrics = metrics
        if (metrics or {}).get("ended", ...) is None:
            row.finish_requested_at = None  # asked for too late: the result is whole
        row.ipc = (metrics or {}).get("ipc", row.ipc)  # of a job with a target: what it found
        session.add_all(FileRow(job_id=row.id, **_columns(file)) for file in files)
        row.result_bytes = sum(file.bytes for file in files)
    told = {"files": len(files), "bytes": sum(file.bytes for file in files)}
    return _end(session, row, Move.SUCCEED, Status.SUCCEEDED, **told)


def fail(session: Session, claim: Claim, error: Document) -> bool:
    """End the job with an error that another attempt would meet again."""
    row = held(session, claim)
    if row is None:
        return False
    if row.status is Status.CANCELLING:
        return _end(session, row, Move.FAIL, Status.FAILED)
    row.error = {field: error.get(field) for field in _ERROR_FIELDS}
    row.error["phase"] = row.error["phase"] or row.phase
    return _end(session, row, Move.FAIL, Status.FAILED, error=row.error)


def stop(session: Session, claim: Claim) -> bool:
    """Confirm that the work has stopped after a cancel request."""
    row = held(session, claim)
    return row is not None and _end(session, row, Move.STOP, Status.CANCELLED)


def release(session: Session, claim: Claim, reason: str) -> bool:
    """Give the job back unharmed: to the queue, or to wait until it is resumed."""
    row = held(session, claim)
    return row is not None and _end(session, row, Move.RELEASE, Status.QUEUED, Status.PAUSED, reason=reason)


def lose(session: Session, claim: Claim, reason: str) -> bool:
    """Report that the engine crashed."""
    row = held(session, claim)
    if row is None:
        return False
    give_up(session, row, reason)
    return True


def give_up(session: Session, row: JobRow, reason: str) -> Status:
    """Count a loss of a held job and say where the job stands now."""
    phase = row.phase
    told: dict[str, Any] = {"reason": reason, "worker_id": row.worker_id}
    if row.status is not Status.CANCELLING:
        row.losses += 1
        told["losses"] = row.losses
    transition = transitions.destination(row, Move.LOSE)
    if transition.target is Status.FAILED:
        row.error = {
            "code": "worker_lost",
            "type": "WorkerLost",
            "message": f"Lost {row.losses} times, which is as often as a job may be; the last time: {reason}",
            "phase": phase,
            "hint": "Look for a crash or a lack of memory in the worker's log, then retry: the checkpoint is kept.",
        }
        told["error"] = row.error
    transitions.apply(session, row, transition, clock.now(session), **told)
    return row.status


def _end(session: Session, row: JobRow, move: Move, *wanted: Status, **told: Any) -> bool:
    """Make the move; False when a cancel request came first and the job ends cancelled instead."""
    transition = transitions.destination(row, move)
    as_wanted = transition.target in wanted
    transitions.apply(session, row, transition, clock.now(session), **(told if as_wanted else {}))
    return as_wanted


def _was_mine(session: Session, claim: Claim) -> bool:
    """Whether this very attempt has succeeded: its worker repeats a commit whose answer it never saw."""
    row = session.get(JobRow, claim.job.id)
    return row is not None and row.attempt == claim.attempt and row.status is Status.SUCCEEDED


def _columns(file: File) -> dict[str, Any]:
    return {"name": file.name, "bytes": file.bytes, "sha256": file.sha256, "media_type": file.media_type}
