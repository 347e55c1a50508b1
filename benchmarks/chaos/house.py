"""A service of real processes to be ill-treated: PostgreSQL, Redis, the API, and workers that share a store alone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, final

import httpx
import psycopg
import redis
from psycopg.rows import dict_row

from core.ledger import Ledger
from tests.services import free_port

WORKERS: Final = ("worker-1", "worker-2")
PARTS: Final = ("api", *WORKERS)
PATIENCE: Final = 90.0
"""Seconds within which anything that was asked for has to come true."""
LEASE: Final = 4.0
"""Seconds that a worker's claim lasts without a heartbeat."""

_IMPATIENT: Final = {
    "LEASE_TTL": LEASE,
    "HEARTBEAT_INTERVAL": 0.5,
    "SELF_FENCE_AFTER": 3,
    "SWEEP_INTERVAL": 0.5,
    "BACKSTOP_INTERVAL": 2,
    "CHECKPOINT_INTERVAL": 0.2,
    "DRAIN_GRACE": 5,
    "MAX_ATTEMPTS": 100,
    "HELP_ABOVE": 0,
    "COMPILE": "never",
    "CALIBRATE": "never",
    "LOG_FORMAT": "console",
}
_CARELESS: Final = {"fsync": "off", "wal_level": "minimal", "max_wal_senders": 0, "listen_addresses": "127.0.0.1"}


def until(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Wait for a condition. Raises TimeoutError, which says what was expected."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"after {seconds:.0f} s it still was not so that {what}")
        time.sleep(0.05)


@final
class House:
    """The processes of a service below one folder, each with a log there; they end with this one."""

    def __init__(self, folder: Path) -> None:
        """
        Args:
            folder: an empty one that other users may enter: PostgreSQL does not run as root.
        """
        self.folder, self.store = folder, folder / "store"
        self.store.mkdir()
        self._postgres, self._redis, self._api = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{self._api}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._guards: list[subprocess.Popen[bytes]] = []
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        path = os.pathsep.join([*map(str, reversed(programs)), os.environ.get("PATH", os.defpath)])
        self._initdb, self._server = (shutil.which(name, path=path) for name in ("initdb", "redis-server"))
        if self._initdb is None or self._server is None:
            raise FileNotFoundError("This needs PostgreSQL and Redis: apt-get install postgresql redis-server")
        self._user = "postgres" if os.getuid() == 0 else None

    @contextmanager
    def open(self) -> Iterator[None]:
        """The service with all its parts, until the block ends."""
        data = self.folder / "postgres"
        data.mkdir()
        if self._user:
            shutil.chown(data, self._user)
        how = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        command = [str(self._initdb), "-D", str(data), *how]
        subprocess.run(command, check=True, user=self._user, cwd="/", stdout=subprocess.DEVNULL)
        try:
            self.start("postgres")
            self.start("redis")
            ledger = Ledger(self._database)
            ledger.migrate()
            ledger.close()
            for part in PARTS:
                self.start(part)
            until(self.answers, "the API answers")
            yield
        finally:
            self.close()

    @property
    def _database(self) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self._postgres}/postgres"

    def start(self, name: str) -> None:
        """Start a part of the service, and wait for servers until they answer."""
        match name:
            case "postgres":
                settings = _CARELESS | {"unix_socket_directories": self.folder / "postgres", "max_connections": 200}
                options = [word for item in settings.items() for word in ("-c", "=".join(map(str, item)))]
                program = str(Path(str(self._initdb)).with_name("postgres"))
                self._spawn(name, [program, "-D", str(self.folder / name), "-p", str(self._postgres), *options])
                until(lambda: self._succeeds(lambda: self.rows("SELECT 1", tries=1)), "PostgreSQL answers")
            case "redis":
                port = ["--port", str(self._redis), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
                self._spawn(name, [str(self._server), *port])
                until(lambda: self._succeeds(self._ping), "Redis answers")
            case _:
                home = self.folder / name
                home.mkdir(exist_ok=True)
                self._spawn(name, [sys.executable, "-P", "-m", name.partition("-")[0]], self._settings(home))

    def _settings(self, home: Path) -> dict[str, str]:
        given = _IMPATIENT | {
            "HOME": home,
            "PORT": self._api,
            "DATABASE_URL": self._database,
            "BROKER_URL": f"redis://127.0.0.1:{self._redis}/0",
            "STORE_URL": f"file://{self.store}",
        }
        return {f"STILLHOUSE_{name}": str(value) for name, value in given.items()} | {"OMP_NUM_THREADS": "1"}

    def _spawn(self, name: str, command: list[str], variables: Mapping[str, str] | None = None) -> None:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("STILLHOUSE_")}
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                env=inherited | dict(variables or {}),
                user=None if variables or name == "redis" else self._user,
                cwd=self.folder if variables else "/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        guard = ["sh", "-c", 'cat >/dev/null; kill -9 "$1"', "sh", str(self.processes[name].pid)]
        # In a session of its own: Ctrl-C must not end what ends the others.
        self._guards.append(subprocess.Popen(guard, stdin=subprocess.PIPE, start_new_session=True))

    def end(self, name: str, how: signal.Signals = signal.SIGKILL) -> None:
        """End a part by a signal and wait until it is gone."""
        process = self.processes[name]
        process.send_signal(how)
        process.wait(PATIENCE)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a part a signal."""
        self.processes[name].send_signal(number)

    def worker_of(self, worker_id: str) -> str | None:
        """The name of the worker that calls itself so in the ledger, unless it is gone."""
        return next((name for name in WORKERS if str(self.processes[name].pid) in worker_id.split(":")), None)

    def engines(self, name: str) -> list[int]:
        """The engines of a worker."""
        process = self.processes[name].pid
        with suppress(OSError):
            tasks = Path(f"/proc/{process}/task").iterdir()
            return [int(child) for task in tasks for child in (task / "children").read_text().split()]
        return []

    def left(self) -> list[int]:
        """Processes that know this folder and still run."""
        needle, found = os.fsencode(self.folder), []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                text = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
                if needle in text and int(process.name) != os.getpid():
                    found.append(int(process.name))
        return found

    def answers(self) -> bool:
        """Whether the API is ready."""
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/readyz", timeout=10, trust_env=False).status_code == 200
        return False

    def rows(self, statement: str, *values: object, tries: int = 100) -> list[dict[str, Any]]:
        """The rows that the database answers with; asked again while it is away."""
        while True:
            tries -= 1
            try:
                where = f"host=127.0.0.1 port={self._postgres} user=postgres connect_timeout=5"
                with psycopg.connect(where, autocommit=True, row_factory=dict_row) as connection:
                    cursor = connection.execute(statement.encode(), values)
                    return cursor.fetchall() if cursor.description else []
            except psycopg.OperationalError:
                if tries <= 0:
                    raise
                time.sleep(0.2)

    def published(self, job_id: str, name: str) -> str | None:
        """The SHA-256 of a file of a job's result."""
        found = self.rows("SELECT sha256 FROM job_files WHERE job_id = %s AND name = %s", job_id, name)
        return found[0]["sha256"] if found else None

    def _ping(self) -> None:
        with redis.Redis(port=self._redis, socket_connect_timeout=2) as client:
            client.ping()

    @staticmethod
    def _succeeds(attempt: Callable[[], object]) -> bool:
        try:
            attempt()
        except (psycopg.OperationalError, redis.RedisError):
            return False
        return True

    def close(self) -> None:
        """End every part: the workers and the API first, in good order where they can."""
        parts = [self.processes[name] for name in PARTS if name in self.processes]
        for process in parts:
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGTERM)
        for process in parts:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for name in ("redis", "postgres"):
            if name in self.processes:
                self.end(name, signal.SIGQUIT if name == "postgres" else signal.SIGKILL)
        for guard in self._guards:
            guard.kill()
            guard.communicate()
        self._guards.clear()
        self.processes.clear()


@contextmanager
def new_house(keep: Path | None = None) -> Iterator[House]:
    """A service in a new folder, which goes away with it.

    Args:
        keep: a folder that is not there yet, for a copy of store, homes and logs.
    """
    folder = Path(tempfile.mkdtemp(prefix="stillhouse-chaos-"))
    folder.chmod(0o755)
    house = House(folder)
    try:
        with house.open():
            yield house
    finally:
        if keep is not None:
            shutil.copytree(folder, keep, ignore=shutil.ignore_patterns("postgres"))
        shutil.rmtree(folder)
