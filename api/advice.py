"""`/v1/advice`: whether a job is worth it, and how many images it takes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Body, Depends, Response

from api.auth import check_scope
from api.forecast_request import hardware
from api.jobs import json_only, unfit
from api.known_job import advise, over_quota
from api.measurements import known
from api.problems import Kind, ProblemError, header, invalid, responses, sentence
from api.schemas import Job
from api.services import Services, ServicesDep
from core import doorbell, ledger
from core.advice.answer import Advice
from core.advice.measured import Measured
from core.advice.order import KIND, AdviceOrder, Question, fingerprint, question
from core.advice.study import METHOD, measurable, study
from core.advice.verdict import answer, labelled
from core.data import DatasetFacts, DatasetInvalid, UnknownDataset
from core.forecast import forecast_job
from core.nouns import worded
from core.overrides import override
from core.recipe import FieldError, RecipeError

router = APIRouter(prefix="/v1/advice", tags=["advice"])

EXAMPLES: dict[str, Any] = {
    "size": {
        "summary": "Twenty images a class: distilled, or rather real ones?",
        "value": {"dataset": "digits", "ipc": 20, "within": "40m"},
    },
    "target": {
        "summary": "The fewest images for 80 % accuracy",
        "value": {"dataset": "digits", "target": {"accuracy": 0.8}},
    },
    "bytes": {"summary": "As many images as fit", "value": {"dataset": "digits", "bytes": "20 kB", "labels": "soft"}},
}

_LOCATION = header("Location", "The path of the job that measures.")
_RETRY_AFTER = header("Retry-After", "Seconds until looking again makes sense.")


@router.post(
    "",
    operation_id="create_advice",
    summary="Ask whether a job is worth it",
    response_model=None,
    dependencies=[Depends(json_only)],
    responses={
        200: {"model": Advice, "description": "The advice, from measurements that were made before."},
        202: {
            "model": Job,
            "description": "A job measures, minutes long; ask again once it has succeeded.",
            "headers": _LOCATION | _RETRY_AFTER,
        },
        **responses(
            Kind.MALFORMED_BODY,
            Kind.BODY_TOO_LARGE,
            Kind.UNSUPPORTED_MEDIA_TYPE,
            Kind.INVALID_REQUEST,
            Kind.QUOTA_EXCEEDED,
            Kind.TOO_MANY_REQUESTS,
        ),
    },
)
def create_advice(
    services: ServicesDep,
    response: Response,
    after: BackgroundTasks,
    order: Annotated[AdviceOrder, Body(openapi_examples=EXAMPLES)],
) -> Advice | Job:
    """Says what distilled and real images reach, how many real ones do the same, and a verdict in a sentence.

    The first question on a dataset queues a job that measures on its training and validation split: networks on random
    real images of a ladder of sizes and on easier ones, and a few short distillations. Every later question on the same
    content and kind of labels, whatever its target, is answered from these measurements at once. Intervals are to hold
    four of five results. What the measurements do not support is null, and `reasons` says why.
    """
    facts, asked = understood(services, order)
    mark = fingerprint(facts.digest, order.labels) if facts.digest else None
    found = known(services, mark) if mark else None
    if found is not None:
        return advice(services, facts, asked, *found)
    if services.caller is not None:
        check_scope(services.caller, "jobs:write")
    calibration = hardware(services)
    price = calibration.price if calibration else None
    wanted = study(facts, order.labels, services.settings.advice_seconds, price)
    try:
        submission = services.ledger.submit(
            request={"kind": KIND, "dataset": facts.name, "labels": order.labels},
            recipe=wanted.model_dump(mode="json"),
            dataset=facts.name,
            method=KIND,
            ipc=0,
            seed=0,
            fingerprint=mark,
            max_attempts=services.settings.max_attempts,
            max_open=services.settings.max_open_jobs,
            room=services.settings.max_result_bytes,
            unfit=unfit(services, mark),
            dataset_title=None if facts.label == facts.name else facts.label,
            dataset_digest=facts.digest,
        )
    except (ledger.QuotaExceeded, ledger.ResultsFull) as error:
        raise over_quota(error) from None
    services.metrics.submissions.labels(submission.outcome).inc()
    job = submission.job
    if job.status == ledger.Status.SUCCEEDED:
        raise ProblemError(Kind.NOT_READY, "The store does not give out the measurements now.", hint="Try again.")
    if submission.outcome == "created":
        after.add_task(doorbell.ring, services.settings)
    response.status_code = 202
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    advise(response, job)
    return Job.of(job)


def understood(services: Services, order: AdviceOrder) -> tuple[DatasetFacts, Question]:
    """The facts of the dataset that is meant, and the question on it.

    Raises:
        ProblemError: INVALID_REQUEST, naming every field at fault and its fix.
    """
    try:
        facts = services.catalogue.facts(services.catalogue.named(order.dataset))
        if facts.classes < 2:
            raise RecipeError([_ONE_CLASS])
        if not measurable(facts):
            raise RecipeError([_LINES])
        return facts, question(order, facts)
    except (UnknownDataset, DatasetInvalid) as error:
        fix = "GET /v1/datasets lists the names that can be used."
        raise invalid([FieldError("dataset", sentence(error), fix)]) from None
    except RecipeError as error:
        raise invalid(error.errors) from None


def advice(services: Services, facts: DatasetFacts, asked: Question, job_id: str, measured: Measured) -> Advice:
    """The answer to a question from these measurements, with the price of the job on the workers there are."""

    def seconds(ipc: int) -> float | None:
        calibration = hardware(services)
        if calibration is None:
            return None
        asked = {"evaluation.full": None, "evaluation.seeds": 5, **labelled(measured)}
        recipe = override(measured.study.recipe, asked)
        forecast = forecast_job(services.ledger, recipe, facts, ipc, METHOD, calibration, services.catalogue.facts)
        return forecast.seconds.expected if forecast.seconds else None

    own = measured.model_copy(update={"dataset": facts.name})  # which may have another name than where it was measured
    found = answer(asked, own, seconds, facts.label)
    said = {
        "sentence": worded(found.sentence, facts.kind),
        "reasons": tuple(worded(each, facts.kind) for each in found.reasons),
    }
    return found.model_copy(update={"job": job_id, **said})


_ONE_CLASS = FieldError(
    "dataset",
    "Its images are of one class: networks have nothing to tell apart, and any set trains them to 100 %.",
    "Take a dataset of two classes or more.",
)
_LINES = FieldError(
    "dataset",
    "Its images are lines of pixels, which the network that advice measures with does not read.",
    "Ask for a job with network.kind 'mlp', or take images of 2 x 2 pixels or more.",
)
