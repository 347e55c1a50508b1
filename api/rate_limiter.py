"""How fast somebody may ask."""

from __future__ import annotations

from typing import Final, final

_MOST: Final = 10_000
"""Buckets that are remembered; those that are full by now, else the oldest, are forgotten first."""


@final
class RateLimiter:
    """A bucket a name, which holds a minute's requests and fills as time goes by."""

    def __init__(self, per_minute: float) -> None:
        self._size = float(per_minute)
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, name: str, now: float) -> float:
        """0.0 and one request less; or the seconds until there is one."""
        left, since = self._buckets.pop(name, (self._size, now))
        left = min(self._size, left + (now - since) * self._size / 60)
        granted = left >= 1
        if len(self._buckets) >= _MOST:
            self._forget(now)
        self._buckets[name] = (left - granted, now)
        return 0.0 if granted else (1 - left) * 60 / self._size

    def _forget(self, now: float) -> None:
        """Make room; the buckets are in the order of their last use."""
        self._buckets = {name: bucket for name, bucket in self._buckets.items() if now - bucket[1] < 60}
        while len(self._buckets) >= _MOST:
            del self._buckets[next(iter(self._buckets))]
