"""Waiting for a job: the long poll and the event stream. Neither holds a database connection between two looks."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from typing import Final

import anyio
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from api.schemas import Event
from api.services import Services
from core.ledger import ENDED, Job, UnknownJob

_LAST: Final = frozenset(f"job.{status}" for status in ENDED)
_FIRST_PAUSE: Final = 0.1
_LAST_PAUSE: Final = 1.0
_PING: Final = 15.0
_BATCH: Final = 200


async def changed(services: Services, job: Job, seconds: float, request: Request) -> Job:
    """The job once its status is another than now; as it is when the time is up, the client or the service leaves."""
    deadline = time.monotonic() + seconds
    before = job.status
    pauses = _pauses()
    while job.status == before and before not in ENDED and not services.closing.is_set():
        pause = min(next(pauses), deadline - time.monotonic())
        if pause <= 0 or await request.is_disconnected():
            break
        await anyio.sleep(pause)
        job = await run_in_threadpool(services.ledger.job, job.id)
    return job


async def stream(services: Services, job: Job, after: int) -> AsyncIterator[bytes]:
    """Every event after `after` as server-sent events, gap-free, until the job is over or gone, or the service leaves.

    `job` must have been read before the call: a job that was over by then has written its last event.
    """
    over, spoke, pauses = job.status in ENDED, time.monotonic(), _pauses()
    checked = spoke
    yield format_sse_event(retry=1000)
    while not services.closing.is_set():
        if services.caller is not None and time.monotonic() - checked > _PING:
            checked = time.monotonic()
            if not await run_in_threadpool(services.ledger.keys.good, services.caller.id):
                return  # a client that reconnects is told why
        try:
            events = await run_in_threadpool(services.ledger.events, job.id, after, _BATCH)
        except UnknownJob:
            return  # deleted: a client that reconnects is told so
        for event in events:
            shown = Event.model_validate(asdict(event))
            yield format_sse_event(id=str(event.seq), event=event.type, data_str=shown.model_dump_json())
        if events:
            # A retry may follow an end, so the end is an event with nothing after it.
            after, over = events[-1].seq, events[-1].type in _LAST
            spoke, pauses = time.monotonic(), _pauses()
            if over or len(events) == _BATCH:
                continue
        elif over:
            return
        elif time.monotonic() - spoke > _PING:
            spoke = time.monotonic()
            yield KEEPALIVE_COMMENT
        await anyio.sleep(next(pauses))


def _pauses() -> Iterator[float]:
    """Seconds between two looks: few just after something happened, then more, so that many may watch a quiet job."""
    pause = _FIRST_PAUSE
    while True:
        yield pause
        pause = min(1.5 * pause, _LAST_PAUSE)
