"""Real PostgreSQL, PgBouncer and Redis servers for the tests, each in a folder of its own that goes away with it.

A server runs under a two-line shell whose standard input is a pipe from this process: when the pipe closes, because the
tests ended or were killed, the shell stops the server and removes its folder. So nothing outlives the tests.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import redis

START_LIMIT = 60.0
"""Seconds a server may take to answer; they need one or two on a quiet machine."""

_LIFELINE = """
signal=$1 folder=$2; shift 2
"$@" >"$folder/log" 2>&1 & server=$!
cat >/dev/null
kill -s "$signal" "$server"; wait "$server"
rm -rf "$folder"
"""

_END_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""

_DELETE_ALL = """
SET session_replication_role = replica;  -- no foreign keys for now
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
        EXECUTE format('DELETE FROM %I', name);
    END LOOP;
END $$
"""


@dataclass(frozen=True)
class Postgres:
    """A running PostgreSQL server whose superuser `postgres` needs no password."""

    port: int
    _emptying: dict[str, psycopg.Connection] = field(default_factory=dict, compare=False, repr=False)
    """A connection to each database that was emptied: for a new one the server starts a process each time."""

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of one of its databases."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def create(self, template: str = "template0") -> str:
        """Copy a database and return the copy's name; up to a second on a busy disk."""
        name = f"test_{uuid.uuid4().hex}"
        with self.session() as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        return name

    def once(self, name: str, fill: Callable[[str], None]) -> str:
        """The name of a database that `fill` has filled by its URL, once for all processes that use the server."""
        with self.session() as connection:
            connection.execute("SELECT pg_advisory_lock(1)")  # until the connection ends
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                new = self.create()
                fill(self.url(new))
                connection.execute(f'ALTER DATABASE "{new}" RENAME TO "{name}"'.encode())
        return name

    def empty(self, name: str) -> None:
        """End the connections to a database and delete every row but the schema's version; some 10 ms."""
        try:
            self._empty(name)
        except psycopg.OperationalError:
            if (ended := self._emptying.pop(name, None)) is None:
                raise
            ended.close()  # by a test that ends connections
            self._empty(name)

    def _empty(self, name: str) -> None:
        if name not in self._emptying:
            self._emptying[name] = self.session(name)
        self._emptying[name].execute(_END_OTHERS)
        self._emptying[name].execute(_DELETE_ALL)

    def close(self) -> None:
        """Close the connections that are kept."""
        for connection in self._emptying.values():
            connection.close()

    def session(self, database: str = "postgres") -> psycopg.Connection:
        """A connection of the superuser's, committing each statement."""
        conninfo = f"host=127.0.0.1 port={self.port} user=postgres dbname={database} connect_timeout=5"
        return psycopg.connect(conninfo, autocommit=True)


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Start PostgreSQL on a free loopback port; stopped when the block ends.

    Raises:
        FileNotFoundError: PostgreSQL is not installed; the message names the package.
    """
    initdb = _program("initdb", "postgresql", *sorted(Path("/usr/lib/postgresql").glob("*/bin")))
    user = "postgres" if os.getuid() == 0 else None  # PostgreSQL refuses to run as root
    folder = _folder("postgresql-", user)
    data, port = folder / "data", free_port()
    how = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
    subprocess.run([initdb, "--pgdata", data, *how], check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)
    settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": folder, "max_connections": 200}
    careless = dict.fromkeys(("fsync", "synchronous_commit", "full_page_writes", "autovacuum"), "off")
    careless |= {"wal_level": "minimal", "max_wal_senders": "0"}
    options = [word for item in (settings | careless).items() for word in ("-c", "=".join(map(str, item)))]
    command = [initdb.with_name("postgres"), "-D", data, "-p", port, *options]
    with _lifeline("QUIT", folder, command, user) as server:
        postgres = Postgres(port)
        _wait_for(lambda: postgres.session().close(), server, folder)
        yield postgres
        postgres.close()


_POOLER = """
[databases]
* = host=127.0.0.1 port={postgres} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
"""


@contextmanager
def pooler(postgres: Postgres) -> Iterator[int]:
    """Start PgBouncer in transaction mode before a PostgreSQL server and yield its port; stopped when the block ends.

    Few connections of the server are shared, so that a transaction seldom meets the one of the last.

    Raises:
        FileNotFoundError: PgBouncer is not installed; the message names the package.
    """
    program = _program("pgbouncer", "pgbouncer", Path("/usr/sbin"))
    user = "postgres" if os.getuid() == 0 else None  # it refuses to run as root
    folder, port = _folder("pgbouncer-", user), free_port()
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(_POOLER.format(postgres=postgres.port, port=port))
    configuration.chmod(0o644)
    with _lifeline("TERM", folder, [program, configuration], user) as server:
        _wait_for(lambda: Postgres(port).session().close(), server, folder)
        yield port


@contextmanager
def redis_server() -> Iterator[str]:
    """Start Redis without persistence on a free loopback port and yield its URL; stopped when the block ends.

    Raises:
        FileNotFoundError: Redis is not installed; the message names the package.
    """
    program = _program("redis-server", "redis-server")
    folder, port = _folder("redis-", None), free_port()
    command = [program, "--port", port, "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--databases", "64"]
    with _lifeline("TERM", folder, command, None) as server:
        url = f"redis://127.0.0.1:{port}/0"
        _wait_for(lambda: _ping(url), server, folder)
        yield url


@contextmanager
def redis_over_tls() -> Iterator[str]:
    """Start Redis that speaks TLS alone and yield its URL, by which its certificate is checked."""
    program, openssl = _program("redis-server", "redis-server"), _program("openssl", "openssl")
    folder, port = _folder("redis-", None), free_port()
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    new = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    names = ["-subj", "/CN=broker", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*new, "-keyout", key, "-out", certificate, *names], check=True, capture_output=True)
    tls = ["--tls-port", port, "--tls-cert-file", certificate, "--tls-key-file", key, "--tls-auth-clients", "no"]
    command = [program, "--port", "0", *tls, "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
    with _lifeline("TERM", folder, command, None) as server:
        url = f"rediss://127.0.0.1:{port}/0?ssl_cert_reqs=required&ssl_ca_certs={certificate}"
        _wait_for(lambda: _ping(url), server, folder)
        yield url


@contextmanager
def redis_sentinel(url: str) -> Iterator[str]:
    """Start a Sentinel that watches the Redis server at this URL and yield the URL of its group."""
    program = _program("redis-server", "redis-server")
    folder, port, watched = _folder("sentinel-", None), free_port(), urlsplit(url)
    configuration = folder / "sentinel.conf"  # which it rewrites
    monitor = f"sentinel monitor ours {watched.hostname} {watched.port} 1"
    configuration.write_text(f"port {port}\nbind 127.0.0.1\ndir {folder}\n{monitor}\n")
    with _lifeline("TERM", folder, [program, configuration, "--sentinel"], None) as server:
        _wait_for(lambda: _ping(f"redis://127.0.0.1:{port}"), server, folder)
        yield f"sentinel://127.0.0.1:{port}/0?master_name=ours"


def free_port() -> int:
    """A loopback TCP port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def redis_database(url: str, place: int) -> str:
    """The URL of the database so many places after one of a Redis server."""
    server, _, number = url.rpartition("/")
    return f"{server}/{int(number) + place}"


def flush_redis(url: str) -> None:
    """Empty a database of a Redis server."""
    with redis.Redis.from_url(url) as client:
        client.flushdb()


def _ping(url: str) -> None:
    with redis.Redis.from_url(url, socket_connect_timeout=2) as client:
        client.ping()


@contextmanager
def _lifeline(
    signal: str, folder: Path, command: Sequence[object], user: str | None
) -> Iterator[subprocess.Popen[bytes]]:
    words = ["sh", "-c", _LIFELINE, "sh", signal, *map(str, [folder, *command])]
    # In a session of its own: a signal to the tests' group, such as Ctrl-C, must not kill the shell that cleans up.
    server = subprocess.Popen(words, stdin=subprocess.PIPE, user=user, cwd=folder, start_new_session=True)
    assert server.stdin is not None
    try:
        yield server
    finally:
        server.stdin.close()
        server.wait(START_LIMIT)


def _wait_for(answer: Callable[[], object], server: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + START_LIMIT
    while True:
        try:
            answer()
        except (psycopg.OperationalError, redis.ConnectionError) as error:
            if time.monotonic() > deadline or server.poll() is not None:
                log = (folder / "log").read_text(errors="replace")
                raise RuntimeError(f"{server.args!r} did not answer; its log ends:\n{log[-2000:]}") from error
            time.sleep(0.02)
        else:
            return


def _program(name: str, package: str, *folders: Path) -> Path:
    found = shutil.which(name, path=os.pathsep.join([*map(str, reversed(folders)), os.environ.get("PATH", os.defpath)]))
    if found is None:
        raise FileNotFoundError(f"The tests need {name}: install it with `apt-get install {package}`.")
    return Path(found)


def _folder(prefix: str, user: str | None) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    if user is not None:
        owner = pwd.getpwnam(user)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    return folder
