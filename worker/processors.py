"""How busy others keep the processors that this process may use, as the system counts it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

_STAT = Path("/proc/stat")
_COUNTED, _IDLE = 8, slice(3, 5)  # columns that add up to all time, of which idle and waiting for a disk


class Reading(NamedTuple):
    """Seconds of all these processors together since some moment."""

    passed: float
    busy: float
    ours: float
    """Busy seconds of this process and of its children that have ended."""


def read() -> Reading | None:
    """The present state; None where the system does not say."""
    try:
        lines = _STAT.read_text().splitlines()
    except OSError:
        return None
    allowed = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    passed = busy = 0
    for line in lines:
        name, *columns = line.split()
        if name in allowed:
            ticks = [int(column) for column in columns[:_COUNTED]]
            passed += sum(ticks)
            busy += sum(ticks) - sum(ticks[_IDLE])
    tick = 1 / os.sysconf("SC_CLK_TCK")
    return Reading(passed * tick, busy * tick, sum(os.times()[:4])) if passed else None


def others(since: Reading | None, now: Reading | None) -> float | None:
    """The share of the processors' time that others took in between, 0 to 1; None if that cannot be known."""
    if since is None or now is None or now.passed <= since.passed:
        return None
    taken = (now.busy - since.busy) - (now.ours - since.ours)
    return min(1.0, max(0.0, taken / (now.passed - since.passed)))
