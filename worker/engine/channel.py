"""The engine's end of the channel: JSON lines to the supervisor."""

from __future__ import annotations

import json
import logging
import os
from typing import Any, final

from core.engine.journal import Journal


def open_channel(descriptor: int) -> Journal:
    """A journal that says everything on the channel."""
    file = os.fdopen(descriptor, "w", buffering=1)

    def say(message: dict[str, Any]) -> None:
        try:
            file.write(json.dumps(message) + "\n")
        except BrokenPipeError:
            os._exit(1)  # nobody listens: the supervisor is gone

    return Journal(say)


@final
class Warnings(logging.Handler):
    """Hands the core's warnings on to the person who reads the job's events."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(logging.WARNING)
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        """Say one of them."""
        self._journal.log(record.getMessage(), record.levelname.lower())
