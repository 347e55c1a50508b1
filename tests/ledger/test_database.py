"""Addresses, connections and what they survive."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, exc, text
from sqlalchemy.exc import SQLAlchemyError

from core.ledger import Ledger, clock
from core.ledger.database import Database, address
from core.ledger.filesystem import check_local
from tests.ledger.orders import queued


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2"])
def test_every_spelling_of_postgresql_means_our_driver(scheme: str) -> None:
    url = address(f"{scheme}://user:p%40ss@host:5433/name?sslmode=require")
    assert url.render_as_string(hide_password=False) == (
        "postgresql+psycopg://user:p%40ss@host:5433/name?sslmode=require"
    )


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/name", "oracle://host/name"])
def test_other_databases_are_refused_with_the_fix(url: str) -> None:
    with pytest.raises(ValueError, match="use sqlite:///FILE"):
        Ledger(url)


def test_sqlite_is_opened_safely(sqlite_url: str) -> None:
    ledger = Ledger(sqlite_url)
    with ledger.database.read() as session:
        found = {name: session.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "foreign_keys")}
        found |= {name: session.execute(text(f"PRAGMA {name}")).scalar() for name in ("busy_timeout", "synchronous")}
    assert found == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 30_000, "synchronous": 1}
    ledger.close()


def test_a_caller_who_cannot_wait_gives_up_a_server_that_is_frozen(postgres_url: str) -> None:
    ledger = Ledger(postgres_url, lock_wait=0.2)
    with ledger.database.write() as session:
        (server,) = session.execute(text("SELECT pg_backend_pid()")).one()
        os.kill(server, signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(exc.OperationalError):
            session.execute(text("SELECT 1"))
        session.rollback()
    assert 0.5 < time.monotonic() - began < 10
    os.kill(server, signal.SIGCONT)
    assert ledger.counts()["queued"] == 0, "on another connection"
    ledger.close()


def test_readers_do_not_wait_for_a_writer(ledger: Ledger) -> None:
    job = queued(ledger)
    with ledger.database.write() as session:
        session.execute(text("UPDATE jobs SET dataset = 'unseen'"))
        assert ledger.job(job.id) == job
        assert ledger.counts()["queued"] == 1
        session.rollback()


def test_writers_of_one_process_on_sqlite_take_turns(sqlite_url: str) -> None:
    """Tries of many at once would leave some of them without luck until their time is up."""
    database, sent = Database(sqlite_url, lock_wait=0.05), list[str]()

    def write() -> None:
        with database.write():
            pass

    with database.write(), ThreadPoolExecutor(1) as another:
        event.listen(database.engine, "begin", lambda connection: sent.append("BEGIN"))
        with pytest.raises(exc.TimeoutError, match="busy"):
            another.submit(write).result()
    assert sent == []
    write()
    assert sent == ["BEGIN"]
    database.close()


def test_a_write_that_raises_writes_nothing(ledger: Ledger) -> None:
    job = queued(ledger)

    def delete_and_stumble() -> None:
        with ledger.database.write() as session:
            session.execute(text("DELETE FROM jobs"))
            session.execute(text("this is not SQL"))

    with pytest.raises(SQLAlchemyError):
        delete_and_stumble()
    assert ledger.job(job.id) == job


def test_the_clock_is_the_database_s(ledger: Ledger) -> None:
    with ledger.database.write() as session:
        first, second = clock.now(session), clock.now(session)
    assert first < second
    assert first.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - first) < timedelta(minutes=1)


def test_times_are_utc_whatever_the_session_s_zone(postgres_url: str) -> None:
    ledger = Ledger(postgres_url)
    job = queued(ledger)
    with ledger.database.write() as session:
        session.execute(
            text("ALTER DATABASE " + str(ledger.database.url.database) + " SET timezone TO 'Asia/Kathmandu'")
        )
    ledger.close()
    again = ledger.job(job.id)
    assert again == job
    assert again.created_at.isoformat() == job.created_at.isoformat()
    with ledger.database.write() as session:
        session.execute(text("ALTER DATABASE " + str(ledger.database.url.database) + " RESET timezone"))
    ledger.close()


def test_broken_connections_are_replaced(postgres_url: str) -> None:
    ledger, other = Ledger(postgres_url), Ledger(postgres_url)
    job = queued(ledger)
    with other.database.write() as session:
        session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    assert ledger.job(job.id) == job
    ledger.close()
    other.close()


def test_a_missing_database_is_reported_not_raised(tmp_path: Path) -> None:
    report = Ledger(f"sqlite:///{tmp_path / 'nowhere' / 'ledger.db'}").ready()
    assert (report["ready"], report["schema"]) == (False, None)
    assert "unable to open" in report["detail"]
    report = Ledger("postgresql://nobody@127.0.0.1:1/nothing").ready()
    assert (report["ready"], report["database"]) == (False, "postgresql")
    assert "No answer" in report["detail"]


def test_an_old_schema_is_reported_with_the_fix(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.executescript(
            "CREATE TABLE alembic_version (version_num); INSERT INTO alembic_version VALUES ('0');"
        )
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    assert "The schema is at 0, not" in ledger.ready()["detail"]
    ledger.close()


MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /home rw,relatime shared:2 - nfs4 server:/export rw,vers=4.2
31 30 0:41 / /home/local\\040disk rw,relatime - xfs /dev/sdb1 rw
32 22 0:42 / /mnt/share rw - cifs //server/share rw
"""


@pytest.mark.parametrize("path", ["/srv/ledger.db", "/home/local disk/ledger.db", "/homeless/ledger.db"])
def test_a_local_disk_will_do(path: str) -> None:
    check_local(Path(path), MOUNTS)


@pytest.mark.parametrize(("path", "kind"), [("/home/me/ledger.db", "nfs4"), ("/mnt/share/ledger.db", "cifs")])
def test_a_network_disk_is_refused_with_the_fix(path: str, kind: str) -> None:
    with pytest.raises(ValueError, match=f"{kind}.*STILLHOUSE_HOME"):
        check_local(Path(path), MOUNTS)


def test_this_machine_s_own_disks_are_looked_up(tmp_path: Path) -> None:
    check_local(tmp_path / "ledger.db")
