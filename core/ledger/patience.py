"""Connections to PostgreSQL that wait for an answer for so long and no longer.

Nothing in the protocol tells a server that is frozen, or behind a network that swallows what is sent, from one that is
still at work.
"""

from __future__ import annotations

from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, event

T = TypeVar("T")


def limit(engine: Engine, seconds: float) -> None:
    """Have every connection of the engine give up a statement that is not answered within so many seconds.

    The connection is then closed, and sqlalchemy's OperationalError raised.
    """

    class Impatient(psycopg.Connection[Any]):
        def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
            try:
                return super().wait(gen, interval, seconds if timeout is None else timeout)
            except psycopg.OperationalError:
                if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                    self.pgconn.finish()
                raise

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Any, record: Any, arguments: Any, parameters: Any) -> Impatient:
        return Impatient.connect(*arguments, **parameters)
