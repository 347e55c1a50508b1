"""`/v1/jobs`: submit, look, wait."""

from __future__ import annotations

from typing import Annotated, Any

import structlog
from fastapi import APIRouter, BackgroundTasks, Body, Depends, Header, Query, Request, Response

from api import streaming
from api.continuation import Earlier
from api.forecast_request import fitted_request
from api.known_job import LOCATION, RETRY_AFTER, Known, advise, over_quota
from api.problems import Kind, ProblemError, header, invalid, responses, sentence
from api.schemas import Job
from api.services import Services, ServicesDep
from api.shown_jobs import shown
from api.submission import body_hash, prepare
from core import doorbell, ledger
from core.forecast import needed
from core.recipe import FieldError
from core.request import JobOrder

log = structlog.stdlib.get_logger(__name__)

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=responses(Kind.INVALID_REQUEST))

EXAMPLES: dict[str, Any] = {
    "digits": {
        "summary": "Ten images of handwritten digits, one per class",
        "value": {"dataset": "digits", "ipc": 1, "method": "mtt"},
    },
    "ratio": {
        "summary": "A tenth of the dataset",
        "value": {"dataset": "digits", "ratio": 0.1, "method": "random"},
    },
    "within": {
        "summary": "The best that twenty minutes allow",
        "value": {"dataset": "fashion-mnist", "ipc": 10, "method": "mtt", "within": "20m"},
    },
    "target": {
        "summary": "As few images as reach 80 %",
        "value": {"dataset": "digits", "target": {"accuracy": 0.8}, "within": "10m"},
    },
    "overridden": {
        "summary": "Another schedule, and ten networks to judge it",
        "value": {
            "dataset": "cifar10",
            "ipc": 10,
            "method": "mtt",
            "overrides": {"schedule.steps": 2000, "objective.syn_steps": 20},
            "evaluation": {"seeds": 10},
            "seed": 7,
        },
    },
    "named": {
        "summary": "With words to find the job by",
        "value": {
            "dataset": "digits",
            "ipc": 1,
            "method": "mtt",
            "metadata": {"name": "baseline", "commit": "3f2c1a9"},
        },
    },
}

_REPLAYED = header("Idempotent-Replayed", "`true` when the Idempotency-Key has been answered before.")


async def json_only(content_type: Annotated[str, Header(include_in_schema=False)] = "") -> None:
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise ProblemError(
            Kind.UNSUPPORTED_MEDIA_TYPE,
            f"The body is declared as '{kind}'." if kind else "The body has no Content-Type.",
            hint="Send `Content-Type: application/json`.",
        )


@router.post(
    "",
    operation_id="create_job",
    summary="Ask for a distilled dataset",
    status_code=202,
    response_model=Job,
    dependencies=[Depends(json_only)],
    responses={
        200: {
            "model": Job,
            "description": "An equal request of yours has been answered before; this is its job.",
            "headers": LOCATION | _REPLAYED,
        },
        202: {
            "description": "The job is queued, or an equal one is under way; `Location` says where.",
            "headers": LOCATION | _REPLAYED | RETRY_AFTER,
        },
        **responses(
            Kind.MALFORMED_BODY,
            Kind.BODY_TOO_LARGE,
            Kind.UNSUPPORTED_MEDIA_TYPE,
            Kind.INVALID_REQUEST,
            Kind.IDEMPOTENCY_CONFLICT,
            Kind.QUOTA_EXCEEDED,
            Kind.RESULTS_FULL,
            Kind.TOO_MANY_REQUESTS,
        ),
    },
)
def create_job(
    services: ServicesDep,
    response: Response,
    after: BackgroundTasks,
    order: Annotated[JobOrder, Body(openapi_examples=EXAMPLES)],
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            pattern=r"^[\x20-\x7e]*$",
            description="Any unique text; the same body with the same key within 24 hours is one job, also where what "
            "the body names is gone by then.",
        ),
    ] = None,
) -> Job:
    """Queues a job, or finds the one that already answers the question.

    How small is said by `ipc`, images per class, or by `ratio`, its share of what the smallest class holds for
    distillation; the job shows the ipc. With a `target` the smallest set is looked for that reaches it on the
    validation split, in twenty minutes if `within` says no other time; the job shows where that begins, and then what
    it found. With `within` the method's recipe is made smaller until it ends in that time, restarts included; the job
    shows the recipe, and its forecast what was given up. Equal requests on equal data share a fingerprint. If such a
    job of the same owner has succeeded and its files are still what they were, it is the answer (200, `cached`); if one
    is queued or running, it is the answer too (202), and tells a `webhook` that is named now as well. While it is
    queued it takes a `priority` and a `runs_on` that are said now; the answer shows those that hold. What other owners
    have asked for plays no part. Everything in the request is checked now, so that an accepted job fails only for
    reasons that lie outside it. `overrides` changes any field of the method's recipe by its path;
    `GET /v1/methods/{name}` holds the schema.
    """
    try:
        known = services.ledger.replay(idempotency_key, body_hash(order)) if idempotency_key is not None else None
        submission = known or _submitted(services, order, idempotency_key)  # what it names may be gone by now
    except ledger.IdempotencyConflict:
        raise ProblemError(
            Kind.IDEMPOTENCY_CONFLICT,
            "This Idempotency-Key came with another body before.",
            hint="Use a fresh key for a new request, or repeat the old request unchanged.",
        ) from None
    services.metrics.submissions.labels(submission.outcome).inc()
    job = submission.job
    moved = submission.outcome == "twin" and "runs_on" in order.model_fields_set  # other workers may have it now
    if submission.outcome == "created" or moved:
        after.add_task(doorbell.ring, services.settings)
    if submission.outcome == "replayed":
        response.headers["Idempotent-Replayed"] = "true"
    if job.status == "succeeded":
        response.status_code = 200
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    advise(response, job)
    return Job.of(job, cached=submission.outcome == "cached")


@router.get(
    "/{id}",
    operation_id="get_job",
    summary="Look at a job, or wait for it",
    responses={200: {"headers": RETRY_AFTER}, **responses(Kind.UNKNOWN_JOB)},
)
async def get_job(
    services: ServicesDep,
    job: Known,
    request: Request,
    response: Response,
    wait: Annotated[float, Query(ge=0, le=60, description="Seconds to wait for another status.")] = 0,
) -> Job:
    """The job as it is; with `wait`, as soon as its status changes or the time is up.

    A queued or running job comes with `Retry-After`, the seconds after which looking again makes sense.
    """
    if wait:
        with services.metrics.waits.track_inprogress():
            job = await streaming.changed(services, job, wait, request)
    advise(response, job)
    return shown(job)


def _submitted(services: Services, order: JobOrder, idempotency_key: str | None) -> ledger.Submission:
    """The job that answers an order, once everything in it is checked.

    Raises:
        ProblemError: it is not valid, or its owner's quota or room is used up.
        IdempotencyConflict: the key came with another body a moment ago.
    """
    ready, forecast = fitted_request(
        services, prepare(order, services.catalogue, Earlier(services.ledger, services.store))
    )
    damaged = unfit(services, ready.fingerprint)
    webhook_id = named_webhook(services, order.webhook)
    try:
        return services.ledger.submit(
            request=ready.request,
            recipe=ready.recipe.model_dump(mode="json"),
            dataset=ready.request["dataset"],
            method=order.method,
            ipc=ready.request["ipc"],
            seed=order.seed,
            fingerprint=ready.fingerprint,
            max_attempts=services.settings.max_attempts,
            idempotency_key=idempotency_key,
            body_hash=ready.body_hash,
            forecast=forecast.model_dump(mode="json"),
            max_open=services.settings.max_open_jobs,
            room=services.settings.max_result_bytes,
            unfit=damaged,
            dataset_title=None if ready.facts.label == ready.facts.name else ready.facts.label,
            dataset_digest=ready.facts.digest,
            metadata=ready.metadata,
            webhook_id=webhook_id,
            needs=_needs(order, needed(ready.recipe, ready.facts, ready.request["ipc"])),
        )
    except (ledger.QuotaExceeded, ledger.ResultsFull) as error:
        raise over_quota(error) from None


def _needs(order: JobOrder, memory_bytes: int) -> ledger.Needs:
    """The order's word on the queue, and which part of it the client has said."""
    fields = {"priority": "priority", "runs_on": "device"}
    said = frozenset(fields[name] for name in order.model_fields_set & fields.keys())
    return ledger.Needs(order.priority, order.runs_on, memory_bytes, said)


def named_webhook(services: Services, word: str) -> str | None:
    """The id of the webhook that an order names by its id or its address; None where it names none.

    Raises:
        ProblemError: the caller has no such webhook.
    """
    try:
        return services.ledger.webhooks.called(word).id if word else None
    except ledger.UnknownWebhook as error:
        fix = "Make it, POST /v1/webhooks, whose answer has its id and its secret, or leave webhook out."
        raise invalid([FieldError("webhook", sentence(error), fix)]) from None


def unfit(services: Services, fingerprint: str | None, owner: str | None = None) -> str | None:
    """The id of a finished job that cannot answer an equal request, since the store has lost or damaged its files.

    It is a job of this owner's; None: of the caller's.
    """
    own = services.ledger if owner is None else services.ledger.within(ledger.Reach(owner, everything=False))
    found = own.answer(fingerprint) if fingerprint else None
    if found is None:
        return None
    job_id, files = found
    try:
        damaged = [file.name for file in files if not services.store.intact(file.sha256, file.bytes)]
    except OSError:  # the store is away, which says nothing of what it holds
        return None
    if not damaged:
        return None
    log.error("a finished job's files are damaged or gone; an equal request is done anew", job=job_id, files=damaged)
    return job_id
