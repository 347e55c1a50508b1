"""Finding jobs: one, a page, the queue, the numbers; cancelling and retrying them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from core.ledger import IllegalTransition, Ledger, Status, UnknownJob
from tests.ledger.orders import LONG, order, queued, standing

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


def test_pages_meet_without_gap_or_overlap(ledger: Ledger) -> None:
    ids = [queued(ledger).id for _ in range(7)]
    found: list[str] = []
    after = None
    while page := ledger.jobs(limit=3, after=after):
        found += [job.id for job in page]
        after = (page[-1].created_at, page[-1].id)
        queued(ledger)  # newer jobs do not disturb a reader on the way to older ones
    assert found == ids[::-1]


def test_filters_narrow_the_list(ledger: Ledger) -> None:
    standing(ledger, Status.SUCCEEDED, dataset="cifar10", method="mtt")
    standing(ledger, Status.FAILED, dataset="cifar10", method="dm")
    standing(ledger, Status.QUEUED, dataset="svhn%_", method="dm")

    def found(**filters: Any) -> list[str]:
        return [f"{job.dataset} {job.method}" for job in ledger.jobs(**filters)]

    assert found() == ["svhn%_ dm", "cifar10 dm", "cifar10 mtt"]
    assert found(status="succeeded") == ["cifar10 mtt"]
    assert found(status=Status.QUEUED) == ["svhn%_ dm"]
    assert found(dataset="cifar10", method="dm") == ["cifar10 dm"]
    assert found(q="CIFAR") == ["cifar10 dm", "cifar10 mtt"]
    assert found(q="%_") == ["svhn%_ dm"]
    assert found(q=ledger.jobs()[0].id.lower()) == ["svhn%_ dm"]
    assert found(status="succeeded", method="dm") == []


@pytest.mark.parametrize("word", ["\0", "\ud800", "sleeping", "nothing like it"])
@pytest.mark.parametrize("field", ["status", "dataset", "method", "q"])
def test_a_filter_nothing_matches_finds_nothing(ledger: Ledger, field: str, word: str) -> None:
    queued(ledger)
    filters: dict[str, Any] = {field: word}
    assert ledger.jobs(**filters) == []


def test_places_in_the_queue(ledger: Ledger) -> None:
    standing(ledger, Status.RUNNING)
    waiting = [queued(ledger) for _ in range(4)]
    assert [job.queue_position for job in waiting] == [1, 2, 3, 4]
    ledger.request_cancel(waiting[1].id)
    assert [ledger.job(job.id).queue_position for job in waiting] == [1, None, 2, 3]
    assert [job.queue_position for job in ledger.jobs()] == [3, 2, None, 1, None]
    ledger.claim("worker", LONG)
    assert ledger.job(waiting[3].id).queue_position == 2


def test_counts_name_every_status(ledger: Ledger) -> None:
    assert ledger.counts() == dict.fromkeys(map(str, Status), 0)
    for status in reversed(Status):
        standing(ledger, status)
    assert ledger.counts() == dict.fromkeys(map(str, Status), 1)


def test_a_list_takes_the_same_few_statements_however_long(ledger: Ledger) -> None:
    numbers = []
    for _ in range(2):
        for _ in range(5):
            queued(ledger)
        with _statements(ledger) as seen:
            ledger.jobs(limit=200)
        numbers.append(len(seen))
    assert numbers[0] == numbers[1] <= 3


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


@contextmanager
def _statements(ledger: Ledger) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            seen.append(statement)

    event.listen(ledger.database.engine, "before_cursor_execute", note)
    yield seen
    event.remove(ledger.database.engine, "before_cursor_execute", note)
