"""`/v1/jobs/{id}/links` and `/v1/links/{token}`: files of a finished job for people and programs without a key."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Body, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.artifacts import BLOB, Succeeded, archive, content, file_of
from api.downloads import send
from api.problems import Kind, ProblemError, invalid, responses
from api.schemas import Shown
from api.services import ServicesDep
from core.durations import FORM, seconds_of
from core.recipe import FieldError

router = APIRouter(prefix="/v1", tags=["artifacts"], responses=responses(Kind.INVALID_REQUEST))

LONGEST: Final = 30 * 86_400
"""Seconds that a link may live."""


class LinkOrder(BaseModel):
    """A link to be made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = Field(
        default=None, min_length=1, max_length=500, description="The file that it leads to. Default: all, as one zip."
    )
    expires_in: str = Field(default="24h", description="How long it lives, 30d at most.", examples=["24h", "7d"])


class Link(Shown):
    """A link, which needs no key."""

    url: str = Field(description="Its path; who has it has the file.")
    name: str | None
    expires_at: datetime


@router.post(
    "/jobs/{id}/links",
    operation_id="create_link",
    summary="Make a download link",
    status_code=201,
    responses=responses(Kind.UNKNOWN_JOB, Kind.UNKNOWN_FILE, Kind.NOT_SUCCEEDED, Kind.MALFORMED_BODY),
)
def create_link(services: ServicesDep, job: Succeeded, order: Annotated[LinkOrder | None, Body()] = None) -> Link:
    """A link to a file, or to all as one zip, for a CI job, a notebook or a colleague that has no key.

    It ends by its date, with the job, and with the key that it was made with.
    """
    order = order or LinkOrder()
    if order.name is not None:
        file_of(services, job, order.name)
    try:
        seconds = seconds_of(order.expires_in)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= LONGEST:
        told = f"A link lives for {FORM}, and 30 days at most."
        raise invalid([FieldError("expires_in", told, "Set expires_in to '24h', or leave it out.")])
    key_id = services.caller.id if services.caller else None
    token, ends = services.ledger.links.create(job.id, order.name, timedelta(seconds=seconds), key_id)
    return Link(url=f"/v1/links/{token}", name=order.name, expires_at=ends)


@router.get(
    "/links/{token}",
    operation_id="follow_link",
    summary="Download by a link",
    response_class=Response,
    responses=content("*/*", "The file, or the archive.", "any") | BLOB | responses(Kind.UNKNOWN_LINK),
)
@router.head("/links/{token}", include_in_schema=False)
def follow_link(
    request: Request,
    services: ServicesDep,
    token: Annotated[str, Path(max_length=100, description="As the link has it.")],
) -> Response:
    """The bytes, as `get_file` and `get_archive` give them; no key is asked for."""
    found = services.ledger.links.find(token)
    if found is None:
        hint = "Links end by their date, with their job, and with the key that they were made with: ask for a new one."
        raise ProblemError(Kind.UNKNOWN_LINK, "Nothing is behind this link any more.", hint=hint)
    if found.whole:
        return archive(request, services.store, found.job, found.files)
    return send(request, services.store, found.files[0])
