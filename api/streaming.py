"""Waiting for a job: the long poll and the event stream. Neither holds a thread or a database connection meanwhile."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Final

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from api.auth import not_good
from api.services import Services
from core.ledger import ENDED, Job, Standing, UnknownJob

_PING: Final = 15.0
_PRESENCE: Final = 1.0
"""Seconds after which a long poll looks whether its client is still there."""


async def changed(services: Services, job: Job, seconds: float, request: Request) -> Job:
    """The job once its status is another than now; as it is when the time is up, the client or the service leaves.

    Raises ProblemError where the caller's key is good no more.
    """
    deadline = time.monotonic() + seconds
    before = job.status

    def wanted(standing: Standing) -> bool:
        return standing.status != before

    while job.status == before and before not in ENDED and not services.closing.is_set():
        left = deadline - time.monotonic()
        if left <= 0 or await request.is_disconnected():
            break
        if await services.watch.until(job.id, wanted, min(left, _PRESENCE)) or left <= _PRESENCE:
            job = await run_in_threadpool(services.ledger.job, job.id)
    if not await _may_listen(services):
        raise not_good()
    return job


async def stream(services: Services, job: Job, after: int) -> AsyncIterator[bytes]:
    """Every event after `after` as server-sent events, gap-free, until the job is over or gone, or the service leaves.

    It ends with the caller's key, too: a second after that was revoked or expired nothing new is told.

    `job` must have been read before the call: a job that was over by then has written its last event.
    """
    alone = over = job.status in ENDED
    spoke = time.monotonic()
    yield format_sse_event(retry=1000)
    while not services.closing.is_set():
        if not await _may_listen(services):
            return  # a client that reconnects is told why
        try:
            if alone:  # a reading that others share may have begun before the job was over, and lack its end
                told = await run_in_threadpool(services.watch.read, job.id, after)
            else:
                told = await services.watch.events(job.id, after)
        except UnknownJob:
            return  # deleted: a client that reconnects is told so
        alone = False
        for chunk in told.chunks:
            yield chunk
        if told.chunks:
            # A retry may follow an end, so the end is an event with nothing after it.
            after, over, spoke = told.last, told.over, time.monotonic()
            if over or told.more:
                continue
        elif over:
            return
        elif time.monotonic() - spoke > _PING:
            spoke = time.monotonic()
            yield KEEPALIVE_COMMENT
        await services.watch.until(job.id, partial(_is_beyond, after), _PING / 3)


async def _may_listen(services: Services) -> bool:
    """Whether the caller's key has neither been revoked nor expired since the request was let in."""
    return services.caller is None or await services.watch.good(services.caller.id)


def _is_beyond(seq: int, standing: Standing) -> bool:
    return standing.last_seq > seq
