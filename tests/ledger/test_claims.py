"""A worker's rights: all over a job it holds, and none over one it no longer holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.ledger import Claim, File, IllegalTransition, Ledger, Reach, Status
from tests.ledger.orders import ERROR, FILES, LONG, queued, running, standing, types

WRITES: dict[str, Callable[[Ledger, Claim], object]] = {
    "heartbeat": lambda ledger, claim: ledger.heartbeat(claim, LONG).held,
    "record": lambda ledger, claim: ledger.record(claim, "distilling", {"done": 9}, {"loss": 1.0}, [("log", {})]),
    "succeed": lambda ledger, claim: ledger.succeed(claim, FILES, {"accuracy": 1.0}),
    "fail": lambda ledger, claim: ledger.fail(claim, ERROR),
    "cancelled": lambda ledger, claim: ledger.cancelled(claim),
    "release": lambda ledger, claim: ledger.release(claim, "drained"),
    "lose": lambda ledger, claim: ledger.lose(claim, "crashed"),
}


def test_jobs_start_in_the_order_they_came(ledger: Ledger) -> None:
    ids = [queued(ledger).id for _ in range(5)]
    claims = [ledger.claim("worker", LONG) for _ in range(5)]
    assert [claim.job.id for claim in claims if claim] == ids == sorted(ids)
    assert ledger.claim("worker", LONG) is None


def test_a_claimed_job_says_which_worker_holds_it(ledger: Ledger) -> None:
    claim = running(ledger, "gpu-0")
    job = claim.job
    assert job == ledger.job(job.id)
    assert (job.status, job.worker_id, job.attempt, claim.attempt) == (Status.RUNNING, "gpu-0", 1, 1)
    assert job.started_at is not None
    assert job.queue_position is None
    assert types(ledger, job.id) == ["job.created", "job.started"]
    assert ledger.events(job.id)[-1].data == {"status": "running", "attempt": 1, "worker_id": "gpu-0"}


def test_a_requeued_job_keeps_its_place_and_its_first_start(ledger: Ledger) -> None:
    claim = running(ledger)
    queued(ledger)
    assert ledger.release(claim, "drained")
    waiting = ledger.job(claim.job.id)
    assert (waiting.queue_position, waiting.worker_id, waiting.losses) == (1, None, 0)
    again = ledger.claim("other", LONG)
    assert again is not None
    assert (again.job.id, again.attempt) == (claim.job.id, 2)
    assert again.job.started_at == claim.job.started_at


def test_heartbeats_keep_a_job_and_tell_of_a_cancel(ledger: Ledger) -> None:
    claim = running(ledger, ttl=0)
    assert ledger.heartbeat(claim, LONG).held
    assert ledger.sweep().requeued == ()
    assert not ledger.heartbeat(claim, LONG).cancel_requested
    ledger.request_cancel(claim.job.id)
    beat = ledger.heartbeat(claim, LONG)
    assert beat.held
    assert beat.cancel_requested


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("end", ["requeued", "restarted", "succeeded", "failed", "cancelled"])
def test_a_stale_attempt_changes_nothing(ledger: Ledger, write: str, end: str) -> None:
    stale = running(ledger, ttl=0)
    ledger.sweep()
    job_id = stale.job.id
    if end != "requeued":
        fresh = ledger.claim("other", LONG)
        assert fresh is not None
        if end == "succeeded":
            ledger.succeed(fresh, FILES[:1], {"accuracy": 0.5})
        if end == "failed":
            ledger.fail(fresh, {**ERROR, "message": "of the second attempt"})
        if end == "cancelled":
            ledger.request_cancel(job_id)
            ledger.cancelled(fresh)
    before = (ledger.job(job_id), ledger.events(job_id), ledger.files(job_id))
    assert WRITES[write](ledger, stale) is False
    assert (ledger.job(job_id), ledger.events(job_id), ledger.files(job_id)) == before


@pytest.mark.parametrize("write", sorted(WRITES.keys() - {"succeed"}))
@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED, Status.CANCELLED])
def test_nothing_is_written_to_a_job_after_its_end(ledger: Ledger, write: str, status: Status) -> None:
    job, claim = standing(ledger, status)
    assert claim is not None
    before = (ledger.job(job.id), ledger.events(job.id))
    assert WRITES[write](ledger, claim) is False
    assert (ledger.job(job.id), ledger.events(job.id)) == before


def test_a_result_is_published_with_its_files(ledger: Ledger) -> None:
    claim = running(ledger)
    ledger.record(claim, metrics={"loss": 0.5})
    assert ledger.files(claim.job.id) == []
    assert ledger.succeed(claim, FILES, {"accuracy": 0.9})
    job = ledger.job(claim.job.id)
    assert (job.status, job.metrics, job.phase, job.worker_id) == (Status.SUCCEEDED, {"accuracy": 0.9}, None, "worker")
    assert job.finished_at is not None
    assert ledger.files(job.id) == sorted(FILES, key=lambda file: file.name)
    assert ledger.file(job.id, "README.md") == FILES[1]
    assert ledger.file(job.id, "other") is None
    assert ledger.events(job.id)[-1].data == {"status": "succeeded", "attempt": 1, "files": 2, "bytes": 30}


def test_success_may_be_repeated_by_a_worker_that_never_saw_the_answer(ledger: Ledger) -> None:
    claim = running(ledger)
    assert ledger.succeed(claim, FILES, {"accuracy": 0.9})
    before = ledger.job(claim.job.id)
    assert ledger.succeed(claim, FILES, {"accuracy": 0.9})
    assert ledger.job(claim.job.id) == before
    assert types(ledger, claim.job.id).count("job.succeeded") == 1


def test_publishing_is_all_or_nothing(ledger: Ledger) -> None:
    claim = running(ledger)
    twice = [FILES[0], File(FILES[0].name, 1, "c" * 64, "text/plain")]
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
        ledger.succeed(claim, twice, {})
    assert ledger.job(claim.job.id).status is Status.RUNNING
    assert ledger.files(claim.job.id) == []
    assert ledger.succeed(claim, FILES, {})


def test_a_failure_keeps_its_error(ledger: Ledger) -> None:
    claim = running(ledger)
    ledger.record(claim, phase="evaluating")
    assert ledger.fail(claim, {"code": "internal", "message": "nul \0 inside", "surplus": 1})
    job = ledger.job(claim.job.id)
    message = "nul \ufffd inside"  # PostgreSQL keeps a NUL and then reads no part of the document
    expected: dict[str, Any] = {"code": "internal", "type": None, "message": message, "phase": "evaluating"}
    assert job.error == {**expected, "hint": None}
    assert ledger.events(job.id)[-1].data["error"] == job.error


@pytest.mark.parametrize("write", ["succeed", "fail", "release", "lose", "cancelled"])
def test_after_a_cancel_request_every_end_is_a_cancel(ledger: Ledger, write: str) -> None:
    job, claim = standing(ledger, Status.CANCELLING)
    assert claim is not None
    assert WRITES[write](ledger, claim) is (write in ("cancelled", "lose"))
    job = ledger.job(job.id)
    assert (job.status, job.error, job.metrics, job.losses) == (Status.CANCELLED, None, None, 0)
    assert ledger.files(job.id) == []
    assert types(ledger, job.id)[-2:] == ["job.cancel_requested", "job.cancelled"]


def test_a_worker_cannot_cancel_unasked(ledger: Ledger) -> None:
    claim = running(ledger)
    with pytest.raises(IllegalTransition, match="running"):
        ledger.cancelled(claim)
    assert ledger.job(claim.job.id).status is Status.RUNNING


def test_a_crash_is_counted_and_the_last_one_fails_the_job(ledger: Ledger) -> None:
    claim = running(ledger, max_attempts=2)
    ledger.record(claim, phase="distilling")
    assert ledger.lose(claim, "killed by signal 9")
    assert (ledger.job(claim.job.id).status, ledger.job(claim.job.id).losses) == (Status.QUEUED, 1)
    second = ledger.claim("worker", LONG)
    assert second is not None
    ledger.record(second, phase="evaluating")
    assert ledger.lose(second, "killed by signal 9")
    job = ledger.job(claim.job.id)
    assert (job.status, job.attempt, job.losses) == (Status.FAILED, 2, 2)
    assert job.error is not None
    assert (job.error["code"], job.error["phase"]) == ("worker_lost", "evaluating")
    assert "killed by signal 9" in job.error["message"]


def test_releases_are_not_losses(ledger: Ledger) -> None:
    job = queued(ledger, max_attempts=1)
    for attempt in range(1, 5):
        claim = ledger.claim("worker", LONG)
        assert claim is not None
        assert claim.attempt == attempt
        assert ledger.release(claim, "drained")
    job = ledger.job(job.id)
    assert (job.status, job.losses) == (Status.QUEUED, 0)
    assert ledger.events(job.id)[-1].data["reason"] == "drained"


def test_records_show_on_the_job(ledger: Ledger) -> None:
    claim = running(ledger)
    assert ledger.record(claim, phase="preparing")
    assert ledger.record(claim, progress={"phase": "distilling", "done": 1, "total": 9}, metrics={"loss": 2.0, "a": 1})
    assert ledger.record(claim, metrics={"loss": 1.0})
    job = ledger.job(claim.job.id)
    assert job.phase == "distilling"
    assert job.progress == {"phase": "distilling", "done": 1, "total": 9}
    assert job.metrics == {"loss": 1.0, "a": 1}
    ledger.request_cancel(job.id)
    assert ledger.record(claim, progress={"done": 2, "total": 9})
    assert ledger.job(job.id).progress == {"phase": "distilling", "done": 2, "total": 9}


def test_owners_take_turns_however_many_jobs_one_of_them_has(ledger: Ledger) -> None:
    of = {name: ledger.within(Reach(name, everything=False)) for name in ("alice", "bob")}
    alices = [queued(of["alice"]).id for _ in range(3)]
    bobs = [queued(of["bob"]).id for _ in range(2)]
    wanted = [alices[0], bobs[0], alices[1], bobs[1], alices[2]]
    places = {job.id: job.queue_position for job in ledger.jobs()}
    assert [places[job_id] for job_id in wanted] == [1, 2, 3, 4, 5]
    claims = [ledger.claim("worker", LONG) for _ in range(4)]
    assert [claim and claim.job.id for claim in claims] == wanted[:4]
    assert claims[0] is not None
    assert ledger.succeed(claims[0], FILES)
    late = [queued(of[name]).id for name in ("bob", "alice")]
    assert [ledger.job(job_id).queue_position for job_id in (alices[2], *late)] == [1, 2, 3]
