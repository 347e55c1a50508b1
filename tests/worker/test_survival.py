"""An accepted job is never lost, whatever dies: the promises of the worker, each tried with real processes."""

from __future__ import annotations

import os
import signal

import pytest

from core.ledger import Status
from tests.worker.double import state_after
from tests.worker.service import BOTH, Service, is_alive, over, until


@over(BOTH, "running")
def test_a_job_is_run_and_published(running: Service) -> None:
    play = running.submit(steps=6)
    job = play.wait_for_end()
    assert job.status is Status.SUCCEEDED
    assert (job.attempt, job.losses, job.metrics) == (1, 0, {"steps": 6, "ended": None})
    assert play.history() == ["created", "started", "succeeded"]
    assert [file.name for file in running.ledger.files(job.id)] == ["README.md", "data/state.txt", "manifest.json"]
    assert play.state() == state_after(6)
    assert job.progress is not None
    assert job.progress["phases"]["distilling"].items() >= {"done": 6, "total": 6}.items()
    until(lambda: not (running.settings.jobs / job.id).exists(), "the job's folder is gone")


@over(BOTH, "running")
def test_a_killed_engine_is_retried_from_its_checkpoint(running: Service) -> None:
    play = running.submit(steps=12, checkpoint_every=4, hold_at=7)
    os.kill(play.wait_for_step(1, 6), signal.SIGKILL)
    play.wait_for_step(2, 6)
    play.open_gate()
    job = play.wait_for_end()
    assert (job.status, job.attempt, job.losses) == (Status.SUCCEEDED, 2, 1)
    assert play.history() == ["created", "started", "requeued", "started", "succeeded"]
    assert play.steps(attempt=2) == list(range(4, 12))
    assert play.state() == state_after(12)
    assert "SIGKILL" in play.events("job.requeued")[0].data["reason"]


@over(BOTH)
def test_a_killed_worker_takes_its_engine_along_and_its_job_goes_on(service: Service) -> None:
    worker = service.start_worker()
    play = service.submit(steps=12, checkpoint_every=4, hold_at=7)
    engine = play.wait_for_step(1, 6)
    worker.kill()
    worker.wait()
    until(lambda: not is_alive(engine), "the engine has ended itself")
    play.open_gate()
    service.start_worker()
    job = play.wait_for_end()
    assert (job.status, job.attempt, job.losses) == (Status.SUCCEEDED, 2, 1)
    assert play.steps(attempt=2) == list(range(4, 12))
    assert play.state() == state_after(12)


@over(BOTH)
def test_a_worker_that_slept_past_its_lease_is_fenced_off(service: Service) -> None:
    sleeper = service.start_worker()
    play = service.submit(steps=12, hold_at=7)
    orphan = play.wait_for_step(1, 6)
    service.stop(sleeper)
    service.start_worker()
    play.wait_for_step(2, 6)
    play.open_gate()  # both engines run to the end of their script
    play.wait_for_step(1, 11)
    job = play.wait_for_end()
    sleeper.send_signal(signal.SIGCONT)
    until(lambda: not is_alive(orphan), "the orphan has ended")
    sleeper.send_signal(signal.SIGTERM)
    assert sleeper.wait(timeout=60) == 0  # and it has had every occasion to do harm
    assert play.job == job
    assert (job.status, job.attempt, job.losses) == (Status.SUCCEEDED, 2, 1)
    assert play.history() == ["created", "started", "requeued", "started", "succeeded"]
    assert play.state() == state_after(12)


@over(BOTH, "running")
def test_a_job_that_always_crashes_ends_after_three_attempts(running: Service) -> None:
    play = running.submit(crash_at=5, crashes=9)
    job = play.wait_for_end()
    assert (job.status, job.attempt, job.losses) == (Status.FAILED, 3, 3)
    assert job.error is not None
    assert job.error["code"] == "worker_lost"
    assert "RuntimeError: the engine has a bug" in job.error["message"]
    assert "Traceback" in play.events("log")[-1].data["message"]


@pytest.mark.parametrize("crash_by", ["kill", "memory"])
@over(BOTH[:1], "running")
def test_a_crash_for_want_of_memory_says_so(running: Service, crash_by: str) -> None:
    play = running.submit(crash_at=5, crash_by=crash_by)
    job = play.wait_for_end()
    assert (job.status, job.losses) == (Status.SUCCEEDED, 1)
    assert "memory" in play.events("job.requeued")[0].data["reason"]
