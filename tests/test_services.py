"""The tests' own servers: fresh when asked for, gone when the tests are."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import redis

from tests import services

TESTS = """
import time
from tests import services
with services.redis_server() as url:
    print(url, flush=True)
    time.sleep(600)
"""


def test_a_lent_database_is_migrated_and_its_own(postgres: services.Postgres, postgres_url: str) -> None:
    name = postgres_url.rpartition("/")[2]
    with postgres.session(name) as connection:
        assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (0,)
        connection.execute("INSERT INTO workers VALUES ('w', 'cpu', 'host', now(), now())")
        postgres.empty(name)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with postgres.session(name) as connection:
        assert connection.execute("SELECT count(*) FROM workers").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


@pytest.mark.parametrize("round_", [1, 2])
def test_a_lent_redis_is_empty(redis_url: str, round_: int) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", round_)


def test_a_server_ends_with_the_tests_even_when_they_are_killed() -> None:
    root = Path(__file__).resolve().parents[1]
    with subprocess.Popen([sys.executable, "-c", TESTS], cwd=root, stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout is not None
        url = tests.stdout.readline().strip()
        with redis.Redis.from_url(url) as client:
            folder = Path(str(client.config_get("dir")["dir"]))
        assert folder.is_dir()
        tests.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while folder.exists():
        assert time.monotonic() < deadline, f"{folder} is still there"
        time.sleep(0.02)
    with pytest.raises(redis.ConnectionError), redis.Redis.from_url(url) as client:
        client.ping()


def test_a_missing_program_is_named_with_its_package() -> None:
    with pytest.raises(FileNotFoundError, match="apt-get install no-such-package"):
        services._program("no-such-program", "no-such-package")
