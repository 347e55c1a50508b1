"""`/healthz`, `/readyz`, `/metrics`: routes for the people who keep the service running."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import generate_latest

from api.disk import LEAST_FREE, free_bytes
from api.problems import Kind, ProblemError, responses
from api.schemas import Health, Readiness
from api.services import Services, ServicesDep
from core.masks import masked

VERSION = version("stillhouse")

router = APIRouter(tags=["operations"])

_EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/healthz", operation_id="get_health", summary="Is the process alive?")
async def get_health() -> Health:
    """Answers as long as the process does; touches nothing else, and needs none of the threads that wait for others."""
    return Health(version=VERSION)


@router.get(
    "/readyz", operation_id="get_readiness", summary="Can the service take work?", responses=responses(Kind.NOT_READY)
)
def get_readiness(services: ServicesDep) -> Readiness:
    """Whether the database answers with the right schema and the artifact store can be written (some seconds ago).

    Workers and broker are reported and fail nothing: without them jobs are accepted and wait.
    """
    checks = {"ledger": services.ledger.ready(), "store": _store(services), "disk": _disk(services)}
    failing = [name for name, check in checks.items() if not check["ready"]]
    if failing:
        raise ProblemError(
            Kind.NOT_READY,
            "; ".join(f"{name}: {checks[name]['detail']}" for name in failing),
            hint="The operator should look at what `checks` says.",
            headers={"Retry-After": "5"},
            checks=checks,
        )
    alive = services.ledger.workers(seen_within=services.settings.lease_ttl)
    workers = {"alive": len(alive), "devices": sorted(worker.device for worker in alive)}
    trigger = "doorbell" if services.settings.broker_url else "polling"
    return Readiness(ready=True, checks={**checks, "workers": workers, "trigger": trigger})


@router.get(
    "/metrics",
    operation_id="get_metrics",
    summary="Numbers for Prometheus",
    response_class=Response,
    responses={
        200: {"description": "Prometheus text format.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    },
)
def get_metrics(services: ServicesDep) -> Response:
    """Counts of this process's answers, and the state of the whole service by its ledger."""
    return Response(generate_latest(services.metrics.registry), media_type=_EXPOSITION)


def _store(services: Services) -> dict[str, Any]:
    trouble = services.probe.trouble()
    return {"ready": trouble is None, "detail": trouble and masked(trouble)}


def _disk(services: Services) -> dict[str, Any]:
    free = free_bytes(services.settings.home)
    if free < LEAST_FREE:
        return {"ready": False, "detail": f"{free >> 20} MiB are free where STILLHOUSE_HOME is."}
    return {"ready": True, "detail": None}
