"""Numbers, times and sizes as a person reads them."""

from __future__ import annotations

from datetime import UTC, datetime

from core.report import section

NOTHING = "\N{EN DASH}"

_AGES = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def moment(at: datetime | None) -> str:
    """A time of day in full: `2026-11-21 18:04:05 UTC`."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "never"


def age(at: datetime | None, now: datetime | None = None) -> str:
    """How long ago, in one unit: `3 min ago`."""
    if at is None:
        return "never"
    seconds = max(0.0, ((now or datetime.now(UTC)) - at).total_seconds())
    for unit, length in _AGES:
        if seconds >= length:
            return f"{seconds // length:.0f} {unit} ago"
    return "just now"


def duration(seconds: float | None) -> str:
    """A span of time in at most two units: `4.2 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds is None:
        return NOTHING
    if seconds < 59.95:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    hours, minutes = divmod(round(whole / 60), 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} d {hours % 24} h"


def size(count: float | None) -> str:
    """Bytes in powers of 1000: `640 B`, `1.3 MB`."""
    return NOTHING if count is None else section.size(count)


def share(part: float | None, digits: int = 1) -> str:
    """A share of 1 in percent: `87.3 %`."""
    return NOTHING if part is None else section.percent(part, digits)


def count(number: float | None) -> str:
    """A whole number with separators: `50,000`."""
    return NOTHING if number is None else f"{number:,.0f}"
