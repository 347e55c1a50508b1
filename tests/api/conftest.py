"""An application in process on either database, with a workshop that moves its jobs along."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.app import create_app
from api.services import Services
from core.settings import Settings
from tests.api.serving import Server, serving
from tests.api.workshop import Workshop, key, make_artifact


@pytest.fixture(scope="session", autouse=True)
def _plain_logs() -> Iterator[None]:
    """Log lines go where pytest catches them."""
    structlog.configure(
        processors=[structlog.stdlib.render_to_log_kwargs],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small real artifact."""
    return make_artifact(tmp_path_factory.mktemp("artifact"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, artifact: Path) -> Iterator[Server]:
    """A service in a process of its own, for all tests that do not end it."""
    with serving(Settings(home=tmp_path_factory.mktemp("home"), port=0), artifact) as server:
        yield server


@pytest.fixture
def settings(ledger_url: str, tmp_path: Path) -> Settings:
    """Settings of a service of this test's own."""
    return Settings(
        home=tmp_path / "home", database_url=ledger_url, data_dir=None, broker_url=None, store_url=None, port=0
    )


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    """The application, not started."""
    return create_app(settings)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """A client of the started application; an exception inside it is an answer, as in production."""
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def services(app: FastAPI) -> Services:
    """The application's services."""
    services: Services = app.state.services
    return services


@pytest.fixture
def workshop(client: TestClient, services: Services, artifact: Path) -> Workshop:
    """Moves the jobs of the application along."""
    return Workshop(client, services.ledger, services.store, artifact)


@pytest.fixture
def people(workshop: Workshop) -> dict[str, dict[str, str]]:
    """Two users and an administrator."""
    ledger = workshop.ledger
    workshop.client.headers["Accept"] = "application/json"
    return {"alice": key(ledger, "alice"), "bob": key(ledger, "bob"), "root": key(ledger, "root", "admin")}
