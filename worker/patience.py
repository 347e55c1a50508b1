"""A database that is away: what it looks like, and waiting for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core.ledger import Ledger
from worker.drain import Drain

AWAY: Final = (OperationalError, InterfaceError, PoolTimeout)
"""Absent, restarting, locked or full: worth another try, unlike every other error."""

PAUSE: Final = 1.0
"""Seconds between tries."""

T = TypeVar("T")

log = structlog.stdlib.get_logger(__name__)


def until_answered(ask: Callable[[], T], drain: Drain) -> T:
    """Asks until the database answers; while draining only once more, and then raises one of AWAY."""
    while True:
        last = drain.is_set()
        try:
            return ask()
        except AWAY:
            if last:
                raise
            drain.wait(PAUSE)


def until_ready(ledger: Ledger, drain: Drain) -> None:
    """Waits until the ledger is there and has this code's schema, or drain is set; says once what it waits for."""
    state = ledger.ready()
    if not state["ready"]:
        log.warning("waiting for the ledger", detail=state["detail"])
    while not state["ready"] and not drain.wait(PAUSE):
        state = ledger.ready()
