"""A service to test: over either trigger and either database, to be ill-treated (`service`) or shared (`running`)."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import services
from tests.worker.service import ROOT, Combination, Service, Trigger


@pytest.fixture(autouse=True)
def _engines_find_the_double(monkeypatch: pytest.MonkeyPatch) -> None:
    """The double is no part of what is installed."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def new_service(
    request: pytest.FixtureRequest, tmp_path: Path, sqlite_url: str, postgres_url: str, redis_url: str
) -> Iterator[Callable[..., Service]]:
    """Makes services: `new_service(trigger, database, **settings)`; if the test fails their whole story is reported."""
    made: list[Service] = []
    databases, brokers = {"sqlite": sqlite_url, "postgresql": postgres_url}, {"poller": None, "celery": redis_url}

    def new(trigger: Trigger, database: str, broker_url: str | None = None, **patience: Any) -> Service:
        broker = broker_url or brokers[trigger]
        made.append(Service(tmp_path / "home", databases[database], broker, trigger, **patience))
        return made[-1]

    yield new
    for service in made:
        request.node.add_report_section("teardown", "service", service.describe())
        service.close()


@pytest.fixture
def service(request: pytest.FixtureRequest, new_service: Callable[..., Service]) -> Service:
    """A service of the combination that `over` says, without workers."""
    return new_service(*request.param)


@pytest.fixture(scope="module")
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Trigger, str], Service]]:
    """One service a combination with one worker, for all tests of a file that leave them as they were.

    Not for longer: an impatient worker that has nothing to do looks for it many times a second.
    """
    made: dict[Combination, Service] = {}

    def share(trigger: Trigger, database: str) -> Service:
        if (trigger, database) in made:
            return made[trigger, database]
        home = tmp_path_factory.mktemp(f"{trigger}-{database}")
        if database == "sqlite":
            template: Path = request.getfixturevalue("sqlite_template")
            url = f"sqlite:///{shutil.copy(template, home / 'ledger.db')}"
        else:
            server: services.Postgres = request.getfixturevalue("postgres")
            url = server.url(server.create(request.getfixturevalue("postgres_template")))  # goes with the server
        broker = request.getfixturevalue("redis_server") if trigger == "celery" else None
        # A Redis database of its own: a ring must not be answered by another service's worker.
        service = Service(home, url, broker and services.redis_database(broker, len(made) + 1), trigger)
        service.start_worker()
        made[trigger, database] = service
        return service

    yield share
    for service in made.values():
        service.close()


@pytest.fixture
def running(request: pytest.FixtureRequest, shared: Callable[[Trigger, str], Service]) -> Iterator[Service]:
    """A service of the combination that `over` says, with one worker that other tests use as well."""
    service = shared(*request.param)
    yield service
    request.node.add_report_section("teardown", "service", service.describe())
