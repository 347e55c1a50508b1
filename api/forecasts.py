"""`/v1/forecasts`: what a job would cost."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Response

from api.forecast_request import forecast_request
from api.jobs import EXAMPLES, json_only
from api.problems import Kind, header, responses
from api.services import ServicesDep
from api.submission import prepare
from core.forecast import Forecast
from core.request import JobOrder

router = APIRouter(prefix="/v1/forecasts", tags=["forecasts"])

_RETRY_AFTER = header("Retry-After", "While no worker has calibrated: seconds until asking again makes sense.")


@router.post(
    "",
    operation_id="create_forecast",
    summary="Ask what a job would cost",
    dependencies=[Depends(json_only)],
    responses={
        200: {"headers": _RETRY_AFTER},
        **responses(Kind.MALFORMED_BODY, Kind.BODY_TOO_LARGE, Kind.UNSUPPORTED_MEDIA_TYPE, Kind.INVALID_REQUEST),
    },
)
def create_forecast(
    services: ServicesDep, response: Response, order: Annotated[JobOrder, Body(openapi_examples=EXAMPLES)]
) -> Forecast:
    """Seconds by phase with error bars, memory and bytes of a job with this body; queues nothing.

    Arithmetic is counted from the recipe and priced by a short measurement of the workers' hardware, which each worker
    makes once, while it is idle; jobs that ran there before correct the prediction and give the error bars. Waiting in
    the queue is not part of it. Memory, bytes and work are known without any worker; then `seconds` is null.
    """
    forecast = forecast_request(services, prepare(order, services.catalogue))
    if forecast.seconds is None:
        response.headers["Retry-After"] = "10"
    return forecast
