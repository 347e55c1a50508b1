"""`/system`: the workers, the queue, and the files kept on this machine."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.dashboard.fared import fared
from api.dashboard.rendering import page
from api.services import Services, ServicesDep
from core.advice.curves import LEVEL
from core.advice.hits import coverage

_MOST_FILES: Final = 20_000
_SHOWN: Final = 20  # results beside what was advised

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/system")
def show_system(request: Request, services: ServicesDep) -> HTMLResponse:
    """Workers by their last sign of life, jobs by state, folders by size."""
    settings, advised = services.settings, fared(services)
    kept = {
        "Datasets": settings.datasets,
        "Artifacts and pictures": settings.home / "store",
        "Experts and references": settings.experts,
        "Running jobs": settings.jobs,
    }
    return page(
        request,
        "system.html",
        now=datetime.now(UTC),
        workers=sorted(services.ledger.workers(None), key=lambda worker: worker.last_seen, reverse=True),
        patience=settings.lease_ttl,
        counts=services.ledger.counts(),
        running={job.worker_id: job for job in services.ledger.jobs(status="running", limit=200)},
        checks={"ledger": services.ledger.ready()},
        trigger="a broker's doorbell" if settings.broker_url else "polling",
        kept={name: weigh(path) for name, path in kept.items() if path.is_dir()},
        advised=advised[:_SHOWN],
        compared=len(advised),
        held=coverage([each.hit for each in advised]),
        level=LEVEL,
        owners=services.ledger.keeping.by_owner(_whose(services)),
        limits=None if settings.auth == "off" else (settings.max_result_bytes, settings.max_stored_bytes),
        cache_limit=settings.expert_cache_bytes,
        remote=settings.store_url,
    )


def _whose(services: Services) -> str | None:
    """The owner whose share of the store is shown; None: each owner's, to an administrator."""
    caller = services.caller
    return None if caller is None or caller.allows("admin") else caller.owner


def weigh(folder: Path) -> tuple[int, int]:
    """Files below a folder and their bytes; of a very large one, of the first files found."""
    files = size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                size += (Path(place) / name).stat().st_size
            except OSError:  # it has just gone
                continue
            files += 1
        if files >= _MOST_FILES:
            break
    return files, size
