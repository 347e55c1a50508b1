"""The wait for a job's end."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Protocol

from stillhouse.errors import JobCancelled, JobFailed, WaitTimeout
from stillhouse.jobs import Job

Watch = Callable[[Job], None]
"""Called with the job as it is, again and again."""


class Look(Protocol):
    """A look at a job: as it is now, or as soon as its status changes within `wait` seconds."""

    def __call__(self, job_id: str, *, wait: float | None = None) -> Job: ...


def ended(look: Look, job_id: str, timeout: float | None, watch: Watch | None) -> Job:
    """The job when it has succeeded; until then `watch` sees it about once a second.

    Raises:
        JobFailed, JobCancelled: how else it may end.
        WaitTimeout: `timeout` seconds are over; the job goes on.
    """
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    longest = 30 if watch is None else 1
    job = look(job_id)
    while True:
        if watch:
            watch(job)
        match job.status:
            case "succeeded":
                return job
            case "cancelled":
                raise JobCancelled(job_id)
            case "failed":
                raise JobFailed(job_id, job.error or {})
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise WaitTimeout(job_id, timeout or 0.0)
        job = look(job_id, wait=min(longest, remaining))
