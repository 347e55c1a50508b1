"""The job that an operation is about, and what the operations on jobs say alike."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Response

from api.problems import Kind, ProblemError, header, sentence
from api.services import ServicesDep
from core import ledger

LOCATION = header("Location", "The job's path.")
RETRY_AFTER = header("Retry-After", "While the job is queued or running: seconds until looking again makes sense.")


def known_job(
    job_id: Annotated[str, Path(alias="id", description="The job's id.")], services: ServicesDep
) -> ledger.Job:
    """The job whose id is in the path."""
    return services.ledger.job(job_id)


Known = Annotated[ledger.Job, Depends(known_job)]
"""Parameter of an operation: the job whose id is in the path; 404 when there is none."""


def over_quota(error: ledger.QuotaExceeded | ledger.ResultsFull) -> ProblemError:
    """The refusal of an owner who has as many open jobs as they may, or as many bytes of results."""
    if isinstance(error, ledger.ResultsFull):
        return ProblemError(
            Kind.RESULTS_FULL,
            sentence(error),
            hint="Delete jobs that are not needed any more, with DELETE /v1/jobs/{id} or `stillhouse delete JOB`, or "
            "cancel open ones: "
            "GET /v1/jobs?status=succeeded&sort=oldest lists the oldest first.",
            allowed=error.allowed,
            current=error.current,
        )
    return ProblemError(
        Kind.QUOTA_EXCEEDED,
        sentence(error),
        hint="Wait until one has ended, or pause or cancel one: GET /v1/jobs?status=queued.",
        headers={"Retry-After": "30"},
        allowed=error.allowed,
        current=error.current,
    )


def advise(response: Response, job: ledger.Job) -> None:
    """Tell pollers when to look again."""
    if job.status == "queued":
        response.headers["Retry-After"] = "5"
    elif job.status == "paused":
        response.headers["Retry-After"] = "30"
    elif job.status not in ledger.ENDED:
        whole = ledger.remaining(job.phase, job.progress, job.forecast)
        eta = whole or ledger.phase_remaining(job.phase, job.progress) or 0
        response.headers["Retry-After"] = str(int(min(max(eta / 20, 2), 30)))
