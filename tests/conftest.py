"""Fixtures that start the real thing: PostgreSQL, Redis, and a migrated ledger on either database.

A test that wants both databases takes `ledger` or `ledger_url`. Databases are copies of one migrated template. All test
processes share one PostgreSQL and one Redis, which end with the run.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from core.ledger import Ledger
from tests import services
from tests.stillhouse.running import Running, serving

# A shell that runs the tests in the background has them ignore SIGINT, and every process that they start inherits it:
# a Ctrl-C that a test sends would be lost.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Compiling and measuring the hardware are tested where they are the subject; elsewhere they would cost more than any
# test's own work.
os.environ.setdefault("STILLHOUSE_COMPILE", "never")
os.environ.setdefault("STILLHOUSE_CALIBRATE", "never")

# There are as many test processes as processors: in each, and in all that it starts, more threads would only wait for
# each other. Those that a program is compiled for, and a measurement takes, are tested where they are the subject.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes says what else the machine does, and nothing of the code.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# Files that take longest, which begin first: one that began last would keep one core busy while the others idle.
_LONG = (
    "worker/test_chaos.py",
    "worker/test_calibrator.py",
    "stillhouse/test_forecast.py",
    "test_readme.py",
    "engine/test_compiled.py",
    "browser/test_job.py",
    "engine/test_composition.py",
    "test_demo.py",
    "engine/test_instruction_sets.py",
    "worker/test_survival.py",
    "worker/test_engine.py",
    "worker/test_forecast.py",
    "worker/test_stopping.py",
    "stillhouse/test_serve.py",
    "benchmarks/test_runs.py",
    "api/test_fuzz.py",
    "ledger/test_machine.py",
    "engine/test_memory.py",
    "test_service.py",
)


# What is imported is never garbage: no look for it while it is loaded, nor, later, through the million objects it has.
gc.disable()


def pytest_collection_finish() -> None:
    """Look for garbage among what the tests make."""
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    """Let everything go: extension modules complain of what is still there when the process ends."""
    gc.unfreeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are processors, since some always wait for a server or a child."""
    return min(4, len(os.sched_getaffinity(0))) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, all others in their order."""
    places = {Path(__file__).parent / name: place for place, name in enumerate(_LONG)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


_TOGETHER = {
    "tests/stillhouse/test_serve.py": "tests/stillhouse/test_serve.py",  # starts services of its own
    "tests/stillhouse/test_forecast.py": "calibrated",
    "tests/test_readme.py": "calibrated",
    "tests/stillhouse/": "tests/stillhouse/",
    "tests/browser/": "tests/browser/",
}
"""Files and folders by the service that is started for them: what has the same runs in one process."""


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """With `--dist loadfile`, files that share a service stay together as one file does."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return next((service for path, service in _TOGETHER.items() if file.startswith(path)), file)

    return Scheduling(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service as `make serve` starts it, whose worker measures the machine."""
    with serving(tmp_path_factory.mktemp("service") / "home", environment={"STILLHOUSE_CALIBRATE": "auto"}) as service:
        yield service


_SERVERS = pytest.StashKey[dict[str, Any]]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Start the servers of all test processes with the first of these, and tell each where they are."""
    config: pytest.Config = node.config
    if _SERVERS not in config.stash:
        servers = ExitStack()
        config.add_cleanup(servers.close)
        port = servers.enter_context(services.postgres_server()).port
        config.stash[_SERVERS] = {"postgres": port, "redis": servers.enter_context(services.redis_server())}
    node.workerinput.update(config.stash[_SERVERS])


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[services.Postgres]:
    """The PostgreSQL server of the whole run."""
    if shared := getattr(request.config, "workerinput", None):
        with closing(services.Postgres(shared["postgres"])) as server:
            yield server
    else:
        with services.postgres_server() as server:
            yield server


@pytest.fixture(scope="session")
def redis_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database of the whole run's Redis server; the seven after it are this process's own, too."""
    if shared := getattr(request.config, "workerinput", None):
        yield services.redis_database(shared["redis"], 8 * int(shared["workerid"].removeprefix("gw")))
    else:
        with services.redis_server() as url:
            yield url


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The URL of an empty Redis."""
    services.flush_redis(redis_server)
    return redis_server


@pytest.fixture(scope="session")
def postgres_template(postgres: services.Postgres) -> str:
    """The name of a migrated PostgreSQL database to copy."""
    return postgres.once("migrated", _migrate)


@pytest.fixture(scope="session")
def idle_postgres_databases() -> list[str]:
    """Names of migrated databases that no test uses now."""
    return []


@pytest.fixture
def postgres_url(
    postgres: services.Postgres, postgres_template: str, idle_postgres_databases: list[str]
) -> Iterator[str]:
    """The URL of a migrated, otherwise empty PostgreSQL database, this test's own while it runs."""
    name = idle_postgres_databases.pop() if idle_postgres_databases else postgres.create(postgres_template)
    yield postgres.url(name)
    postgres.empty(name)  # emptying takes a twentieth of the time of copying the template again
    idle_postgres_databases.append(name)


@pytest.fixture
def bare_postgres_url(postgres: services.Postgres) -> str:
    """The URL of a PostgreSQL database without tables."""
    return postgres.url(postgres.create())


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The URL of a migrated, otherwise empty SQLite database of this test's own."""
    path = shutil.copy(sqlite_template, tmp_path / "ledger.db")
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest) -> str:
    """The URL of a migrated, otherwise empty ledger: the test runs on either database."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    """A migrated, otherwise empty ledger: the test runs on either database."""
    ledger = Ledger(ledger_url)
    yield ledger
    ledger.close()


def _migrate(url: str) -> None:
    ledger = Ledger(url)
    ledger.migrate()
    ledger.close()
