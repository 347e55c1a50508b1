"""The state machine: one table, and the one function that moves a job along it.

Code that moves a job holds its row lock; code that acts for a worker has compared the attempt first (`claims.held`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, final

from sqlalchemy.orm import Session

from core.ledger import events, outbox
from core.ledger.models import JobRow
from core.ledger.types import DISTILLATION, ENDED, HELD, IllegalTransition, Status


@final
class Move(StrEnum):
    """A change of status that a client, a worker or the sweeper asks for."""

    CLAIM = "start"
    SUCCEED = "succeed"
    FAIL = "fail"
    RELEASE = "release"  # by a worker that is told to stop
    LOSE = "lose"  # the engine crashed, or the lease expired
    CANCEL = "cancel"  # by the client
    PAUSE = "pause"  # by the client
    RESUME = "resume"  # by the client
    FINISH = "finish"  # by the client: to end with the best that there is
    STOP = "stop"  # by the worker, having been asked to
    RETRY = "retry"  # by the client


def _always(row: JobRow) -> bool:
    return True


def _patience_left(row: JobRow) -> bool:
    return row.losses < row.max_attempts


@final
@dataclass(frozen=True)
class Transition:
    """One row of the table."""

    move: Move
    source: Status
    target: Status
    event: str
    guard: Callable[[JobRow], bool] = _always


TABLE = (
    Transition(Move.CLAIM, Status.QUEUED, Status.RUNNING, "job.started"),
    Transition(Move.SUCCEED, Status.RUNNING, Status.SUCCEEDED, "job.succeeded"),
    Transition(Move.FAIL, Status.RUNNING, Status.FAILED, "job.failed"),
    Transition(Move.RELEASE, Status.RUNNING, Status.QUEUED, "job.requeued"),
    Transition(Move.LOSE, Status.RUNNING, Status.QUEUED, "job.requeued", guard=_patience_left),
    Transition(Move.LOSE, Status.RUNNING, Status.FAILED, "job.failed"),
    Transition(Move.PAUSE, Status.QUEUED, Status.PAUSED, "job.paused"),
    Transition(Move.PAUSE, Status.RUNNING, Status.PAUSING, "job.pause_requested"),
    # A worker that is asked to wait goes on for a moment: what it brings to an end by then counts.
    Transition(Move.RELEASE, Status.PAUSING, Status.PAUSED, "job.paused"),
    Transition(Move.SUCCEED, Status.PAUSING, Status.SUCCEEDED, "job.succeeded"),
    Transition(Move.FAIL, Status.PAUSING, Status.FAILED, "job.failed"),
    Transition(Move.LOSE, Status.PAUSING, Status.PAUSED, "job.paused", guard=_patience_left),
    Transition(Move.LOSE, Status.PAUSING, Status.FAILED, "job.failed"),
    Transition(Move.RESUME, Status.PAUSED, Status.QUEUED, "job.requeued"),
    Transition(Move.RESUME, Status.PAUSING, Status.RUNNING, "job.resumed"),
    Transition(Move.FINISH, Status.QUEUED, Status.QUEUED, "job.finish_requested"),
    Transition(Move.FINISH, Status.RUNNING, Status.RUNNING, "job.finish_requested"),
    Transition(Move.FINISH, Status.PAUSED, Status.QUEUED, "job.finish_requested"),
    Transition(Move.FINISH, Status.PAUSING, Status.RUNNING, "job.finish_requested"),
    Transition(Move.CANCEL, Status.QUEUED, Status.CANCELLED, "job.cancelled"),
    Transition(Move.CANCEL, Status.PAUSED, Status.CANCELLED, "job.cancelled"),
    Transition(Move.CANCEL, Status.RUNNING, Status.CANCELLING, "job.cancel_requested"),
    Transition(Move.CANCEL, Status.PAUSING, Status.CANCELLING, "job.cancel_requested"),
    # However the worker ends after a cancel request, the job is cancelled: a late result is dropped.
    Transition(Move.STOP, Status.CANCELLING, Status.CANCELLED, "job.cancelled"),
    Transition(Move.SUCCEED, Status.CANCELLING, Status.CANCELLED, "job.cancelled"),
    Transition(Move.FAIL, Status.CANCELLING, Status.CANCELLED, "job.cancelled"),
    Transition(Move.RELEASE, Status.CANCELLING, Status.CANCELLED, "job.cancelled"),
    Transition(Move.LOSE, Status.CANCELLING, Status.CANCELLED, "job.cancelled"),
    Transition(Move.RETRY, Status.FAILED, Status.QUEUED, "job.requeued"),
    Transition(Move.RETRY, Status.CANCELLED, Status.QUEUED, "job.requeued"),
)
"""Every way a job can move; of two rows for the same move and source the first whose guard holds applies."""


def destination(row: JobRow, move: Move) -> Transition:
    """The transition that this move would be.

    Raises:
        IllegalTransition: the table has none from the job's status.
    """
    for transition in TABLE:
        if transition.move is move and transition.source is row.status and transition.guard(row):
            return transition
    allowed = sorted({each.source.value for each in TABLE if each.move is move})
    told = f"Job {row.id} is {row.status.value}; only a job that is {' or '.join(allowed)} can {move.value}."
    raise IllegalTransition(told, row.status)


def apply(session: Session, row: JobRow, transition: Transition, now: datetime, **data: Any) -> None:
    """Move a locked job, and append the event that says so; `data` is what the event tells besides the attempt."""
    assert row.status is transition.source
    row.status = transition.target
    if row.status not in HELD:
        row.lease_expires_at = None
        row.phase = None
    if row.status in (Status.QUEUED, Status.PAUSED):
        row.worker_id = None
    if row.status in ENDED:
        row.finished_at = now
    stands = {"status": row.status.value, "attempt": row.attempt}
    events.append(session, row, transition.event, now, {**stands, **data})
    if transition.event in outbox.EVENTS:
        told = {"id": row.id, "kind": row.request.get("kind", DISTILLATION), **stands, "url": f"/v1/jobs/{row.id}"}
        outbox.announce(session, row.owner, transition.event, now, told, (row.webhook_ids or "").split())
