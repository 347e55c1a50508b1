"""Connections: one engine a process, write transactions that are serial a job, reads that wait for nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar, final

from sqlalchemy import URL, Connection, Engine, Pool, create_engine, event, exc, make_url
from sqlalchemy.orm import Session

LOCK_WAIT = 30.0
"""Seconds a transaction waits for another writer before it gives up, unless it is told otherwise."""

AWAY: Final = (exc.OperationalError, exc.InterfaceError, exc.TimeoutError)
"""A database that is absent, restarting, locked or full: worth another try, unlike every other error."""

_ANSWER = 3
"""An impatient caller waits so many times as long for the server's answer as for another writer."""

_TRIES = 10

Result = TypeVar("Result")

_WRITES = {"ledger_writes": True}


def address(url: str) -> URL:
    """The parsed URL with the driver this project uses.

    Raises:
        ValueError: the URL names another database, or a SQLite database without a file.
    """
    parsed = make_url(url)
    backend = "postgresql" if parsed.drivername == "postgres" else parsed.get_backend_name()
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise ValueError(
            f"STILLHOUSE_DATABASE_URL names {backend}: use sqlite:///FILE or postgresql://USER@HOST/DATABASE."
        )
    if parsed.database in (None, "", ":memory:"):
        raise ValueError("The ledger needs a file that several processes can open: use sqlite:///FILE.")
    return parsed


def connect(
    url: URL, poolclass: type[Pool] | None = None, foreign_keys: bool = True, lock_wait: float = LOCK_WAIT
) -> Engine:
    """An engine for this address; no connection is made yet.

    Args:
        url: as `address` returns it.
        poolclass: another pool than SQLAlchemy's default.
        foreign_keys: whether SQLite checks foreign keys; a migration that rebuilds a table must not.
        lock_wait: seconds a transaction waits for another writer, and a thread for a connection of the pool.
    """
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, poolclass, foreign_keys, lock_wait)
    # A server that vanished without a word is noticed within half a minute: before a lease of 60 s runs out.
    patience = {"connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "tcp_user_timeout": 30_000}
    engine = create_engine(
        url,
        poolclass=poolclass,
        pool_pre_ping=True,
        hide_parameters=True,
        **({} if poolclass else {"pool_recycle": 1800, "max_overflow": 40, "pool_timeout": lock_wait}),
        # Statements are not prepared by name: behind a pooler such as PgBouncer the next transaction may be another
        # server's. For the same reason nothing is asked of the server at the start of a connection or for its length.
        connect_args={**patience, "application_name": "stillhouse", "prepare_threshold": None},
    )
    if lock_wait < LOCK_WAIT:
        from core.ledger import patience as answers  # not where the ledger is in SQLite: it loads the driver

        answers.limit(engine, _ANSWER * lock_wait)

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            if connection.get_execution_options().get("ledger_writes"):
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {round(lock_wait * 1000)}")

    return engine


def _sqlite(url: URL, poolclass: type[Pool] | None, foreign_keys: bool, lock_wait: float) -> Engine:
    pool: dict[str, Any] = {} if poolclass else {"max_overflow": 60, "pool_timeout": lock_wait}
    engine = create_engine(url, poolclass=poolclass, connect_args={"timeout": lock_wait}, hide_parameters=True, **pool)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: object) -> None:
        connection.isolation_level = None  # the driver opens no transaction of its own: `begin` below does
        connection.execute(f"PRAGMA busy_timeout = {round(lock_wait * 1000)}")
        connection.create_function("casefold", 1, str.casefold, deterministic=True)  # for lists: its lower() is ASCII's
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA foreign_keys = {int(foreign_keys)}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes the lock before it reads: turning a read into a write fails at once when another
        # writer came between, and no waiting helps (SQLITE_BUSY_SNAPSHOT).
        writes = connection.get_execution_options().get("ledger_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@final
class Database:
    """Where the ledger is kept, and the two ways to open it."""

    def __init__(self, url: str, lock_wait: float = LOCK_WAIT) -> None:
        self.url = address(url)
        self.engine = connect(self.url, lock_wait=lock_wait)
        self._lock_wait = lock_wait
        self._turn = threading.Lock()

    @property
    def file(self) -> Path | None:
        """The file of a SQLite database."""
        if self.url.get_backend_name() != "sqlite":
            return None
        assert self.url.database is not None
        return Path(self.url.database)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that writes: all of it is kept when the block ends, nothing when it raises.

        A changed row is written at `flush` or at the end, whole: a query in between would write it half changed.
        """
        session = Session(self.engine, expire_on_commit=False, autoflush=False)
        with self._in_turn(), session, session.begin():
            session.connection(execution_options=_WRITES)  # begin now: the clock is read after the lock is taken
            yield session

    def insert(self, work: Callable[[Session], Result]) -> Result:
        """Run a transaction that a unique index may refuse because another one was faster: then look again."""
        for _ in range(_TRIES - 1):
            try:
                with self.write() as session:
                    return work(session)
            except exc.IntegrityError:
                continue
        with self.write() as session:
            return work(session)

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """One after the other of this process's writers on SQLite, which lets each try again now and then, and starve.

        Raises:
            TimeoutError: of SQLAlchemy, no turn came in time.
        """
        if self.file is None:
            yield
            return
        if not self._turn.acquire(timeout=self._lock_wait):
            raise exc.TimeoutError(f"Other writers were busy for {self._lock_wait:g} s.")
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads; on SQLite it neither waits for writers nor holds them up."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """Close every idle connection; the next use opens new ones."""
        self.engine.dispose()


def writing(connection: Connection) -> Connection:
    """The same connection, whose next transaction on SQLite takes the write lock at its start."""
    return connection.execution_options(**_WRITES)
