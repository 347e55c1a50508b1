"""The ledger against a model of it: Hypothesis looks for a sequence of calls after which the two disagree."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule, run_state_machine_as_test

from core.ledger import Beat, Claim, IllegalTransition, Ledger, Status
from tests import services
from tests.ledger.orders import ERROR, FILES, order, types

OPEN = (Status.QUEUED, Status.RUNNING)
HELD = (Status.RUNNING, Status.PAUSING, Status.CANCELLING)
TTL = st.sampled_from([0.0, 3600.0])
"""Leases that have expired when they are given, or never will."""


@final
@dataclass
class Model:
    """The state that one job should have."""

    fingerprint: str | None
    max_attempts: int
    status: Status = Status.QUEUED
    attempt: int = 0
    losses: int = 0
    expired: bool = False
    phase: str | None = None
    files: bool = False
    finish: bool = False
    told: list[str] = field(default_factory=lambda: ["job.created"])

    def move(self, status: Status, event: str) -> None:
        self.status = status
        self.told.append(event)
        if status not in HELD:
            self.phase = None

    def end(self, how: str) -> None:
        if self.status is Status.CANCELLING:
            self.move(Status.CANCELLED, "job.cancelled")
        elif how == "succeed":
            self.move(Status.SUCCEEDED, "job.succeeded")
            self.files = True
        else:
            self.losses += how == "lose"
            over = how == "fail" or (how == "lose" and self.losses == self.max_attempts)
            pausing = self.status is Status.PAUSING
            again = (Status.PAUSED, "job.paused") if pausing else (Status.QUEUED, "job.requeued")
            self.move(*((Status.FAILED, "job.failed") if over else again))

    @property
    def answers(self) -> bool:
        """Whether it is an answer to an equal request."""
        return not self.finish and self.status in (*OPEN, Status.SUCCEEDED)


@final
class Machine(RuleBasedStateMachine):
    """Calls the ledger and the models alike; `jobs` in the order they were made, which is the order they start in."""

    ids = Bundle("ids")
    claims = Bundle("claims")

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.ledger = ledger
        self.jobs: dict[str, Model] = {}

    @rule(target=ids, fingerprint=st.sampled_from([None, "a", "b"]), max_attempts=st.integers(1, 3))
    def submit(self, fingerprint: str | None, max_attempts: int) -> Any:
        equal = {job_id: job for job_id, job in self.jobs.items() if fingerprint and job.fingerprint == fingerprint}
        done = [job_id for job_id, job in equal.items() if job.answers and job.status is Status.SUCCEEDED]
        twins = [job_id for job_id, job in equal.items() if job.answers and job.status in OPEN]
        submission = order(self.ledger, fingerprint=fingerprint, max_attempts=max_attempts)
        if done:
            assert submission.outcome == "cached"
            assert submission.job.id in done
        elif twins:
            assert submission.outcome == "twin"
            assert [submission.job.id] == twins
        else:
            assert submission.outcome == "created"
            self.jobs[submission.job.id] = Model(fingerprint, max_attempts)
            return submission.job.id
        return multiple()

    @rule(target=claims, ttl=TTL)
    def claim(self, ttl: float) -> Any:
        waiting = [job_id for job_id, job in self.jobs.items() if job.status is Status.QUEUED]
        claim = self.ledger.claim("worker", ttl)
        if not waiting:
            assert claim is None
            return multiple()
        assert claim is not None
        assert claim.job.id == waiting[0]
        job = self.jobs[waiting[0]]
        job.attempt, job.expired = job.attempt + 1, ttl == 0
        job.move(Status.RUNNING, "job.started")
        return claim

    @rule(claim=claims, ttl=TTL)
    def heartbeat(self, claim: Claim, ttl: float) -> None:
        job = self._held(claim)
        beat = self.ledger.heartbeat(claim, ttl)
        if job is None:
            assert beat == Beat(held=False)
        else:
            asked = job.status is Status.CANCELLING, job.status is Status.PAUSING, job.finish
            assert beat == Beat(True, *asked)
            job.expired = ttl == 0

    @rule(claim=claims, phase=st.sampled_from(["preparing", "distilling"]))
    def record(self, claim: Claim, phase: str) -> None:
        job = self._held(claim)
        assert self.ledger.record(claim, phase, {"done": 1}, {"loss": 1.0}, [("log", {})]) is (job is not None)
        if job is not None:
            job.phase = phase
            job.told.append("log")

    @rule(claim=claims, end=st.sampled_from(["succeed", "fail", "release", "lose", "cancelled"]))
    def end(self, claim: Claim, end: str) -> None:
        job = self._held(claim)
        running = job is not None and job.status in (Status.RUNNING, Status.PAUSING)
        if end == "succeed":
            assert self.ledger.succeed(claim, FILES, {}) is (running or self._has_succeeded(claim))
        elif end == "fail":
            assert self.ledger.fail(claim, ERROR) is running
        elif end == "release":
            assert self.ledger.release(claim, "drained") is running
        elif end == "lose":
            assert self.ledger.lose(claim, "crashed") is (job is not None)
        elif running:
            with pytest.raises(IllegalTransition):
                self.ledger.cancelled(claim)
        else:
            assert self.ledger.cancelled(claim) is (job is not None)
        if job is not None and not (running and end == "cancelled"):
            job.end(end)

    @rule(job_id=ids)
    def request_cancel(self, job_id: str) -> None:
        job = self.jobs[job_id]
        if job.status in (Status.SUCCEEDED, Status.FAILED):
            with pytest.raises(IllegalTransition):
                self.ledger.request_cancel(job_id)
            return
        self.ledger.request_cancel(job_id)
        if job.status in (Status.QUEUED, Status.PAUSED):
            job.move(Status.CANCELLED, "job.cancelled")
        elif job.status in (Status.RUNNING, Status.PAUSING):
            job.move(Status.CANCELLING, "job.cancel_requested")

    @rule(job_id=ids)
    def request_pause(self, job_id: str) -> None:
        job = self.jobs[job_id]
        if job.status not in (*OPEN, Status.PAUSING, Status.PAUSED):
            with pytest.raises(IllegalTransition):
                self.ledger.request_pause(job_id)
            return
        self.ledger.request_pause(job_id)
        if job.status is Status.QUEUED:
            job.move(Status.PAUSED, "job.paused")
        elif job.status is Status.RUNNING:
            job.move(Status.PAUSING, "job.pause_requested")

    @rule(job_id=ids)
    def resume(self, job_id: str) -> None:
        job = self.jobs[job_id]
        waits = job.status in (Status.PAUSING, Status.PAUSED)
        if not (waits or job.status in OPEN) or (waits and self._has_rival(job)):
            with pytest.raises(IllegalTransition):
                self.ledger.resume(job_id)
            return
        self.ledger.resume(job_id)
        if waits:
            paused = job.status is Status.PAUSED
            job.move(*((Status.QUEUED, "job.requeued") if paused else (Status.RUNNING, "job.resumed")))

    @rule(job_id=ids)
    def request_finish(self, job_id: str) -> None:
        job = self.jobs[job_id]
        if job.status not in (*OPEN, Status.PAUSING, Status.PAUSED):
            with pytest.raises(IllegalTransition):
                self.ledger.request_finish(job_id)
            return
        self.ledger.request_finish(job_id)
        if not job.finish or job.status not in OPEN:
            to = {Status.PAUSED: Status.QUEUED, Status.PAUSING: Status.RUNNING}.get(job.status, job.status)
            job.finish = True
            job.move(to, "job.finish_requested")

    @rule(job_id=ids)
    def retry(self, job_id: str) -> None:
        job = self.jobs[job_id]
        if job.status not in (Status.FAILED, Status.CANCELLED) or self._has_rival(job):
            with pytest.raises(IllegalTransition):
                self.ledger.retry(job_id)
            return
        self.ledger.retry(job_id)
        job.losses = 0
        job.move(Status.QUEUED, "job.requeued")

    @rule()
    def sweep(self) -> None:
        expired = {job_id: job for job_id, job in self.jobs.items() if job.status in HELD and job.expired}
        swept = self.ledger.sweep()
        for job in expired.values():
            job.end("lose")
        became = {Status.QUEUED: swept.requeued, Status.FAILED: swept.failed, Status.CANCELLED: swept.cancelled}
        became[Status.PAUSED] = swept.paused
        assert {job_id: status for status, ids in became.items() for job_id in ids} == {
            job_id: job.status for job_id, job in expired.items()
        }

    @invariant()
    def the_jobs_agree(self) -> None:
        place = 0
        found = {job.id: job for job in self.ledger.jobs(limit=200)}
        assert found.keys() == self.jobs.keys()
        for job_id, job in self.jobs.items():
            place += job.status is Status.QUEUED
            seen = found[job_id]
            assert (seen.status, seen.attempt, seen.losses) == (job.status, job.attempt, job.losses)
            assert (seen.finish_requested_at is not None) is job.finish
            assert seen.queue_position == (place if job.status is Status.QUEUED else None)
            assert seen.phase == job.phase
            assert (seen.error is not None) is (job.status is Status.FAILED)

    def teardown(self) -> None:
        try:
            self._the_histories_agree()
        finally:
            self.ledger.close()

    def _the_histories_agree(self) -> None:
        for job_id, job in self.jobs.items():
            assert [kind for kind in types(self.ledger, job_id) if kind != "progress"] == job.told
            assert bool(self.ledger.files(job_id)) is job.files is (job.status is Status.SUCCEEDED)
        counts = self.ledger.counts()
        assert counts == {status.value: sum(job.status is status for job in self.jobs.values()) for status in Status}

    def _has_rival(self, job: Model) -> bool:
        if job.fingerprint is None or job.finish:
            return False
        equal = (each for each in self.jobs.values() if each.fingerprint == job.fingerprint)
        return any(each.answers and each.status in OPEN for each in equal)

    def _held(self, claim: Claim) -> Model | None:
        job = self.jobs[claim.job.id]
        return job if job.attempt == claim.attempt and job.status in HELD else None

    def _has_succeeded(self, claim: Claim) -> bool:
        job = self.jobs[claim.job.id]
        return job.attempt == claim.attempt and job.status is Status.SUCCEEDED


def explore(machine: Callable[[], Machine], examples: int) -> None:
    """Try so many sequences, however slow the machine is; the same ones every time, so that a failure is a change's."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    how = settings(
        max_examples=examples, stateful_step_count=40, deadline=None, derandomize=True, suppress_health_check=slow
    )
    run_state_machine_as_test(machine, settings=how)  # type: ignore[arg-type]  # whatever makes a machine will do


def test_sqlite_agrees_with_the_model(sqlite_template: Path, tmp_path: Path) -> None:
    numbers = itertools.count()

    def machine() -> Machine:
        path = shutil.copy(sqlite_template, tmp_path / f"{next(numbers)}.db")
        return Machine(Ledger(f"sqlite:///{path}"))

    explore(machine, examples=25)


def test_postgresql_agrees_with_the_model(postgres_url: str, postgres: services.Postgres) -> None:
    name = postgres_url.rpartition("/")[2]

    def machine() -> Machine:
        postgres.empty(name)
        return Machine(Ledger(postgres_url))

    explore(machine, examples=8)
