"""Whether a store can be written, asked often and found out seldom."""

from __future__ import annotations

import threading
import time
from typing import Final, final

from core.artifacts.store import Store

LIFETIME: Final = 5.0
"""Seconds for which an answer holds."""

_PATIENCE: Final = 5.0
"""Seconds to wait for an answer that another thread is finding out."""


@final
class Probe:
    """Writes something small into a store and deletes it, at most every `LIFETIME` seconds however many ask."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._looking = threading.Lock()
        self._until = float("-inf")
        self._trouble: str | None = None

    def trouble(self) -> str | None:
        """Why the store cannot be written; None where it can. Never raises."""
        if not self._looking.acquire(timeout=_PATIENCE):
            return f"The store has not answered for {_PATIENCE:g} s."
        try:
            if time.monotonic() >= self._until:
                self._trouble = self._look()
                self._until = time.monotonic() + LIFETIME
            return self._trouble
        finally:
            self._looking.release()

    def _look(self) -> str | None:
        try:
            self._store.probe()
        except Exception as error:  # whatever a driver raises: the answer is the point
            return f"{type(error).__name__}: {error}"
        return None
