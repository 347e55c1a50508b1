"""`/v1/jobs/{id}/...`: cancel, pause, resume, finish, retry and delete a job that is there."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import APIRouter, BackgroundTasks, Response

from api.jobs import unfit
from api.known_job import LOCATION, RETRY_AFTER, Known, advise, over_quota
from api.problems import Kind, ProblemError, responses, sentence
from api.schemas import Job
from api.services import Services, ServicesDep
from core import doorbell, ledger

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=responses(Kind.INVALID_REQUEST))

_OVER = responses(Kind.UNKNOWN_JOB, Kind.ALREADY_FINISHED)
_QUEUED: dict[int | str, dict[str, Any]] = {202: {"headers": LOCATION | RETRY_AFTER}}
_QUOTA = (Kind.QUOTA_EXCEEDED, Kind.TOO_MANY_REQUESTS)


@router.post("/{id}/cancel", operation_id="cancel_job", summary="Cancel a job", status_code=202, responses=_OVER)
def cancel_job(services: ServicesDep, job: Known, response: Response) -> Job:
    """A job that waits is cancelled at once; a running one is `cancelling` until its worker has stopped, in seconds.

    Asking twice is asking once. Its checkpoint is kept for a retry; to have what it has made, ask it to finish.
    """
    return _asked(services.ledger.request_cancel, job, response)


@router.post("/{id}/pause", operation_id="pause_job", summary="Pause a job", status_code=202, responses=_OVER)
def pause_job(services: ServicesDep, job: Known, response: Response) -> Job:
    """Gives its worker back: a queued job is `paused` at once; a running one is `pausing` until it is saved.

    It waits in its checkpoint, whatever is restarted meanwhile, until somebody resumes it, and then gives the result
    that it would have given anyway. It takes no place of its owner's quota, and an equal request is a new job. Asking
    twice is asking once. A job whose last step is done before it is saved succeeds instead.
    """
    return _asked(services.ledger.request_pause, job, response)


@router.post(
    "/{id}/resume",
    operation_id="resume_job",
    summary="Resume a paused job",
    status_code=202,
    responses={**_QUEUED, **responses(Kind.UNKNOWN_JOB, Kind.ALREADY_FINISHED, Kind.NOT_RESUMABLE, *_QUOTA)},
)
def resume_job(services: ServicesDep, job: Known, response: Response, after: BackgroundTasks) -> Job:
    """The job is queued again, at the place of its age. One that is queued or running stays so."""
    resume = partial(services.ledger.resume, unfit=unfit(services, job.fingerprint, job.owner))
    return _opened(services, resume, job, response, after, Kind.ALREADY_FINISHED)


@router.post(
    "/{id}/finish",
    operation_id="finish_job",
    summary="End a job early, with a result",
    status_code=202,
    responses={**_QUEUED, **responses(Kind.UNKNOWN_JOB, Kind.ALREADY_FINISHED, *_QUOTA)},
)
def finish_job(services: ServicesDep, job: Known, response: Response, after: BackgroundTasks) -> Job:
    """Distilling ends where it is, and the best validated images so far become a whole artifact, evaluated as ever.

    Its report says at which step it was ended, and leaves out what an evaluation can be without: a reference on the
    full data that is not there yet, unseen architectures, coverage, neighbours. A job that has distilled nothing yet
    ends with the images it begins with, as soon as there are some; so does one that is queued, once a worker has it. A
    paused one is queued. Asking twice is asking once. The result is no answer to an equal request.
    """
    return _opened(services, services.ledger.request_finish, job, response, after, Kind.ALREADY_FINISHED)


@router.post(
    "/{id}/retry",
    operation_id="retry_job",
    summary="Queue a failed or cancelled job again",
    status_code=202,
    responses={**_QUEUED, **responses(Kind.UNKNOWN_JOB, Kind.NOT_RETRYABLE, Kind.RESULTS_FULL, *_QUOTA)},
)
def retry_job(services: ServicesDep, job: Known, response: Response, after: BackgroundTasks) -> Job:
    """A new attempt of the same job, which keeps its id, its events and whatever checkpoint is left.

    One that was asked to finish still is. Refused where an upload that it reads, or the result that it goes on from,
    was deleted.
    """
    damaged = unfit(services, job.fingerprint, job.owner)
    retry = partial(services.ledger.retry, room=services.settings.max_result_bytes, unfit=damaged)
    return _opened(services, retry, job, response, after, Kind.NOT_RETRYABLE)


@router.delete(
    "/{id}",
    operation_id="delete_job",
    summary="Delete a job that is over",
    status_code=204,
    responses=responses(Kind.UNKNOWN_JOB, Kind.JOB_ACTIVE),
)
def delete_job(services: ServicesDep, job: Known) -> None:
    """The job with its events, its files, its pictures and its checkpoint, for good.

    Of its objects in the store those stay that another job's files or pictures are, too. A worker deletes the
    checkpoint the next time it tidies up. Refused with 409 while the job is not over, or one that
    goes on from it is not: cancel that first.
    """
    try:
        with services.parting(job.id):
            services.ledger.delete(job.id, services.store.delete)
    except ledger.IllegalTransition as error:
        hint = "Cancel that job first, POST /v1/jobs/{id}/cancel, and wait until it is over."
        raise ProblemError(Kind.JOB_ACTIVE, sentence(error), hint=hint) from None


def _opened(
    services: Services,
    ask: Callable[[str, int | None], ledger.Job],
    job: ledger.Job,
    response: Response,
    after: BackgroundTasks,
    refused: Kind,
) -> Job:
    """The job after a request that may put it into the queue."""
    try:
        shown = _asked(lambda job_id: ask(job_id, services.settings.max_open_jobs), job, response, refused)
    except (ledger.QuotaExceeded, ledger.ResultsFull) as error:
        raise over_quota(error) from None
    if shown.status == "queued":
        after.add_task(doorbell.ring, services.settings)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return shown


def _asked(
    ask: Callable[[str], ledger.Job], job: ledger.Job, response: Response, refused: Kind = Kind.ALREADY_FINISHED
) -> Job:
    try:
        job = ask(job.id)
    except ledger.IllegalTransition as error:
        if error.status is None and refused is Kind.ALREADY_FINISHED:
            refused = Kind.NOT_RESUMABLE
        raise ProblemError(refused, sentence(error), hint=_way_on(job.id, error.status)) from None
    except ledger.SourceGone as error:
        raise ProblemError(refused, sentence(error), hint=error.fix) from None
    advise(response, job)
    return Job.of(job)


def _way_on(job_id: str, status: ledger.Status | None) -> str:
    """The sentence that says what can be asked of a job that cannot be moved as it was asked to."""
    match status:
        case None:
            return "Wait for the other job, which gives the same result, or cancel it first."
        case ledger.Status.SUCCEEDED:
            return f"Its result is at GET /v1/jobs/{job_id}/files."
        case ledger.Status.FAILED | ledger.Status.CANCELLED:
            return f"POST /v1/jobs/{job_id}/retry queues it again, where its checkpoint ends if it has one."
        case ledger.Status.CANCELLING:
            return f"Wait until it is cancelled; then POST /v1/jobs/{job_id}/retry queues it again."
        case ledger.Status.PAUSED | ledger.Status.PAUSING:
            return f"POST /v1/jobs/{job_id}/resume lets it go on."
        case _:
            return f"Wait for its result; to stop it, POST /v1/jobs/{job_id}/cancel."
