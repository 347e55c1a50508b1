"""Uploads whose connection broke: what came of them waits for the rest, in the process that took it in."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

from core.ledger import AWAY

if TYPE_CHECKING:
    from api.arrivals import Arrival

PATIENCE: Final = 600.0
"""Seconds that the rest may be away."""
Key = tuple[str, str]
"""An owner, and the SHA-256 of the whole file."""


@final
@dataclass(frozen=True)
class _Left:
    arrival: Arrival
    place: AsyncExitStack
    """Closed with an exception it deletes what has arrived; without one, the upload is inspected."""
    end: asyncio.TimerHandle


@final
class Interrupted:
    """The uploads that wait for their rest. Used on the event loop alone, so that nobody is given one twice."""

    def __init__(self) -> None:
        self._left: dict[Key, _Left] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def received(self, key: Key) -> int:
        """Bytes that are here of the file; 0 where nothing waits."""
        left = self._left.get(key)
        return left.arrival.length if left else 0

    async def keep(self, key: Key, arrival: Arrival, place: AsyncExitStack) -> None:
        """Let an upload wait, in the place of an earlier attempt at the same file."""
        earlier = self._pop(key)
        end = asyncio.get_running_loop().call_later(PATIENCE, self._expire, key)
        self._left[key] = _Left(arrival, place, end)
        await _delete(earlier)

    def take(self, key: Key, place: AsyncExitStack) -> Arrival:
        """An upload that waits, which closes with `place` from now on. Raises KeyError where none does."""
        left = self._pop(key)
        if left is None:
            raise KeyError(key)
        place.push_async_exit(left.place)
        return left.arrival

    async def drop(self, key: Key) -> None:
        """Delete what waits of a file, if anything does."""
        await _delete(self._pop(key))

    async def close(self) -> None:
        """Delete all that waits."""
        for key in list(self._left):
            await self.drop(key)

    def _pop(self, key: Key) -> _Left | None:
        left = self._left.pop(key, None)
        if left:
            left.end.cancel()
        return left

    def _expire(self, key: Key) -> None:
        ending = asyncio.get_running_loop().create_task(_delete(self._pop(key)))
        self._ending.add(ending)  # else nothing would hold it
        ending.add_done_callback(self._ending.discard)


async def _delete(left: _Left | None) -> None:
    if left:
        gone = TimeoutError("the rest of an upload did not come")
        with suppress(TimeoutError, *AWAY):  # a database that is away keeps its room until the next start
            await left.place.__aexit__(TimeoutError, gone, None)
