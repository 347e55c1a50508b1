"""Answers what an engine asks of other workers: who makes which part of its job, and what they left in the store.

In a thread of its own: neither a database nor a store that is slow or away delays the heartbeat or the engine's words.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self, final

import structlog

from core import doorbell
from core.artifacts.store import Store
from core.ledger import AWAY, Claim, Document, Ledger, Part, Stored
from core.masks import masked
from core.settings import Settings
from worker.child import Message

_PATIENCE: Final = 5.0
_RINGS: Final = 16
"""Doorbells at most: each wakes one idle worker."""

log = structlog.stdlib.get_logger(__name__)


@final
class Foreman:
    """Listens through `hear` to the messages that are for it, and passes on the others."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        store: Store,
        claim: Claim,
        worker_id: str,
        tell: Callable[[Message], None],
    ) -> None:
        """
        Args:
            tell: takes every message of the engine that is for somebody else.
        """
        self._settings, self._ledger, self._store = settings, ledger, store
        self._claim, self._worker_id, self._tell = claim, worker_id, tell
        self._reply: Callable[[Message], None] = lambda message: None
        self._asked: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._kept: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._files: dict[str, list[str]] = {}
        self._threads = [
            threading.Thread(target=self._run, args=(self._asked, self._answer), name="foreman", daemon=True),
            threading.Thread(target=self._run, args=(self._kept, self._carry), name="carrier", daemon=True),
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._asked.put(None)
        self._kept.put(None)
        for thread in self._threads:
            thread.join(_PATIENCE)

    def reply_by(self, reply: Callable[[Message], None]) -> None:
        """How answers reach the engine, once it runs."""
        self._reply = reply

    def hear(self, message: Message) -> None:
        """Takes one message of the channel."""
        match message.get("type"):
            case "ask":
                self._asked.put(message)
            case "kept":
                self._kept.put(message)
            case _:
                self._tell(message)

    def _run(self, queue: queue.SimpleQueue[Message | None], work: Callable[[Message], None]) -> None:
        while (message := queue.get()) is not None:
            try:
                work(message)
            except AWAY as error:
                log.warning("the ledger does not answer", reason=type(error).__name__)
            except Exception as error:  # a help that fails costs nothing but the help
                log.warning("other workers could not be reached", reason=masked(str(error)))

    def _answer(self, message: Message) -> None:
        answer: Document = {}
        try:
            match message:
                case {"what": "offer", "parts": list(parts)}:
                    self._offer([Part(part["name"], part["conditions"], part["order"]) for part in parts])
                case {"what": "turn"}:
                    answer = self._turn()
                case {"what": "made", "part": str(name)}:
                    self._ledger.sharing.own_made(self._claim, name)
                case {"what": "withdraw"}:
                    self._ledger.sharing.withdraw(self._claim)
                case {"what": "fetch", "name": str(name)}:
                    answer = {"fetched": self._fetch(name)}
        finally:  # an engine that is not answered goes on alone
            self._reply({"number": message.get("number"), **answer})

    def _offer(self, parts: list[Part]) -> None:
        self._files = {part.name: list(part.order["files"]) for part in parts}
        if self._settings.store_url is not None:
            for name in dict.fromkeys(need for part in parts for need in part.order.get("needs", ())):
                self._carry({"name": name})
        if self._ledger.sharing.offer(self._claim, parts):
            for _ in parts[:_RINGS]:
                if not doorbell.ring(self._settings):
                    break

    def _turn(self) -> Document:
        sharing = self._ledger.sharing
        turn = sharing.turn(self._claim, self._worker_id)
        if turn is None:
            return {}
        made = []
        for name in turn.made:
            if all(self._fetch(file) for file in self._files.get(name, ())):
                made.append(name)
            else:  # it is neither in the cache nor in the store
                sharing.again(self._claim, name)
        return {"part": turn.part, "waits": turn.waits or len(made) < len(turn.made), "made": made}

    def _fetch(self, name: str) -> bool:
        """Whether a result is in the cache, where it is brought from the store if that has it."""
        return has_result(self._settings, self._ledger, self._store, name)

    def _carry(self, message: Message) -> None:
        name = str(message["name"])
        carry_result(self._ledger, self._store, _inside(self._settings.experts.resolve(), name), name)


def carry_result(ledger: Ledger, store: Store, path: Path, name: str) -> None:
    """Take a result of the cache to the store, for workers with another HOME. Raises OSError of the store."""
    ledger.sharing.keep_result(name, Stored(*store.put(path)))


def has_result(settings: Settings, ledger: Ledger, store: Store, name: str) -> bool:
    """Whether a result is in the cache, brought from the store if need be. Raises OSError of the store."""
    path = _inside(settings.experts.resolve(), name)
    if path.exists():
        return True
    return settings.store_url is not None and fetch_result(ledger, store, name, path)


def fetch_result(ledger: Ledger, store: Store, name: str, path: Path) -> bool:
    """Whether the store has a result; then it lies at the path. Raises OSError of the store."""
    found = ledger.sharing.result(name)
    if found is None:
        return False
    try:
        store.fetch(found.sha256, path)
    except LookupError:
        ledger.sharing.forget_result(name)
        return False
    return True


def _inside(folder: Path, name: str) -> Path:
    if Path(name).name != name:
        raise ValueError(f"{name!r} is no name of a result")
    return folder / name
