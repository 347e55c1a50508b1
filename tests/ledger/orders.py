"""Short ways to the states the tests of the ledger start from."""

from __future__ import annotations

import itertools
from typing import Any

from core.ledger import Claim, File, Job, Ledger, Status, Submission

FILES = [
    File("manifest.json", 20, "b" * 64, "application/json"),
    File("README.md", 10, "a" * 64, "text/markdown"),
]
ERROR = {
    "code": "engine_error",
    "type": "ZeroDivisionError",
    "message": "division by zero",
    "phase": "distilling",
    "hint": "Use another method.",
}
LONG = 3600.0
"""A lease, in seconds, that no test outlives."""

_numbers = itertools.count()


def order(ledger: Ledger, **changes: Any) -> Submission:
    """Submit a job that nothing else resembles, but for the changes."""
    number = next(_numbers)
    fields: dict[str, Any] = {
        "request": {"dataset": "digits", "ipc": 1},
        "recipe": {"objective": {"kind": "trajectory"}},
        "dataset": "digits",
        "method": "mtt",
        "ipc": 1,
        "seed": number,
        "fingerprint": f"sha256:{number}",
    }
    return ledger.submit(**(fields | changes))


def queued(ledger: Ledger, **changes: Any) -> Job:
    """A new job that waits."""
    submission = order(ledger, **changes)
    assert submission.outcome == "created"
    return submission.job


def running(ledger: Ledger, worker_id: str = "worker", ttl: float = LONG, **changes: Any) -> Claim:
    """A new job that a worker holds. Nothing else may be waiting."""
    job = queued(ledger, **changes)
    claim = ledger.claim(worker_id, ttl)
    assert claim is not None
    assert claim.job.id == job.id
    return claim


def standing(ledger: Ledger, status: Status, **changes: Any) -> tuple[Job, Claim | None]:
    """A new job of this status, and its worker's claim if it ever had one. Nothing else may be waiting."""
    if status in (Status.QUEUED, Status.PAUSED):
        job = queued(ledger, **changes)
        return (job if status is Status.QUEUED else ledger.request_pause(job.id)), None
    claim = running(ledger, **changes)
    if status is Status.PAUSING:
        ledger.request_pause(claim.job.id)
    if status in (Status.CANCELLING, Status.CANCELLED):
        ledger.request_cancel(claim.job.id)
    if status is Status.CANCELLED:
        assert ledger.cancelled(claim)
    if status is Status.SUCCEEDED:
        assert ledger.succeed(claim, FILES, {"accuracy": 0.9})
    if status is Status.FAILED:
        assert ledger.fail(claim, ERROR)
    job = ledger.job(claim.job.id)
    assert job.status is status
    return job, claim


def types(ledger: Ledger, job_id: str) -> list[str]:
    """The types of a job's events, in order, after checking that the events' numbers have no gap."""
    events = ledger.events(job_id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    return [event.type for event in events]
