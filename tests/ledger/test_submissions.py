"""One job for equal orders, one answer for one idempotency key."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.exc import StatementError

from core.ledger import IdempotencyConflict, IllegalTransition, Ledger, QuotaExceeded, Reach, Status
from core.ledger.models import KeyRow
from tests.ledger.orders import ERROR, FILES, LONG, order, queued, running, standing, types


def test_a_new_job_is_what_was_ordered(ledger: Ledger) -> None:
    submission = order(
        ledger,
        request={"z": 1, "a": [1.5, None, {"b": True}]},
        recipe={"steps": 3},
        dataset="cifar10",
        method="dm",
        ipc=50,
        seed=2**63 - 1,
        fingerprint="sha256:f",
        max_attempts=5,
    )
    job = ledger.job(submission.job.id)
    assert submission.outcome == "created"
    assert submission.job == job
    assert (job.dataset, job.method, job.ipc, job.seed, job.fingerprint) == ("cifar10", "dm", 50, 2**63 - 1, "sha256:f")
    assert list(job.request) == ["z", "a"]
    assert job.request == {"z": 1, "a": [1.5, None, {"b": True}]}
    assert job.recipe == {"steps": 3}
    assert (job.status, job.attempt, job.losses, job.max_attempts) == (Status.QUEUED, 0, 0, 5)
    assert job.queue_position == 1
    assert job.created_at == job.updated_at
    assert job.created_at.utcoffset() == timedelta(0)
    unset = (job.phase, job.progress, job.worker_id, job.metrics, job.error)
    assert {*unset, job.started_at, job.finished_at, job.cancel_requested_at} == {None}
    assert types(ledger, job.id) == ["job.created"]


@pytest.mark.parametrize("status", [Status.QUEUED, Status.RUNNING])
def test_an_equal_order_joins_an_open_job(ledger: Ledger, status: Status) -> None:
    job, _ = standing(ledger, status, fingerprint="sha256:same")
    again = order(ledger, fingerprint="sha256:same")
    assert (again.job.id, again.outcome) == (job.id, "twin")
    assert sum(ledger.counts().values()) == 1


def test_an_equal_order_gets_the_finished_job(ledger: Ledger) -> None:
    job, _ = standing(ledger, Status.SUCCEEDED, fingerprint="sha256:same")
    again = order(ledger, fingerprint="sha256:same")
    assert (again.job.id, again.outcome) == (job.id, "cached")
    assert again.job.metrics == {"accuracy": 0.9}


@pytest.mark.parametrize("status", [Status.CANCELLING, Status.CANCELLED, Status.FAILED])
def test_an_equal_order_does_not_join_what_gave_no_result(ledger: Ledger, status: Status) -> None:
    standing(ledger, status, fingerprint="sha256:same")
    assert order(ledger, fingerprint="sha256:same").outcome == "created"


def test_an_order_without_fingerprint_always_makes_a_job(ledger: Ledger) -> None:
    assert {order(ledger, fingerprint=None).outcome for _ in range(3)} == {"created"}


def test_a_key_replays_the_first_answer_whatever_became_of_the_job(ledger: Ledger) -> None:
    first = order(ledger, idempotency_key="k", body_hash="h")
    claim = ledger.claim("worker", 60)
    assert claim is not None
    ledger.fail(claim, ERROR)
    again = order(ledger, idempotency_key="k", body_hash="h")
    assert (again.job.id, again.outcome) == (first.job.id, "replayed")
    assert again.job.status is Status.FAILED


def test_a_key_with_another_body_is_refused_and_makes_no_job(ledger: Ledger) -> None:
    order(ledger, idempotency_key="k", body_hash="h")
    with pytest.raises(IdempotencyConflict, match="choose a new key"):
        order(ledger, idempotency_key="k", body_hash="other")
    assert ledger.counts()["queued"] == 1


def test_a_key_remembers_the_twin_it_was_given(ledger: Ledger) -> None:
    job = queued(ledger, fingerprint="sha256:same")
    assert order(ledger, fingerprint="sha256:same", idempotency_key="k", body_hash="h").outcome == "twin"
    ledger.request_cancel(job.id)
    again = order(ledger, fingerprint="sha256:same", idempotency_key="k", body_hash="h")
    assert (again.job.id, again.outcome) == (job.id, "replayed")


def test_a_key_is_forgotten_after_a_day(ledger: Ledger) -> None:
    order(ledger, idempotency_key="k", body_hash="h")
    _age_keys(ledger, timedelta(hours=23, minutes=59))
    assert order(ledger, idempotency_key="k", body_hash="h").outcome == "replayed"
    _age_keys(ledger, timedelta(minutes=2))
    assert order(ledger, idempotency_key="k", body_hash="other").outcome == "created"
    assert order(ledger, idempotency_key="k", body_hash="other").outcome == "replayed"


@pytest.mark.parametrize("key", ["", "\0", "\ud800", "k" * 10_000, "Schlüssel"])
def test_any_text_is_a_key(ledger: Ledger, key: str) -> None:
    order(ledger, idempotency_key=key, body_hash="h")
    assert order(ledger, idempotency_key=key, body_hash="h").outcome == "replayed"


def test_documents_keep_odd_characters_and_lose_what_json_or_a_database_has_not(ledger: Ledger) -> None:
    odd = {"emoji": "\U0001f600", "quote": "\"'\\"}
    lost = {"nul": "a\0b", "half a pair": "\ud83d", "nan": math.nan, "list": [math.inf, -math.inf, 1e308]}
    job = ledger.job(queued(ledger, request=odd | lost).id)
    kept = {"nul": "a\ufffdb", "half a pair": "\ufffd", "nan": None, "list": [None, None, 1e308]}
    assert job.request == odd | kept


def test_a_refused_order_leaves_nothing(ledger: Ledger) -> None:
    with pytest.raises((TypeError, StatementError), match="not JSON serializable"):
        order(ledger, request={"not": {"json"}}, idempotency_key="k", body_hash="h")
    assert sum(ledger.counts().values()) == 0
    assert order(ledger, idempotency_key="k", body_hash="other").outcome == "created"


def test_a_running_job_is_still_found_after_it_was_requeued(ledger: Ledger) -> None:
    claim = running(ledger, fingerprint="sha256:same")
    ledger.release(claim, "the worker is told to stop")
    assert order(ledger, fingerprint="sha256:same").outcome == "twin"


def _age_keys(ledger: Ledger, by: timedelta) -> None:
    with ledger.database.write() as session:
        for row in session.query(KeyRow).all():
            session.execute(update(KeyRow).where(KeyRow.key == row.key).values(expires_at=row.expires_at - by))


def test_a_job_that_is_to_end_early_answers_no_equal_request(ledger: Ledger) -> None:
    early = running(ledger, fingerprint="same")
    ledger.request_finish(early.job.id)
    whole = order(ledger, fingerprint="same")
    assert whole.outcome == "created"
    assert ledger.succeed(early, FILES, {"ended": {"step": 5}})
    assert order(ledger, fingerprint="same").job.id == whole.job.id
    claim = ledger.claim("worker", LONG)
    assert claim is not None
    ledger.request_finish(claim.job.id)
    assert ledger.answer("same") is None
    assert ledger.succeed(claim, FILES, {"ended": None}), "asked for too late: it is whole"
    answer = order(ledger, fingerprint="same")
    assert (answer.outcome, answer.job.id) == ("cached", claim.job.id)
    assert answer.job.finish_requested_at is None


def test_after_a_pause_an_equal_request_is_a_new_job_beside_which_the_old_one_waits(ledger: Ledger) -> None:
    paused = queued(ledger, fingerprint="same")
    ledger.request_pause(paused.id)
    other = queued(ledger, fingerprint="same")
    with pytest.raises(IllegalTransition, match=f"cannot resume: job {other.id} asks for the same"):
        ledger.resume(paused.id)
    ledger.request_cancel(other.id)
    assert ledger.resume(paused.id).status == "queued"


@pytest.mark.parametrize("what", ["resume", "retry"])
def test_a_job_whose_equal_has_made_the_result_is_not_opened_again(ledger: Ledger, what: str) -> None:
    old = queued(ledger, fingerprint="same")
    (ledger.request_pause if what == "resume" else ledger.request_cancel)(old.id)
    other = running(ledger, fingerprint="same")
    assert ledger.succeed(other, FILES, {})
    again = ledger.resume if what == "resume" else ledger.retry
    with pytest.raises(IllegalTransition, match=f"cannot {what}: job {other.job.id} has made the result"):
        again(old.id)
    assert order(ledger, fingerprint="same").job.id == other.job.id, "which can be had"
    ledger.delete(other.job.id, lambda address: None)
    assert again(old.id).status == "queued"


def test_a_paused_job_takes_no_place_of_the_quota_until_it_is_resumed(ledger: Ledger) -> None:
    alice = ledger.within(Reach("alice", everything=False))
    paused = order(alice, max_open=1).job
    alice.request_pause(paused.id)
    order(alice, max_open=1)
    for ask in (alice.resume, alice.request_finish):
        with pytest.raises(QuotaExceeded):
            ask(paused.id, 1)
    assert alice.job(paused.id).status == "paused"
