"""The application: its services, its middleware, its routers."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from api import (
    advice,
    artifacts,
    by_digest,
    datasets,
    events,
    exception_handlers,
    forecasts,
    health,
    job_requests,
    jobs,
    keys,
    links,
    listing,
    methods,
    openapi,
    uploads,
    webhooks,
)
from api.auth import AuthMiddleware
from api.dashboard import PAGES, static
from api.middleware import RequestMiddleware
from api.services import Services
from core.settings import Settings, settings

log = structlog.stdlib.get_logger(__name__)


def create_app(configuration: Settings | None = None) -> FastAPI:
    """The service's application; connects to nothing until it is started.

    Args:
        configuration: default: the process's settings, from the environment.
    """
    services = Services.open(configuration or settings())
    app = FastAPI(lifespan=_lifespan, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.services = services
    app.add_middleware(AuthMiddleware, services=services)
    app.add_middleware(RequestMiddleware, metrics=services.metrics, settings=services.settings)
    for module in (
        jobs,
        listing,
        job_requests,
        forecasts,
        advice,
        events,
        artifacts,
        by_digest,
        datasets,
        uploads,
        methods,
        keys,
        links,
        webhooks,
        health,
        *PAGES,
    ):
        app.include_router(module.router)
    app.mount("/static", static)
    exception_handlers.install(app)
    openapi.install(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    await run_in_threadpool(services.ledger.migrate)
    if services.settings.auth == "off" and not _is_loopback(services.settings.host):
        log.warning(
            "open to the network without authentication",
            host=services.settings.host,
            fix="set STILLHOUSE_AUTH=keys, or STILLHOUSE_HOST=127.0.0.1, or put a proxy that authenticates before it",
        )
    await run_in_threadpool(services.inspector.resume)
    yield
    services.closing.set()
    await services.interrupted.close()
    await run_in_threadpool(services.inspector.close)
    services.ledger.close()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
