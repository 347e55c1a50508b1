"""Values that were asked for last, kept for whoever asks next."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Generic, TypeVar, final

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@final
class Recent(Generic[Key, Value]):
    """At most `most` values by key, the least lately used one forgotten first; for any number of threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: dict[Key, Value] = {}  # in the order of their last use
        self._lock = threading.Lock()

    def get(self, key: Key) -> Value | None:
        """The value that is kept under the key."""
        with self._lock:
            value = self._values.pop(key, None)
            if value is not None:
                self._values[key] = value
            return value

    def keep(self, key: Key, value: Value) -> None:
        """Keep the value in the place of an earlier one."""
        with self._lock:
            self._values.pop(key, None)
            self._values[key] = value
            while len(self._values) > self._most:
                del self._values[next(iter(self._values))]
