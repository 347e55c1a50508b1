"""The other workers as an engine reaches them: it asks its supervisor on the channel, and hears by its life line."""

from __future__ import annotations

import hashlib
import json
import queue
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, final

import torch

from core.engine.crew import Answer
from core.engine.journal import Journal
from core.engine.kernels import environment
from core.request import ENGINE_VERSION

_PATIENCE: Final = 15.0
"""Seconds to wait for an answer: a database may be slow, and what comes late is made here."""
_FETCHING: Final = 600.0
"""Seconds to wait for a file to come from the store, or to be taken there."""


def conditions(device: torch.device) -> str:
    """A name of all that bits depend on here, beside the order of a part: processor, threads, libraries."""
    known = [ENGINE_VERSION, *environment(device)]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:32]


@final
class Line:
    """The supervisor's end, to be asked one thing at a time."""

    def __init__(self) -> None:
        self._heard: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._asked = 0

    def hear(self, line: bytes) -> None:
        """Take one line of the life line; one that means nothing must not end who watches it."""
        with suppress(ValueError):
            self._heard.put(json.loads(line))

    def ask(self, journal: Journal, patience: float, **question: Any) -> dict[str, Any] | None:
        """The supervisor's answer; None where there is none in time."""
        self._asked += 1
        journal.say({"type": "ask", "number": self._asked, **question})
        try:
            while (answer := self._heard.get(timeout=patience))["number"] != self._asked:
                pass  # of a question whose asker waits no more
        except queue.Empty:
            return None
        return answer

    def next_part(self, journal: Journal) -> dict[str, Any]:
        """Another part of the job whose last one lies in the cache now; empty if there is none to make here."""
        answer = self.ask(journal, _FETCHING, what="next")
        return answer["part"] if answer and answer.get("part") else {}


@final
@dataclass(frozen=True)
class Crew:
    """A `core.engine.crew.Crew` by way of the supervisor."""

    line: Line
    journal: Journal
    worth: float
    device: torch.device
    kernels: dict[str, Any] = field(default_factory=dict)
    """An order has this beside the engine's own words."""

    def offer(self, parts: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """The method of `Crew`, like all that follow."""
        under = conditions(self.device)
        offered = [{"name": name, "conditions": under, "order": order | self.kernels} for name, order in parts]
        needs = any(order.get("needs") for _, order in parts)  # which first go to the store
        self.line.ask(self.journal, _FETCHING if needs else _PATIENCE, what="offer", parts=offered)

    def turn(self) -> Answer | None:
        """Asked of the ledger."""
        heard = self._ask("turn")
        return (
            None if heard is None or "made" not in heard else Answer(heard["part"], heard["waits"], (*heard["made"],))
        )

    def made(self, part: str) -> None:
        """Told to the ledger."""
        self._ask("made", part=part)

    def withdraw(self) -> None:
        """In the ledger."""
        self._ask("withdraw")

    def fetch(self, name: str) -> bool:
        """Whether another worker's result of that name is in the cache now."""
        heard = self.line.ask(self.journal, _FETCHING, what="fetch", name=name)
        return heard is not None and bool(heard.get("fetched"))

    def kept(self, name: str) -> None:
        """A result is in the cache, for the supervisor to take to the store."""
        self.journal.say({"type": "kept", "name": name})

    def _ask(self, what: str, **more: Any) -> dict[str, Any] | None:
        return self.line.ask(self.journal, _PATIENCE, what=what, **more)
