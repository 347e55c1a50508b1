"""A database or a store that is away: no outage loses a job, and a short one costs nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
import structlog
from sqlalchemy import make_url, text

from core.artifacts import Store
from core.ids import new_id
from core.ledger import Ledger, Status
from tests.worker.double import state_after
from tests.worker.service import Service, is_alive, until

PATIENT = {"lease_ttl": 60.0, "self_fence_after": 40.0}


@contextmanager
def outage(service: Service) -> Iterator[None]:
    """Cuts every connection to the service's PostgreSQL database and lets no new one in."""
    url = make_url(service.settings.ledger_url)
    server = f"host={url.host} port={url.port} user={url.username} dbname=postgres"
    with psycopg.connect(server, autocommit=True) as connection:

        def allow(answer: str) -> None:
            connection.execute(f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS {answer}'.encode())

        allow("false")
        try:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [url.database]
            )
            yield
        finally:
            allow("true")


@contextmanager
def store_outage(service: Service) -> Iterator[None]:
    """Puts a plain file in the place of the store's folder, which even root cannot write into."""
    place = service.settings.home / "store"
    place.mkdir(exist_ok=True)
    place.rename(place.with_name("store.away"))
    place.touch()
    try:
        yield
    finally:
        place.unlink()
        place.with_name("store.away").rename(place)


def waits(logs: list[Any]) -> int:
    return [line["event"] for line in logs].count("waiting for the storage")


def test_a_short_outage_costs_nothing(new_service: Callable[..., Service]) -> None:
    service = new_service("poller", "postgresql", **PATIENT)
    play = service.submit(steps=12, hold_at=7)
    with structlog.testing.capture_logs() as logs, service.supervisor_at_work():
        engine = play.wait_for_step(1, 6)
        with outage(service):
            until(lambda: "the ledger does not answer" in [line["event"] for line in logs], "the outage is noticed")
            play.open_gate()  # the engine works on, to its end
            play.wait_for_step(1, 11)
            until(lambda: not is_alive(engine), "the engine has ended")
        job = play.wait_for_end()
    assert (job.status, job.attempt, job.losses) == (Status.SUCCEEDED, 1, 0)
    assert play.events("metric")[-1].data["step"] == 12, "what was said during the outage is kept"
    assert play.state() == state_after(12)


def test_a_long_outage_stops_the_engine_before_the_lease_ends(new_service: Callable[..., Service]) -> None:
    service = new_service("poller", "postgresql")
    play = service.submit(steps=12, checkpoint_every=100, hold_at=7)
    with service.supervisor_at_work():
        engine = play.wait_for_step(1, 6)
        with outage(service):
            until(lambda: not is_alive(engine), "the engine was stopped")
            play.open_gate()
        job = play.wait_for_end()
    assert (job.status, job.attempt, job.losses) == (Status.SUCCEEDED, 2, 0)
    assert play.steps(attempt=2) == list(range(7, 12)), "it was stopped in good order, with a checkpoint"


def test_a_locked_database_does_not_keep_a_worker_from_fencing_itself(new_service: Callable[..., Service]) -> None:
    service = new_service("poller", "sqlite")
    play = service.submit(steps=12, hold_at=7)
    with service.supervisor_at_work():
        engine = play.wait_for_step(1, 6)
        file = make_url(service.settings.ledger_url).database
        assert file is not None
        locker = sqlite3.connect(file, isolation_level=None)
        locker.execute("BEGIN IMMEDIATE")
        until(lambda: not is_alive(engine), "the engine was stopped, though the heartbeat still waits for the lock")
        play.open_gate()
        locker.rollback()
        locker.close()
        job = play.wait_for_end()
    assert (job.status, job.attempt, job.losses) == (Status.SUCCEEDED, 2, 0)


def test_a_finished_job_waits_for_its_store(
    new_service: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.database_retry._FIRST_PAUSE", 0.02)
    service = new_service("poller", "sqlite")
    play = service.submit(steps=4, hold_at=3, max_attempts=1)
    with structlog.testing.capture_logs() as logs, service.supervisor_at_work():
        play.wait_for_step(1, 2)
        with store_outage(service):
            play.open_gate()
            until(lambda: waits(logs) > 6, "the store was asked again and again")
            assert play.job.status is Status.RUNNING
        job = play.wait_for_end()
    assert (job.status, job.attempt, job.losses) == (Status.SUCCEEDED, 1, 0)
    assert play.state() == state_after(4)
    said = [event.data["message"] for event in play.events("log")]
    assert len([words for words in said if "The storage does not work" in words]) == 1


@pytest.mark.parametrize("end", ["cancel", "drain"])
def test_a_job_that_waits_for_its_store_ends_at_once(new_service: Callable[..., Service], end: str) -> None:
    service = new_service("poller", "sqlite")
    play = service.submit(steps=4, hold_at=3)
    with structlog.testing.capture_logs() as logs, service.supervisor_at_work() as drain:
        play.wait_for_step(1, 2)
        with store_outage(service):
            play.open_gate()
            until(lambda: waits(logs), "the store was missed")
            if end == "cancel":
                service.ledger.request_cancel(play.job_id)
            else:
                drain.set()
            job = play.wait_for(Status.CANCELLED if end == "cancel" else Status.QUEUED)
    assert (job.attempt, job.losses) == (1, 0)


def test_patience_with_a_store_has_an_end(new_service: Callable[..., Service]) -> None:
    service = new_service("poller", "sqlite", store_patience=0.1)
    play = service.submit(steps=4, hold_at=3, max_attempts=1)
    with service.supervisor_at_work():
        play.wait_for_step(1, 2)
        with store_outage(service):
            play.open_gate()
            job = play.wait_for_end()
    assert job.error is not None
    assert (job.status, job.error["code"]) == (Status.FAILED, "storage_error")


def test_a_job_waits_for_the_store_that_has_its_upload_but_not_for_one_that_lost_it(
    new_service: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.database_retry._FIRST_PAUSE", 0.02)
    service = new_service("poller", "sqlite")
    bundle = service.settings.home / "bundle.npz"
    bundle.write_bytes(b"pixels")
    store, upload = Store(service.settings.artifacts_url), new_id("ds")
    service.ledger.uploads.add(upload, "mine", None, 6)
    address, _ = store.put(bundle)
    service.ledger.uploads.conclude(upload, found={}, sha256=address, length=6)

    def submit(ledger: Ledger) -> str:
        overrides = {"trace": str(service.settings.home / "t"), "steps": 1}
        asked = {"dataset": upload, "ipc": 1, "method": "mtt", "overrides": overrides}
        return ledger.submit(asked, {}, dataset=upload, method="mtt", ipc=1, seed=0, max_attempts=1).job.id

    with structlog.testing.capture_logs() as logs:
        with store_outage(service), service.supervisor_at_work():
            first = submit(service.ledger)
            until(lambda: waits(logs) > 6, "the store was asked again and again")
            assert service.ledger.job(first).status is Status.RUNNING
        with service.supervisor_at_work():  # the first one had let the job go
            until(lambda: service.ledger.job(first).status is Status.SUCCEEDED, "the job has its upload")
            (service.settings.datasets / "uploads" / f"{upload}.npz").unlink()
            (service.settings.home / "store/sha256" / address[:2] / address).write_bytes(b"nixels")
            second = submit(service.ledger)
            until(lambda: service.ledger.job(second).status is Status.FAILED, "the job cannot be done")
    assert service.ledger.job(first).losses == 0
    error = service.ledger.job(second).error
    assert error is not None
    assert (error["code"], error["phase"]) == ("dataset_unavailable", "preparing")
    assert f"The upload {upload} is lost" in error["message"]


def test_an_attempt_that_lost_its_lease_unawares_publishes_nothing(
    new_service: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.heartbeat._TICK", 60.0)
    service = new_service("poller", "sqlite", lease_ttl=200, heartbeat_interval=60, self_fence_after=100)
    play = service.submit(steps=4, hold_at=3, spoil="remove", max_attempts=2)  # as a sweeper does to a dead attempt
    with structlog.testing.capture_logs() as logs, service.supervisor_at_work():
        play.wait_for_step(1, 2)
        with service.ledger.database.write() as session:
            session.execute(text("UPDATE jobs SET lease_expires_at = created_at"))
        assert service.ledger.sweep().requeued
        play.open_gate()
        job = play.wait_for_end()
    assert (job.status, job.attempt) == (Status.FAILED, 2)
    assert [line["outcome"] for line in logs if line["event"] == "attempt ended"] == ["lost", "failed"]
    assert [line["event"] for line in logs].count("storage trouble") == 1, "the first attempt's is no trouble at all"
