"""A whole ledger as lines of text, and a bare one made of them: between SQLite and PostgreSQL, either way.

The lines are what the tables hold at one moment, however busy the service is: `{"table": ..., "row": {...}}`, parents
before their children. Workers and the parts of jobs that they make, uploads that are on their way, the progress of
chores and caches belong to one place, and stay.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import Enum
from typing import IO, Any, Final, final

from sqlalchemy import Connection, Table, func, insert, select
from sqlalchemy import Enum as EnumType
from sqlalchemy.orm import Session

from core.ledger import clock, schema, transitions, uploads
from core.ledger.columns import Instant
from core.ledger.database import Database
from core.ledger.models import (
    ArrivalRow,
    Base,
    CheckpointRow,
    ChoreRow,
    EventRow,
    FileRow,
    JobRow,
    PartRow,
    ResultRow,
    UploadRow,
    WorkerRow,
    stands,
)
from core.ledger.transitions import Move
from core.ledger.types import HELD
from core.ledger.webhook_rows import WebhookRow

BATCH: Final = 500
"""Rows that are written at once."""

_OF_A_PLACE: Final = frozenset(row.__tablename__ for row in (WorkerRow, PartRow, ArrivalRow, ChoreRow, ResultRow))
_ADDRESSED: Final = frozenset(row.__tablename__ for row in (FileRow, UploadRow, CheckpointRow))
_PICTURES: Final = ("preview", "neighbours")
_MOVED: Final = "The service was moved to another place."


@final
class NotEmpty(ValueError):
    """A ledger that is to be filled holds something."""

    def __init__(self, table: str) -> None:
        super().__init__(
            f"The ledger here is not empty: its table {table} has rows. Import into a new one: set STILLHOUSE_HOME to "
            "an empty folder, or STILLHOUSE_DATABASE_URL to an empty database."
        )


def tables() -> list[Table]:
    """The tables that are carried along, parents first."""
    return [table for table in Base.metadata.sorted_tables if table.name not in _OF_A_PLACE]


def dump(database: Database, out: IO[str]) -> tuple[dict[str, int], set[str]]:
    """Write all rows of a moment; how many of each table, and the objects of the store that they need, by address.

    Raises:
        ValueError: the schema is not this code's.
    """
    counts, needed = dict.fromkeys((table.name for table in tables()), 0), set[str]()
    with _snapshot(database) as connection:
        found = schema.current(Session(connection))
        if found != schema.head():
            raise ValueError(
                f"The ledger's schema is {found}, and this version's is {schema.head()}: run `python -m core.ledger` "
                "of this version first, or export with the version that runs."
            )
        for table in tables():
            statement = select(table).order_by(*table.primary_key)
            for row in connection.execution_options(yield_per=BATCH).execute(statement).mappings():
                out.write(json.dumps({"table": table.name, "row": dict(row)}, default=_written) + "\n")
                counts[table.name] += 1
                if (address := _address(table.name, row)) is not None:
                    needed.add(address)
    return counts, needed


def check_empty(session: Session) -> None:
    """Raise NotEmpty where a table that would be filled has a row."""
    for table in tables():
        if session.execute(select(func.count()).select_from(table)).scalar_one():
            raise NotEmpty(table.name)


def load(database: Database, lines: Iterable[str]) -> dict[str, int]:
    """Fill a ledger, whole or not at all; how many rows of each table.

    Jobs that were being worked on are queued again, without a loss, or paused or cancelled where that was asked; an
    upload that was being inspected is to be sent again.

    Raises:
        NotEmpty: it holds something.
    """
    known, counts = {table.name: table for table in tables()}, dict[str, int]()
    with database.write() as session:
        check_empty(session)
        batch, name = list[dict[str, Any]](), ""
        for line in lines:
            entry = json.loads(line)
            if batch and (entry["table"] != name or len(batch) == BATCH):
                _fill(session, known[name], batch)
                batch = []
            name = entry["table"]
            batch.append(_read(known[name], entry["row"]))
            counts[name] = counts.get(name, 0) + 1
        if batch:
            _fill(session, known[name], batch)
        _settle(session)
    return counts


@contextmanager
def _snapshot(database: Database) -> Iterator[Connection]:
    """A connection whose every read is of one moment; it holds up nobody."""
    with database.engine.connect() as plain:
        # SQLite's readers have a snapshot of their own by their log
        options = {} if database.file is not None else {"isolation_level": "REPEATABLE READ"}
        with plain.execution_options(**options) as connection, connection.begin():
            yield connection


def _address(table: str, row: Any) -> str | None:
    if table in _ADDRESSED:
        found = row["sha256"]
    elif table == EventRow.__tablename__ and row["type"] in _PICTURES:
        found = row["data"].get("sha256")
    else:
        return None
    return found if isinstance(found, str) else None


def _fill(session: Session, table: Table, rows: list[dict[str, Any]]) -> None:
    session.execute(insert(table), rows)


def _written(value: object) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    assert isinstance(value, Enum)
    return value.value


def _read(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """The row's values as the columns take them. Raises KeyError for a column that is none."""
    return {name: _value(table.c[name].type, value) for name, value in row.items()}


def _value(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, Instant):
        return datetime.fromisoformat(value)
    return kind.enum_class(value) if isinstance(kind, EnumType) and kind.enum_class else value


def _settle(session: Session) -> None:
    """Bring to rest what was under way where the rows come from."""
    now = clock.now(session)
    for job in session.scalars(select(JobRow).where(stands(*HELD)).order_by(JobRow.id)).all():
        transitions.apply(session, job, transitions.destination(job, Move.RELEASE), now, reason=_MOVED)
    for upload in session.scalars(select(UploadRow).where(UploadRow.state == "inspecting")).all():
        uploads.give_up_one(session, upload, now, f"{_MOVED.rstrip('.')} while it was inspected; upload it again.")
    for webhook in session.scalars(select(WebhookRow).where(WebhookRow.busy_until.is_not(None))).all():
        webhook.busy_until = None
