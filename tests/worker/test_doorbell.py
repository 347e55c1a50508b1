"""The doorbell may be lost, late, doubled or broken: it only ever saves time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from prometheus_client import REGISTRY

from core import doorbell
from core.ledger import Status
from core.settings import Settings
from tests import services
from tests.worker.double import state_after
from tests.worker.service import Service, over, until

PUBLISHER_WAITS = 8.0
"""Seconds: two for the broker, the rest for a machine under load."""


@over((("celery", "sqlite"),), "running")
def test_many_bells_for_one_job_start_it_once(running: Service) -> None:
    play = running.submit(steps=6)
    for _ in range(20):
        assert doorbell.ring(running.settings)
    play.wait_for_end()
    last = running.submit(steps=1)
    last.wait_for_end()
    assert play.history() == last.history() == ["created", "started", "succeeded"]


@over((("celery", "sqlite"),), "running")
def test_one_bell_starts_all_that_waits(running: Service) -> None:
    plays = [running.submit_quietly(steps=2) for _ in range(3)]
    doorbell.ring(running.settings)
    assert [play.wait_for_end().status for play in plays] == [Status.SUCCEEDED] * 3


def test_a_job_whose_bell_is_lost_is_found_by_the_backstop(new_service: Callable[..., Service], redis_url: str) -> None:
    service = new_service("celery", "sqlite", backstop_interval=0.3, sweep_interval=600)
    first = service.submit(steps=2)
    services.flush_redis(redis_url)  # nobody has heard it yet
    service.start_worker()
    assert first.wait_for_end().status is Status.SUCCEEDED
    services.flush_redis(redis_url)  # queues and bindings of a worker that is connected
    assert service.submit(steps=2).wait_for_end().status is Status.SUCCEEDED


def test_the_sweeper_rings_for_a_job_whose_bell_is_lost(new_service: Callable[..., Service], redis_url: str) -> None:
    service = new_service("celery", "postgresql", sweep_interval=600)
    service.start_worker()
    play = service.submit_quietly(steps=2)
    service.start_sweeper()
    assert play.wait_for_end().status is Status.SUCCEEDED


def test_a_job_goes_through_while_the_broker_is_away(new_service: Callable[..., Service]) -> None:
    with services.redis_server() as url:
        service = new_service("celery", "sqlite", broker_url=url, backstop_interval=0.3)
        worker = service.start_worker()
        assert service.submit(steps=2).wait_for_end().status is Status.SUCCEEDED
    began = time.monotonic()
    assert not doorbell.ring(service.settings)
    assert time.monotonic() - began < PUBLISHER_WAITS
    play = service.submit(steps=6)
    assert play.wait_for_end().status is Status.SUCCEEDED
    assert play.state() == state_after(6)
    worker.terminate()
    assert worker.wait(timeout=60) == 0


def test_celery_works_on_a_folder_as_well(new_service: Callable[..., Service], tmp_path: Path) -> None:
    service = new_service("celery", "sqlite", broker_url=f"filesystem://{tmp_path}/broker")
    service.start_worker()
    assert service.submit(steps=2).wait_for_end().status is Status.SUCCEEDED


@pytest.mark.parametrize("how", ["tls", "sentinel"])
def test_redis_is_reached_over_tls_and_behind_a_sentinel(
    new_service: Callable[..., Service], redis_url: str, how: str
) -> None:
    with services.redis_over_tls() if how == "tls" else services.redis_sentinel(redis_url) as url:
        service = new_service("celery", "sqlite", broker_url=url, sweep_interval=600)
        service.start_worker()
        play = service.submit_quietly(steps=2)
        assert doorbell.ring(service.settings)
        assert play.wait_for_end().status is Status.SUCCEEDED


def test_redis_of_another_certificate_is_not_spoken_to() -> None:
    with services.redis_over_tls() as url:
        assert not doorbell.ring(Settings(broker_url=url.partition("?")[0]))  # checked by the system's authorities


def test_a_frozen_broker_costs_the_publisher_two_seconds() -> None:
    with services.redis_server() as url:
        settings = Settings(broker_url=url)
        assert doorbell.ring(settings)
        with redis.Redis.from_url(url) as client:
            server = int(client.info()["process_id"])
        os.kill(server, signal.SIGSTOP)
        began = time.monotonic()
        assert not doorbell.ring(settings)
        assert 1 < time.monotonic() - began < PUBLISHER_WAITS
        os.kill(server, signal.SIGCONT)
        until(lambda: doorbell.ring(settings), "the doorbell works again")


def test_without_a_broker_there_is_no_bell() -> None:
    assert not doorbell.ring(Settings(broker_url=None))


def test_a_folder_must_be_named() -> None:
    with pytest.raises(ValueError, match="filesystem:///absolute/folder"):
        Settings(broker_url="filesystem://")


def test_a_bell_that_cannot_be_rung_is_counted() -> None:
    def failures() -> float:
        return REGISTRY.get_sample_value("stillhouse_doorbell_failures_total") or 0.0

    before = failures()
    assert not doorbell.ring(Settings(broker_url=f"redis://127.0.0.1:{services.free_port()}/0"))
    assert failures() == before + 1
