"""`/v1/jobs/{id}/events`: a job's history, as a page or as a stream."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse

from api.known_job import Known
from api.pagination import Limit
from api.problems import Kind, responses
from api.schemas import Event, EventPage
from api.services import ServicesDep
from api.streaming import stream
from core.ledger import ENDED

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=responses(Kind.INVALID_REQUEST))

_Seq = Annotated[int, Query(ge=0, lt=2**31, description="Only events with a greater `seq`.")]
_LastEventId = Annotated[
    str | None,
    Header(pattern=r"^[0-9]{1,9}$", description="What a browser sends when it reconnects; wins over `after`."),
]
_STREAM: dict[str, Any] = {
    "description": "A page of events; with `Accept: text/event-stream`, all of them as they happen.",
    "content": {
        "text/event-stream": {
            "schema": {"type": "string"},
            "example": 'event: progress\ndata: {"seq": 7, "type": "progress", "at": "...", "data": {}}\nid: 7\n\n',
        }
    },
}


@router.get(
    "/{id}/events",
    operation_id="list_events",
    summary="Read or follow a job's events",
    response_model=EventPage,
    responses={
        200: _STREAM,
        204: {"description": "Resumed after the last event of a job that is over: a browser stops reconnecting."},
        **responses(Kind.UNKNOWN_JOB),
    },
)
def list_events(
    services: ServicesDep,
    job: Known,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
    after: _Seq = 0,
    limit: Limit = 200,
    last_event_id: _LastEventId = None,
) -> EventPage | Response:
    """The job's history after `after`, oldest first.

    With `Accept: text/event-stream` it goes on as server-sent events: the id is the event's `seq`, the data the same
    object as on the page. A stream that reconnects with `Last-Event-ID` misses nothing and repeats nothing. It ends
    after the job's last event.
    """
    if "text/event-stream" not in accept.lower():
        events = services.ledger.events(job.id, after, limit + 1)
        items = [Event.model_validate(asdict(event)) for event in events[:limit]]
        return EventPage(items=items, next=items[-1].seq if len(events) > limit else None)
    if last_event_id is not None:
        after = int(last_event_id)
        if job.status in ENDED and not services.ledger.events(job.id, after, 1):
            return Response(status_code=204)
    return StreamingResponse(
        services.metrics.counted(stream(services, job, after)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )
