"""The time by the database's clock: the machines of a service disagree, its database does not."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.ledger.columns import Instant


def now(session: Session) -> datetime:
    """The moment, aware and UTC; inside a write it is read under the lock, so later writes have later moments.

    SQLite is a library in this process: its clock is this machine's, which Python reads to the microsecond where
    SQLite's own `'now'` stops at the millisecond. PostgreSQL is asked for its wall clock, not for the start of the
    transaction, which may have waited for a lock since.
    """
    if session.get_bind().dialect.name == "sqlite":
        return datetime.now(UTC)
    return session.execute(select(func.clock_timestamp(type_=Instant))).scalar_one()
