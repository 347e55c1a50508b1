"""A database or a store that is away: how that looks, and waiting for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

import structlog

from core.ledger import AWAY, Ledger
from worker.drain import Drain

PAUSE: Final = 1.0
"""Seconds between tries."""

_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
"""Seconds between the first two tries of `until_stored`, and between any two; each pause is twice the one before."""

_TICK: Final = 0.2

T = TypeVar("T")

log = structlog.stdlib.get_logger(__name__)


class Beyond(Exception):
    """A fault of the matter itself, which no other try will mend."""


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


def until_stored(
    work: Callable[[], T], patience: float, disturbed: Callable[[], bool], tell: Callable[[Exception], None]
) -> T | None:
    """Does something with the store, again and again while the store fails; None as soon as it is disturbed.

    Args:
        work: harmless to repeat. Every kind of store has exceptions of its own: all but `Beyond` are worth a try.
        patience: seconds after which the last error is raised.
        disturbed: looked at while waiting: whether there is something better to do.
        tell: called with each error that is waited out.
    """
    pause, deadline = _FIRST_PAUSE, time.monotonic() + patience
    while True:
        try:
            return work()
        except Beyond:
            raise
        except Exception as error:
            if disturbed():
                return None
            if (left := deadline - time.monotonic()) <= 0:
                raise
            tell(error)
        again = time.monotonic() + min(pause, left)
        while (rest := again - time.monotonic()) > 0:
            if disturbed():
                return None
            time.sleep(min(rest, _TICK))
        pause = min(2 * pause, _LONGEST_PAUSE)
