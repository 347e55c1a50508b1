"""Stopping in good order: cancelled by a client, told to go by the operator, out of time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from core.ledger import Status
from tests.worker.double import state_after
from tests.worker.service import BOTH, Service, is_alive, over, until
from worker.silence import Silence

FEW_SECONDS = 15.0
"""How soon a cancel must have worked: one or two seconds, and five more for a deaf engine, on a machine under load."""


def cancel(service: Service, job_id: str) -> float:
    """Cancels a running job; returns the seconds until it was over."""
    began = time.monotonic()
    assert service.ledger.request_cancel(job_id).status is Status.CANCELLING
    until(lambda: service.ledger.job(job_id).status is Status.CANCELLED, "the job is cancelled")
    return time.monotonic() - began


@over(BOTH, "running")
def test_a_running_job_is_cancelled_within_seconds(running: Service) -> None:
    play = running.submit(steps=12, hold_at=7)
    engine = play.wait_for_step(1, 6)
    assert cancel(running, play.job_id) < FEW_SECONDS
    assert not is_alive(engine)
    assert play.history() == ["created", "started", "cancel_requested", "cancelled"]
    assert running.ledger.files(play.job_id) == []


@over(BOTH[:1], "running")
def test_an_engine_that_ignores_sigterm_is_killed(running: Service) -> None:
    play = running.submit(steps=12, hold_at=7, deaf=True)
    engine = play.wait_for_step(1, 6)
    assert cancel(running, play.job_id) < FEW_SECONDS
    assert not is_alive(engine)


@over(BOTH, "running")
def test_a_cancelled_job_that_is_queued_never_starts(running: Service) -> None:
    first = running.submit(steps=12, hold_at=7)
    first.wait_for_step(1, 6)  # the only slot is taken
    second = running.submit(steps=3)
    assert running.ledger.request_cancel(second.job_id).status is Status.CANCELLED
    first.open_gate()
    assert first.wait_for_end().status is Status.SUCCEEDED
    running.submit(steps=1).wait_for_end()
    assert second.history() == ["created", "cancelled"]
    assert second.steps(attempt=1) == []


@over(BOTH, "running")
def test_a_cancelled_job_can_be_retried_from_its_checkpoint(running: Service) -> None:
    play = running.submit(steps=12, checkpoint_every=100, hold_at=7)
    play.wait_for_step(1, 6)
    cancel(running, play.job_id)
    play.open_gate()
    running.ledger.retry(play.job_id)
    running.submit(steps=1)  # rings for both
    assert play.wait_for_end().status is Status.SUCCEEDED
    assert play.steps(attempt=2) == list(range(7, 12))


@over(BOTH)
def test_a_worker_told_to_stop_hands_its_job_back_unharmed(service: Service) -> None:
    worker = service.start_worker()
    play = service.submit(steps=12, checkpoint_every=100, hold_at=7)
    play.wait_for_step(1, 6)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=60) == 0
    job = play.job
    assert (job.status, job.attempt, job.losses) == (Status.QUEUED, 1, 0)
    play.open_gate()
    service.start_worker()
    job = play.wait_for_end()
    assert (job.status, job.attempt, job.losses) == (Status.SUCCEEDED, 2, 0)
    assert play.steps(attempt=2) == list(range(7, 12))


@over(BOTH)
def test_every_further_signal_is_ignored_while_a_worker_stops(service: Service) -> None:
    worker = service.start_worker()
    play = service.submit(steps=12, hold_at=7, deaf=True)
    engine = play.wait_for_step(1, 6)
    worker.send_signal(signal.SIGINT)
    worker.send_signal(signal.SIGTERM)  # a parent passes on the Ctrl-C that its child got as well
    assert worker.wait(timeout=60) == 0
    assert not is_alive(engine)
    assert (play.job.status, play.job.losses) == (Status.QUEUED, 0)


def test_a_deaf_engine_is_not_waited_for(new_service: Callable[..., Service]) -> None:
    service = new_service("poller", "sqlite", drain_grace=0.5)
    play = service.submit(steps=12, hold_at=7, deaf=True)
    with service.supervisor_at_work() as drain:
        engine = play.wait_for_step(1, 6)
        drain.set()
        until(lambda: not is_alive(engine), "the engine is gone")
    assert (play.job.status, play.job.losses) == (Status.QUEUED, 0)


def test_an_attempt_that_takes_too_long_fails(new_service: Callable[..., Service]) -> None:
    service = new_service("poller", "sqlite", job_timeout=1.0)
    play = service.submit(steps=12, hold_at=7)
    with service.supervisor_at_work():
        job = play.wait_for_end()
    assert job.status is Status.FAILED
    assert job.error is not None
    assert (job.error["code"], job.error["phase"]) == ("timeout", "distilling")
    assert "STILLHOUSE_JOB_TIMEOUT" in job.error["hint"]


def test_an_engine_that_stands_still_is_ended_and_its_job_goes_on(new_service: Callable[..., Service]) -> None:
    service = new_service("poller", "sqlite", stall_after=3.0)
    play = service.submit(steps=12, hold_at=7)
    with service.supervisor_at_work():
        engine = play.wait_for_step(1, 6)
        os.kill(engine, signal.SIGSTOP)
        play.open_gate()
        job = play.wait_for_end()
    assert (job.status, job.attempt, job.losses) == (Status.SUCCEEDED, 2, 1)
    assert play.state() == state_after(12)
    assert not is_alive(engine)
    (lost,) = play.events("job.requeued")
    assert "said nothing in the phase distilling" in lost.data["reason"]
    assert "STILLHOUSE_STALL_AFTER" in lost.data["reason"]


def test_an_engine_that_was_slow_before_may_be_slow_again() -> None:
    silence = Silence(least=600.0, now=0.0)
    silence.hear(100.0, "distilling")
    silence.hear(300.0, "distilling")
    assert not silence.too_long(300.0 + 1_999)  # ten times the 200 seconds of before
    assert silence.too_long(300.0 + 2_001)
    silence.hear(400.0, "evaluating")  # a phase of its own pace
    assert not silence.too_long(400.0 + 599)
    assert silence.too_long(400.0 + 601)


@over(BOTH, "running")
def test_a_paused_job_frees_the_worker_and_goes_on_when_it_is_resumed(running: Service) -> None:
    play = running.submit(steps=12, checkpoint_every=100, hold_at=7)
    engine = play.wait_for_step(1, 6)
    assert running.ledger.request_pause(play.job_id).status is Status.PAUSING
    play.wait_for(Status.PAUSED)
    assert not is_alive(engine)
    running.submit(steps=1).wait_for_end()  # which needs the only slot
    running.ledger.sweep()
    assert (play.job.status, play.job.attempt, play.job.losses) == (Status.PAUSED, 1, 0)
    play.open_gate()
    assert running.ledger.resume(play.job_id).status is Status.QUEUED
    running.submit(steps=1)  # rings for both
    assert play.wait_for_end().status is Status.SUCCEEDED
    assert play.steps(attempt=2) == list(range(7, 12))
    assert play.history() == ["created", "started", "pause_requested", "paused", "requeued", "started", "succeeded"]


@over(BOTH, "running")
def test_a_job_that_is_asked_to_finish_publishes_what_it_has(running: Service) -> None:
    play = running.submit(steps=12, hold_at=7)
    play.wait_for_step(1, 6)
    assert running.ledger.request_finish(play.job_id).status is Status.RUNNING
    job = play.wait_for_end()
    assert job.metrics == {"steps": 7, "ended": {"step": 7}}
    assert play.history() == ["created", "started", "finish_requested", "succeeded"]
    assert [file.name for file in running.ledger.files(play.job_id)]


@over(BOTH)
def test_a_job_that_was_asked_to_finish_ends_as_soon_as_a_worker_has_it(service: Service) -> None:
    play = service.submit(steps=12)
    service.ledger.request_finish(play.job_id)
    service.start_worker()
    job = play.wait_for_end()
    assert job.metrics == {"steps": 0, "ended": {"step": 0}}
    assert play.steps(attempt=1) == []


@over(BOTH[:1], "running")
def test_a_job_that_is_cancelled_while_it_pauses_is_cancelled(running: Service) -> None:
    play = running.submit(steps=12, hold_at=7, deaf=True)
    play.wait_for_step(1, 6)
    running.ledger.request_pause(play.job_id)
    running.ledger.request_cancel(play.job_id)
    play.wait_for(Status.CANCELLED)
    assert running.ledger.files(play.job_id) == []
