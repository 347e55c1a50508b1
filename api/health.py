"""`/healthz`, `/readyz`, `/metrics`: routes for the people who keep the service running."""

from __future__ import annotations

import shutil
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import generate_latest

from api.house import Here, House
from api.problems import Kind, ProblemError, responses
from api.schemas import Health, Readiness
from core.masks import masked

VERSION = version("stillhouse")

router = APIRouter(tags=["operations"])

_LEAST_FREE = 64 << 20
"""Bytes free in HOME without which the service is not ready: an upload or a checkpoint would soon fail."""

_EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/healthz", operation_id="get_health", summary="Is the process alive?")
async def get_health() -> Health:
    """Answers as long as the process does; touches nothing else, and needs none of the threads that wait for others."""
    return Health(version=VERSION)


@router.get(
    "/readyz", operation_id="get_readiness", summary="Can the service take work?", responses=responses(Kind.NOT_READY)
)
def get_readiness(house: Here) -> Readiness:
    """Whether the database answers with the right schema and the artifact store can be written (some seconds ago).

    Workers and broker are reported and fail nothing: without them jobs are accepted and wait.
    """
    checks = {"ledger": house.ledger.ready(), "store": _store(house), "disk": _disk(house)}
    failing = [name for name, check in checks.items() if not check["ready"]]
    if failing:
        raise ProblemError(
            Kind.NOT_READY,
            "; ".join(f"{name}: {checks[name]['detail']}" for name in failing),
            hint="The operator should look at what `checks` says.",
            headers={"Retry-After": "5"},
            checks=checks,
        )
    alive = house.ledger.workers(seen_within=house.settings.lease_ttl)
    workers = {"alive": len(alive), "devices": sorted(worker.device for worker in alive)}
    trigger = "doorbell" if house.settings.broker_url else "polling"
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
def get_metrics(house: Here) -> Response:
    """Counts of this process's answers, and the state of the whole service by its ledger."""
    return Response(generate_latest(house.metrics.registry), media_type=_EXPOSITION)


def _store(house: House) -> dict[str, Any]:
    trouble = house.probe.trouble()
    return {"ready": trouble is None, "detail": trouble and masked(trouble)}


def _disk(house: House) -> dict[str, Any]:
    home = house.settings.home.absolute()
    free = shutil.disk_usage(next(folder for folder in (home, *home.parents) if folder.exists())).free
    if free < _LEAST_FREE:
        return {"ready": False, "detail": f"{free >> 20} MiB are free where STILLHOUSE_HOME is."}
    return {"ready": True, "detail": None}
