"""Takes the engine's pictures to the store, so that every process that serves the API can show them.

In a thread of its own: a store that is slow or away delays neither the heartbeats nor the engine, and costs a picture.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self, final

import structlog

from core.artifacts.store import Store
from worker.child import Message
from worker.protocol import JobFolder

PICTURES: Final = frozenset({"preview", "neighbours"})
"""Messages that bring a picture."""

MOST: Final = 100
"""Pictures of one attempt that are kept."""

MOST_BYTES: Final = 1 << 18
"""Size of the largest picture that is kept."""

_PATIENCE: Final = 5.0

log = structlog.stdlib.get_logger(__name__)


@final
class PreviewUploader:
    """Passes on what the engine says; of a picture only once it is in the store, and then by its SHA-256."""

    def __init__(self, store: Store, folder: JobFolder, tell: Callable[[Message], None]) -> None:
        """
        Args:
            tell: takes every message but those of pictures that were not kept.
        """
        self._store = store
        self._folder = folder
        self._tell = tell
        self._left = MOST
        self._waiting: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="previews", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting.put(None)
        self._thread.join(_PATIENCE)

    def hear(self, message: Message) -> None:
        """Takes one message of the channel."""
        if message.get("type") not in PICTURES:
            self._tell(message)
        elif self._left > 0:
            self._left -= 1
            self._waiting.put(message)

    def _run(self) -> None:
        while (message := self._waiting.get()) is not None:
            try:
                self._keep(message)
            except Exception as error:  # every kind of store has its own, and a picture is not worth a job
                log.warning("a picture was not kept", reason=str(error))

    def _keep(self, message: Message) -> None:
        path = self._folder.pictures / Path(str(message["path"])).name
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"{path.name} is larger than {MOST_BYTES:,} bytes")
        sha256, size = self._store.put(path)
        said = {"step": int(message["step"])} if message["type"] == "preview" else {}
        self._tell({"type": message["type"], **said, "sha256": sha256, "bytes": size})
        path.unlink()
