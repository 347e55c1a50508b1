"""The application: the house, its middleware, its routers."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from api import artifacts, datasets, events, forecasts, health, jobs, keys, methods, openapi, refusals, uploads
from api.auth import Gate
from api.dashboard import PAGES, static
from api.house import House
from api.middleware import Frame
from core.settings import Settings, settings

log = structlog.stdlib.get_logger(__name__)


def create_app(configuration: Settings | None = None) -> FastAPI:
    """The service's application; connects to nothing until it is started.

    Args:
        configuration: default: the process's settings, from the environment.
    """
    house = House.open(configuration or settings())
    app = FastAPI(lifespan=_lifespan, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.house = house
    app.add_middleware(Gate, house=house)
    app.add_middleware(Frame, metrics=house.metrics, settings=house.settings)
    for room in (jobs, forecasts, events, artifacts, datasets, uploads, methods, keys, health, *PAGES):
        app.include_router(room.router)
    app.mount("/static", static)
    refusals.install(app)
    openapi.install(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    house: House = app.state.house
    await run_in_threadpool(house.ledger.migrate)
    if house.settings.auth == "off" and not _is_loopback(house.settings.host):
        log.warning(
            "open to the network without authentication",
            host=house.settings.host,
            fix="set STILLHOUSE_AUTH=keys, or STILLHOUSE_HOST=127.0.0.1, or put a proxy that authenticates before it",
        )
    await run_in_threadpool(house.inspector.resume)
    yield
    house.closing.set()
    await run_in_threadpool(house.inspector.close)
    house.ledger.close()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
