"""The table of the state machine, and that nothing moves but along it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.ledger import ENDED, HELD, IllegalTransition, Job, Ledger, Status
from core.ledger.models import JobRow
from core.ledger.transitions import TABLE, Move, apply, destination
from tests.ledger.orders import standing, types

Q, R, G, P, C, S, F, X = Status  # queued, running, pausing, paused, cancelling, succeeded, failed, cancelled


def test_the_table_is_the_one_that_was_designed() -> None:
    moves = {(row.move, row.source, row.target) for row in TABLE}
    assert moves == {
        (Move.CLAIM, Q, R),
        (Move.SUCCEED, R, S),
        (Move.FAIL, R, F),
        (Move.RELEASE, R, Q),
        (Move.LOSE, R, Q),
        (Move.LOSE, R, F),
        (Move.CANCEL, Q, X),
        (Move.CANCEL, P, X),
        (Move.CANCEL, R, C),
        (Move.CANCEL, G, C),
        (Move.PAUSE, Q, P),
        (Move.PAUSE, R, G),
        (Move.RELEASE, G, P),
        (Move.SUCCEED, G, S),
        (Move.FAIL, G, F),
        (Move.LOSE, G, P),
        (Move.LOSE, G, F),
        (Move.RESUME, P, Q),
        (Move.RESUME, G, R),
        (Move.FINISH, Q, Q),
        (Move.FINISH, R, R),
        (Move.FINISH, P, Q),
        (Move.FINISH, G, R),
        *((move, C, X) for move in (Move.STOP, Move.SUCCEED, Move.FAIL, Move.RELEASE, Move.LOSE)),
        (Move.RETRY, F, Q),
        (Move.RETRY, X, Q),
    }
    assert len(TABLE) == len(moves)


def test_an_end_is_left_by_a_retry_only_and_success_never() -> None:
    assert {(row.move, row.source) for row in TABLE if row.source in ENDED} == {(Move.RETRY, F), (Move.RETRY, X)}


def test_a_cancel_request_can_only_end_cancelled() -> None:
    assert {row.target for row in TABLE if row.source is C} == {X}


def test_every_held_job_can_be_lost_and_every_row_names_its_event() -> None:
    assert {row.source for row in TABLE if row.move is Move.LOSE} == HELD
    by_target = {Q: "job.requeued", R: "job.started", G: "job.pause_requested", C: "job.cancel_requested"}
    by_move = {(Move.RESUME, R): "job.resumed", **{(Move.FINISH, to): "job.finish_requested" for to in (Q, R)}}
    for row in TABLE:
        expected = by_target.get(row.target, f"job.{row.target.value}")
        assert row.event == by_move.get((row.move, row.target), expected)


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("move", Move)
def test_a_move_the_table_does_not_have_is_refused(status: Status, move: Move) -> None:
    row = JobRow(id="job_x", status=status, losses=1, max_attempts=3)
    if any(each.move is move and each.source is status for each in TABLE):
        assert destination(row, move).source is status
    else:
        with pytest.raises(IllegalTransition, match=f"job_x is {status.value}; only a job that is .* can {move.value}"):
            destination(row, move)


@pytest.mark.parametrize(("losses", "fails"), [(1, False), (2, False), (3, True)])
@pytest.mark.parametrize(("status", "else_to"), [(R, Q), (G, P)])
def test_the_last_loss_fails_the_job(losses: int, fails: bool, status: Status, else_to: Status) -> None:
    row = JobRow(status=status, losses=losses, max_attempts=3)
    assert destination(row, Move.LOSE).target is (F if fails else else_to)


def test_a_transition_applies_only_where_it_starts() -> None:
    row = JobRow(status=S)
    with pytest.raises(AssertionError):
        apply(Session(), row, TABLE[0], datetime.now(UTC))


CLIENT_MOVES: dict[str, tuple[Callable[[Ledger, str], Job], dict[Status, Status]]] = {
    "cancel": (Ledger.request_cancel, {Q: X, R: C, G: C, P: X, C: C, X: X}),
    "retry": (Ledger.retry, {F: Q, X: Q}),
    "pause": (Ledger.request_pause, {Q: P, R: G, G: G, P: P}),
    "resume": (Ledger.resume, {P: Q, G: R, Q: Q, R: R}),
    "finish": (Ledger.request_finish, {Q: Q, R: R, G: R, P: Q}),
}


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("move", CLIENT_MOVES)
def test_what_a_client_may_do_where(ledger: Ledger, status: Status, move: str) -> None:
    act, allowed = CLIENT_MOVES[move]
    job, _ = standing(ledger, status)
    before = ledger.job(job.id), types(ledger, job.id)
    if status not in allowed:
        with pytest.raises(IllegalTransition, match=f"{job.id} is {status.value}"):
            act(ledger, job.id)
    else:
        after = act(ledger, job.id)
        assert after.status is allowed[status]
        assert after == ledger.job(job.id)
    if move == "finish" and status in allowed:
        assert ledger.job(job.id).finish_requested_at is not None
        before = ledger.job(job.id), types(ledger, job.id)
        act(ledger, job.id)
    if allowed.get(status, status) is status or move == "finish":
        assert (ledger.job(job.id), types(ledger, job.id)) == before


@pytest.mark.parametrize(
    "half",
    [
        {"status": "sleeping"},
        {"status": R},
        {"status": S},
        {"status": F, "finished_at": datetime(2026, 1, 1, tzinfo=UTC)},
        {"finished_at": datetime(2026, 1, 1, tzinfo=UTC)},
        {"error": {"code": "internal"}},
        {"losses": 1},
        {"attempt": -1},
        {"max_attempts": 0},
    ],
    ids=str,
)
def test_the_database_itself_refuses_half_a_state(ledger: Ledger, half: dict[str, object]) -> None:
    job, _ = standing(ledger, Q)
    statement = update(JobRow.__table__).where(JobRow.id == job.id).values(half)  # type: ignore[arg-type]
    with pytest.raises((IntegrityError, LookupError)), ledger.database.write() as session:
        session.execute(statement)
    assert ledger.job(job.id) == job
