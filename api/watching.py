"""A watch on the ledger that all streams share: one look for news, and one reading of the events that are new.

So a thousand open streams cost the database no more than the jobs that they follow.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Final, final

import anyio
from fastapi.sse import format_sse_event
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from api.schemas import Event
from core.ledger import ENDED, Ledger, Standing

_PAUSE: Final = 0.1
_TRUST: Final = 1.0
"""Seconds for which a key that was found to be good is taken to be good."""
_BATCH: Final = 200
_LAST: Final = frozenset(f"job.{status}" for status in ENDED)


@final
@dataclass(frozen=True)
class Told:
    """Events in a row, as a stream tells them.

    `last` is the number of the last one, and of none that which they would come after. The last one may end the job
    (`over`), and there may be `more` already.
    """

    chunks: Sequence[bytes]
    last: int
    over: bool
    more: bool


@final
class Watch:
    """Asks the ledger how jobs stand while anybody waits for one. Used on the event loop alone.

    Once `closing` is set nobody waits any more.
    """

    def __init__(self, ledger: Ledger, closing: threading.Event) -> None:
        self._ledger = ledger
        self._closing = closing
        self._waiting: dict[str, dict[asyncio.Event, Callable[[Standing], bool]]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._reading: dict[tuple[str, int], asyncio.Task[Told]] = {}
        self._keys: dict[str, tuple[float, asyncio.Task[bool]]] = {}

    async def until(self, job_id: str, wanted: Callable[[Standing], bool], seconds: float) -> bool:
        """Wait until a job stands as `wanted`, or is gone, or nobody can tell; False where the time was up first."""
        told = asyncio.Event()
        others = self._waiting.setdefault(job_id, {})
        others[told] = wanted
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            with anyio.move_on_after(seconds):
                await told.wait()
        finally:
            del others[told]
            if not others:
                del self._waiting[job_id]
        return told.is_set()

    async def events(self, job_id: str, after: int) -> Told:
        """The events after a number; who asks for the same while they are read gets the same.

        So they may be those of a moment ago; `until` tells of later ones. Raises UnknownJob.
        """
        key = job_id, after
        reading = self._reading.get(key)
        if reading is None or reading.done():
            reading = self._reading[key] = asyncio.create_task(run_in_threadpool(self.read, job_id, after))
            reading.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(reading)

    async def good(self, key_id: str) -> bool:
        """Whether a key is good, or was a second ago; all who ask of one key within that second share the look."""
        now = time.monotonic()
        if key_id not in self._keys or now - self._keys[key_id][0] > _TRUST:
            self._keys = {other: look for other, look in self._keys.items() if now - look[0] <= _TRUST}
            self._keys[key_id] = now, asyncio.create_task(run_in_threadpool(self._ledger.keys.good, key_id))
        return await asyncio.shield(self._keys[key_id][1])

    def read(self, job_id: str, after: int) -> Told:
        """The events after a number as they are now. Raises UnknownJob."""
        events = [Event.model_validate(asdict(event)) for event in self._ledger.events(job_id, after, _BATCH)]
        return Told(
            [format_sse_event(id=str(each.seq), event=each.type, data_str=each.model_dump_json()) for each in events],
            last=events[-1].seq if events else after,
            over=bool(events) and events[-1].type in _LAST,
            more=len(events) == _BATCH,
        )

    def _forget(self, key: tuple[str, int], reading: asyncio.Task[Told]) -> None:
        if self._reading.get(key) is reading:
            del self._reading[key]
        if not reading.cancelled():
            reading.exception()  # whoever still waits for it is told

    async def _look(self) -> None:
        while self._waiting:
            await asyncio.sleep(_PAUSE)
            followed = [*self._waiting]
            try:
                standing = await run_in_threadpool(self._ledger.standing, followed)
            except SQLAlchemyError:  # whoever waits looks for themselves, and is told of it
                standing = {}
            for job_id in followed:
                now = standing.get(job_id)
                for told, wanted in self._waiting.get(job_id, {}).items():
                    if now is None or wanted(now) or self._closing.is_set():
                        told.set()
