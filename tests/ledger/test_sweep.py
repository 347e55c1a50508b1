"""Dead workers are noticed, and what they held goes on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from core.ledger import Ledger, Status, Swept, sweep
from core.ledger.models import KeyRow, WorkerRow
from tests.ledger.orders import LONG, order, queued, running, standing, types


def test_nothing_to_sweep(ledger: Ledger) -> None:
    for status in reversed(Status):
        standing(ledger, status)
    before = ledger.jobs()
    assert ledger.sweep() == Swept()
    assert ledger.jobs() == before


def test_an_expired_lease_is_a_loss(ledger: Ledger) -> None:
    claim = running(ledger, "gpu-0", ttl=0)
    ledger.record(claim, progress={"phase": "distilling", "done": 5, "total": 9})
    assert ledger.sweep() == Swept(requeued=(claim.job.id,))
    job = ledger.job(claim.job.id)
    assert (job.status, job.losses, job.worker_id, job.phase, job.queue_position) == (Status.QUEUED, 1, None, None, 1)
    assert job.progress == {"phase": "distilling", "done": 5, "total": 9}
    told = ledger.events(job.id)[-1]
    assert told.type == "job.requeued"
    assert told.data["worker_id"] == "gpu-0"
    assert "gpu-0 stopped answering" in told.data["reason"]
    assert ledger.sweep() == Swept()


def test_the_last_expired_lease_fails_the_job(ledger: Ledger) -> None:
    claim = running(ledger, ttl=0, max_attempts=2)
    ledger.sweep()
    ledger.claim("worker", ttl=0)
    assert ledger.sweep() == Swept(failed=(claim.job.id,))
    job = ledger.job(claim.job.id)
    assert job.error is not None
    assert job.error["code"] == "worker_lost"
    assert job.finished_at is not None
    assert types(ledger, job.id)[-1] == "job.failed"


def test_a_dead_worker_s_cancelled_job_is_cancelled(ledger: Ledger) -> None:
    claim = running(ledger, ttl=0)
    ledger.request_cancel(claim.job.id)
    assert ledger.sweep() == Swept(cancelled=(claim.job.id,))
    assert ledger.job(claim.job.id).losses == 0


def test_a_sweep_takes_as_many_batches_as_it_needs(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "BATCH", 3)
    ids = {queued(ledger).id for _ in range(7)}
    for _ in ids:
        ledger.claim("worker", ttl=0)
    alive = running(ledger)
    assert set(ledger.sweep().requeued) == ids
    assert ledger.job(alive.job.id).status is Status.RUNNING


def test_a_sweep_forgets_old_keys_and_silent_workers(ledger: Ledger) -> None:
    order(ledger, idempotency_key="old", body_hash="h")
    ledger.register_worker("old", "cpu", "host")
    with ledger.database.write() as session:
        key, worker = session.query(KeyRow).one(), session.query(WorkerRow).one()
        session.execute(update(KeyRow).values(expires_at=key.expires_at - timedelta(days=2)))
        session.execute(update(WorkerRow).values(last_seen=worker.last_seen - timedelta(days=2)))
    order(ledger, idempotency_key="new", body_hash="h")
    ledger.register_worker("new", "cpu", "host")
    ledger.sweep()
    with ledger.database.read() as session:
        assert session.scalar(select(func.count()).select_from(KeyRow)) == 1
    assert [worker.worker_id for worker in ledger.workers()] == ["new"]


def test_workers_are_seen_by_registration_and_heartbeat(ledger: Ledger) -> None:
    ledger.register_worker("gpu-1", "cuda:1", "host")
    ledger.register_worker("gpu-0", "cpu", "host")
    ledger.register_worker("gpu-0", "cuda:0", "host")
    first, second = ledger.workers()
    assert (first.worker_id, first.device, first.hostname) == ("gpu-0", "cuda:0", "host")
    assert first.registered_at < first.last_seen
    assert ledger.workers(seen_within=0) == []
    assert len(ledger.workers(seen_within=60)) == 2
    ledger.heartbeat(running(ledger, "gpu-1"), LONG)
    assert ledger.workers()[1].last_seen > second.last_seen
