"""Expected costs of jobs and measurements of workers: kept, fenced, and found again by their conditions."""

from __future__ import annotations

from core.ledger import Ledger, Status
from tests.ledger.orders import FILES, LONG, queued, running

HERE = {"conditions": "Pentium, 1 threads, engine 1", "seconds": {"expected": 7.0}}
ELSEWHERE = {"conditions": "H200, engine 1"}


def test_a_forecast_comes_with_the_order_and_is_replaced_by_its_worker(ledger: Ledger) -> None:
    job = queued(ledger, forecast=HERE)
    assert ledger.job(job.id).forecast == HERE
    claim = ledger.claim("worker", LONG)
    assert claim is not None
    assert ledger.record_forecast(claim, ELSEWHERE)
    assert ledger.job(job.id).forecast == ELSEWHERE


def test_a_worker_that_lost_the_job_foresees_nothing(ledger: Ledger) -> None:
    claim = running(ledger, forecast=HERE)
    assert ledger.release(claim, "The worker was told to stop.")
    assert not ledger.record_forecast(claim, ELSEWHERE)
    assert ledger.job(claim.job.id).forecast == HERE


def test_a_retried_job_keeps_its_forecast(ledger: Ledger) -> None:
    job = queued(ledger, forecast=HERE)
    ledger.request_cancel(job.id)
    assert ledger.retry(job.id).forecast == HERE


def test_jobs_under_the_same_conditions_are_those_that_succeeded_at_once(ledger: Ledger) -> None:
    def succeeded(**changes: object) -> str:
        claim = running(ledger, **changes)
        assert ledger.succeed(claim, FILES, {})
        return claim.job.id

    first, _, _ = succeeded(forecast=HERE), succeeded(forecast=ELSEWHERE), succeeded()
    second = succeeded(forecast=HERE)
    twice = running(ledger, forecast=HERE)
    assert ledger.release(twice, "The worker was told to stop.")
    again = ledger.claim("worker", LONG)
    assert again is not None
    assert ledger.succeed(again, FILES, {})
    running(ledger, forecast=HERE)
    assert ledger.job(again.job.id).status is Status.SUCCEEDED
    assert [job.id for job in ledger.jobs_under(HERE["conditions"])] == [second, first]
    assert [job.id for job in ledger.jobs_under(HERE["conditions"], limit=1)] == [second]
    assert ledger.jobs_under("'; DROP TABLE jobs --") == []


def test_a_worker_says_once_what_it_has_measured(ledger: Ledger) -> None:
    ledger.register_worker("worker", "cpu", "host")
    assert [worker.calibration for worker in ledger.workers()] == [None]
    ledger.register_worker("worker", "cpu", "host", {"hardware": "Pentium"})
    ledger.register_worker("worker", "cpu", "host")
    assert [worker.calibration for worker in ledger.workers()] == [{"hardware": "Pentium"}]
