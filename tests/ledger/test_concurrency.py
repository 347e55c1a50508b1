"""Many at once: threads that share a ledger, and processes that share only the database."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import TypeVar

import pytest

from core.ledger import Claim, IdempotencyConflict, Ledger, Reach, Status
from tests.ledger.orders import ERROR, FILES, LONG, order, queued, running, standing, types

Answer = TypeVar("Answer")


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    """Two processes that share nothing with this one, nor with each other."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        yield pool


def together(works: list[Callable[[], Answer]]) -> list[Answer]:
    """Start every piece of work at the same moment, each in a thread of its own."""
    barrier = Barrier(len(works))

    def start(work: Callable[[], Answer]) -> Answer:
        barrier.wait(30)
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(start, works))


def test_twenty_equal_orders_at_once_make_one_job(ledger: Ledger) -> None:
    submissions = together([lambda: order(ledger, fingerprint="sha256:same")] * 20)
    assert Counter(submission.outcome for submission in submissions) == {"created": 1, "twin": 19}
    assert len({submission.job.id for submission in submissions}) == 1
    assert ledger.counts()["queued"] == 1
    assert types(ledger, submissions[0].job.id) == ["job.created"]


def test_twenty_orders_under_one_key_make_one_job(ledger: Ledger) -> None:
    submissions = together([lambda: order(ledger, idempotency_key="k", body_hash="h")] * 20)
    assert Counter(submission.outcome for submission in submissions) == {"created": 1, "replayed": 19}
    assert ledger.counts()["queued"] == 1


def test_two_bodies_under_one_key_make_one_job(ledger: Ledger) -> None:
    def one(body: str) -> str:
        try:
            return order(ledger, idempotency_key="k", body_hash=body).outcome
        except IdempotencyConflict:
            return "conflict"

    outcomes = together([partial(one, str(number)) for number in range(10)])
    assert Counter(outcomes) == {"created": 1, "conflict": 9}
    assert ledger.counts()["queued"] == 1


def test_twenty_retries_at_once_requeue_once(ledger: Ledger) -> None:
    jobs = [standing(ledger, Status.FAILED, fingerprint="sha256:same")[0] for _ in range(5)]

    def one(job_id: str) -> bool:
        try:
            return ledger.retry(job_id).status is Status.QUEUED
        except ValueError:
            return False

    assert sum(together([partial(one, job.id) for job in jobs * 4])) == 1
    assert ledger.counts()["queued"] == 1


def test_claimers_in_threads_never_get_the_same_job(ledger: Ledger) -> None:
    ids = {queued(ledger).id for _ in range(40)}
    claimed = together([partial(_claim_all, ledger, f"worker-{number}") for number in range(8)])
    assert Counter(job_id for mine in claimed for job_id in mine) == dict.fromkeys(ids, 1)


def test_claimers_at_once_keep_to_what_an_owner_may_have_running(ledger: Ledger) -> None:
    alice = ledger.within(Reach("alice", everything=False))
    for _ in range(20):
        for _ in range(2):
            queued(alice)
        together([partial(ledger.claim, f"worker-{number}", LONG, 1) for number in range(2)])
        (job,) = alice.jobs(status="running")
        assert ledger.fail(Claim(job, job.attempt), ERROR)
        _clear(ledger)


def test_claimers_in_processes_never_get_the_same_job(
    ledger: Ledger, ledger_url: str, processes: ProcessPoolExecutor
) -> None:
    ids = {queued(ledger).id for _ in range(60)}
    claimed = list(processes.map(claim_in_process, [ledger_url] * 2, ["worker-1", "worker-2"]))
    assert Counter(job_id for mine in claimed for job_id in mine) == dict.fromkeys(ids, 1)
    assert {job.attempt for job in ledger.jobs(limit=100)} == {1}


def test_a_job_ends_once_however_many_end_it(ledger: Ledger) -> None:
    for _ in range(5):
        claim = running(ledger, ttl=0)
        job_id = claim.job.id
        together(
            [
                partial(ledger.succeed, claim, FILES, {}),
                partial(ledger.fail, claim, ERROR),
                partial(ledger.lose, claim, "crashed"),
                partial(_cancel, ledger, job_id),
                partial(_sweep, ledger),
            ]
        )
        job, told = ledger.job(job_id), types(ledger, job_id)
        ends = [kind for kind in told if kind in ("job.succeeded", "job.failed", "job.cancelled")]
        assert len(ends) == (0 if job.status in (Status.QUEUED, Status.CANCELLING) else 1)
        assert bool(ledger.files(job_id)) == (job.status is Status.SUCCEEDED)
        assert told.count("job.requeued") <= 1
        _clear(ledger)


def test_a_heartbeat_and_a_sweep_cannot_both_have_the_job(ledger: Ledger) -> None:
    for _ in range(10):
        claim = running(ledger, ttl=0)
        beat, swept = together([partial(_beat, ledger, claim), partial(_sweep, ledger)])
        assert beat is not swept
        _clear(ledger)


def test_events_written_at_once_are_numbered_without_gaps(ledger: Ledger) -> None:
    claim = running(ledger)

    def report(number: int) -> None:
        for _ in range(5):
            ledger.record(claim, events=[("log", {"from": number}), ("log", {"from": number})])

    together([partial(report, number) for number in range(8)])
    assert types(ledger, claim.job.id).count("log") == 80


def test_a_reader_of_the_log_misses_nothing_while_others_write(ledger: Ledger) -> None:
    claim = running(ledger)

    def read() -> list[int]:
        seen: list[int] = []
        while len(seen) < 42:
            seen += [event.seq for event in ledger.events(claim.job.id, after=seen[-1] if seen else 0)]
        return seen

    def write() -> list[int]:
        for _ in range(10):
            ledger.record(claim, events=[("log", {})])
        return []

    seen = together([read, *[write] * 4])[0]
    assert seen == list(range(1, 43))


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_processes_that_start_together_migrate_once(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest, processes: ProcessPoolExecutor
) -> None:
    if backend == "sqlite":
        url = f"sqlite:///{tmp_path / 'new' / 'ledger.db'}"
    else:
        url = request.getfixturevalue("bare_postgres_url")
    assert all(processes.map(migrate_in_process, [url] * 4))


def claim_in_process(url: str, worker_id: str) -> list[str]:
    """Claim everything there is through a ledger of this process's own."""
    ledger = Ledger(url)
    try:
        return _claim_all(ledger, worker_id)
    finally:
        ledger.close()


def migrate_in_process(url: str) -> bool:
    """Migrate, and say whether the ledger is ready."""
    ledger = Ledger(url)
    try:
        ledger.migrate()
        return bool(ledger.ready()["ready"])
    finally:
        ledger.close()


def _claim_all(ledger: Ledger, worker_id: str) -> list[str]:
    claims: list[Claim] = []
    while claim := ledger.claim(worker_id, LONG):
        claims.append(claim)
    return [claim.job.id for claim in claims]


def _beat(ledger: Ledger, claim: Claim) -> bool:
    return ledger.heartbeat(claim, LONG).held


def _sweep(ledger: Ledger) -> bool:
    return bool(ledger.sweep())


def _cancel(ledger: Ledger, job_id: str) -> bool:
    try:
        return ledger.request_cancel(job_id).cancel_requested_at is not None
    except ValueError:
        return False


def _clear(ledger: Ledger) -> None:
    """Leave no job waiting or running."""
    while claim := ledger.claim("clearing", LONG):
        ledger.fail(claim, ERROR)
    for job in ledger.jobs(status="running"):
        ledger.request_cancel(job.id)
