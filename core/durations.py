"""Durations as people write them: "20m", "90s", "1h"."""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_WRITTEN: Final = re.compile(r"(\d{1,6}) ?([smhd])", re.ASCII | re.IGNORECASE)

FORM: Final = "a whole number and a unit: '90s', '20m' or '1h'"
"""How a duration is written."""


def seconds_of(text: str) -> int:
    """The seconds that a duration means.

    Raises:
        ValueError: it is written in another form.
    """
    parts = _WRITTEN.fullmatch(text.strip())
    if parts is None:
        raise ValueError(f"A duration is {FORM}.")
    return int(parts[1]) * _UNITS[parts[2].lower()]


def written(seconds: int) -> str:
    """The duration in the largest unit that says it in a whole number."""
    unit = next(unit for unit in ("h", "m", "s") if seconds % _UNITS[unit] == 0)
    return f"{seconds // _UNITS[unit]}{unit}"
