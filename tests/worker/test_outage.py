"""A database that is away: a short outage costs nothing, a long one costs no more than the work since it began."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import structlog
from sqlalchemy import make_url

from core.ledger import Status
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
