"""Finding jobs: one, a page, the queue, the numbers; cancelling and retrying them."""

from __future__ import annotations

import math
import threading

import pytest

from core.ledger import IllegalTransition, Ledger, Status, UnknownJob, waiting
from tests.ledger.orders import FILES, LONG, order, queued, running, standing

STRANGE = [
    "",
    "job",
    "job_1",
    "job_00000000000000000000000000",
    "\0",
    "\ud800",
    "job_" + "x" * 5000,
    "'; DROP TABLE jobs",
]


@pytest.mark.parametrize("job_id", STRANGE)
def test_an_id_nobody_gave_is_unknown_everywhere(ledger: Ledger, job_id: str) -> None:
    queued(ledger)
    for ask in (ledger.job, ledger.events, ledger.files, ledger.request_cancel, ledger.retry):
        with pytest.raises(UnknownJob, match="GET /v1/jobs"):
            ask(job_id)
    assert ledger.file(job_id, "README.md") is None


def test_places_in_the_queue(ledger: Ledger) -> None:
    standing(ledger, Status.RUNNING)
    waiting = [queued(ledger) for _ in range(4)]
    assert [job.queue_position for job in waiting] == [1, 2, 3, 4]
    ledger.request_cancel(waiting[1].id)
    assert [ledger.job(job.id).queue_position for job in waiting] == [1, None, 2, 3]
    assert [job.queue_position for job in ledger.jobs()] == [3, 2, None, 1, None]
    ledger.claim("worker", LONG)
    assert ledger.job(waiting[3].id).queue_position == 2


@pytest.mark.parametrize(
    ("free", "costs", "expected"),
    [
        ([], [10.0], [None]),
        ([0.0], [10.0, 20.0, 5.0], [0, 10, 30]),
        ([30.0, 0.0], [10.0, 50.0, 5.0, 1.0], [0, 10, 30, 35]),
        ([5.0], [None, 1.0], [5, None]),
        ([math.inf, 5.0], [10.0, 10.0], [5, 15]),
        ([math.inf], [10.0], [None]),
    ],
)
def test_a_queue_is_worked_off_in_order(
    free: list[float], costs: list[float | None], expected: list[float | None]
) -> None:
    assert waiting.starts(free, costs) == expected


def test_a_start_is_expected_when_those_before_are_done(ledger: Ledger) -> None:
    """By the rest of the running job, the forecasts of the waiting ones, and the workers that are there."""
    forecast = {
        "seconds": {"expected": 100.0, "low": 50.0, "high": 200.0},
        "phases": {"evaluating": {"expected": 30.0}},
    }
    claim = running(ledger, worker_id="one", forecast=forecast)
    first, second, third = (queued(ledger, forecast=each) for each in (forecast, None, forecast))

    def starts() -> list[float | None]:
        return [ledger.job(job.id).queue_seconds for job in (first, second, third)]

    assert starts() == [100, 200, None], "nobody has forecast the second one"
    ledger.record(claim, progress={"phase": "distilling", "done": 1, "total": 2, "eta_seconds": 12.0})
    assert starts() == [42, 142, None], "the rest of its phase, and the one that follows"
    ledger.register_worker("one", "cpu", "here")
    assert starts() == [42, 142, None], "who works is no second worker"
    ledger.register_worker("two", "cpu", "here")
    assert starts() == [0, 42, 100]
    assert [job.queue_seconds for job in ledger.jobs()] == [100, 42, 0, None]
    ledger.request_cancel(claim.job.id)
    assert starts() == [0, 0, 100]


def test_far_behind_in_the_queue_there_is_a_place(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "FORESEEN", 2)
    ledger.register_worker("one", "cpu", "here")
    jobs = [queued(ledger, forecast={"seconds": {"expected": 10.0}}) for _ in range(3)]
    found = [ledger.job(job.id) for job in jobs]
    assert [(job.queue_position, job.queue_seconds) for job in found] == [(1, 0), (2, 10), (3, None)]


def test_counts_name_every_status(ledger: Ledger) -> None:
    assert ledger.counts() == dict.fromkeys(map(str, Status), 0)
    for status in reversed(Status):
        standing(ledger, status)
    assert ledger.counts() == dict.fromkeys(map(str, Status), 1)


def test_a_retry_starts_afresh_but_counts_on(ledger: Ledger) -> None:
    job, claim = standing(ledger, Status.QUEUED, max_attempts=1)[0], ledger.claim("worker", LONG)
    assert claim is not None
    ledger.record(claim, progress={"phase": "distilling", "done": 1, "total": 2}, metrics={"loss": 1})
    ledger.lose(claim, "crashed")
    again = ledger.retry(job.id)
    assert (again.status, again.attempt, again.losses, again.queue_position) == (Status.QUEUED, 1, 0, 1)
    assert {again.error, again.started_at, again.finished_at, again.phase} == {None}
    assert again.progress is None
    assert again.metrics is None
    second = ledger.claim("worker", LONG)
    assert second is not None
    assert second.attempt == 2
    assert ledger.succeed(second, [], {})


def test_a_retry_would_not_make_a_second_open_job(ledger: Ledger) -> None:
    failed, _ = standing(ledger, Status.FAILED, fingerprint="sha256:same")
    twin = order(ledger, fingerprint="sha256:same").job
    with pytest.raises(IllegalTransition, match=twin.id):
        ledger.retry(failed.id)
    ledger.request_cancel(twin.id)
    assert ledger.retry(failed.id).status is Status.QUEUED


def test_a_cancel_says_when_it_was_asked_and_when_done(ledger: Ledger) -> None:
    waiting = ledger.request_cancel(queued(ledger).id)
    assert waiting.cancel_requested_at == waiting.finished_at is not None
    job, claim = standing(ledger, Status.CANCELLING)
    assert claim is not None
    assert job.cancel_requested_at is not None
    assert job.finished_at is None
    ledger.cancelled(claim)
    done = ledger.job(job.id)
    assert done.cancel_requested_at == job.cancel_requested_at
    assert done.finished_at is not None


def test_nobody_publishes_while_objects_of_a_deleted_job_are_removed(ledger: Ledger) -> None:
    """So whoever looks after publishing sees what is gone, and can store it again."""
    old, _ = standing(ledger, Status.SUCCEEDED)
    claim = running(ledger)
    published: list[bool] = []
    worker = threading.Thread(target=lambda: published.append(ledger.succeed(claim, FILES)))
    removed = []

    def remove(address: str) -> None:
        if not removed:
            worker.start()
        removed.append(address)
        worker.join(0.1)
        assert not published

    ledger.delete(old.id, remove)
    worker.join()
    assert published == [True]
    assert removed == sorted(file.sha256 for file in FILES)
    assert ledger.deleted([old.id, claim.job.id]) == {old.id}


def test_what_another_job_goes_on_from_is_not_deleted(ledger: Ledger) -> None:
    old, _ = standing(ledger, Status.SUCCEEDED)
    further = queued(ledger, request={"continue_from": old.id})
    with pytest.raises(IllegalTransition, match=f"{further.id} goes on from job {old.id}"):
        ledger.delete(old.id, lambda address: None)
    ledger.request_cancel(further.id)
    ledger.delete(old.id, lambda address: None)
    with pytest.raises(UnknownJob):
        ledger.job(old.id)
