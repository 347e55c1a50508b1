"""`GET /v1/jobs`: the list of jobs, filtered, in an order, page by page."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from api.pagination import After, Limit, cursor, position_of
from api.problems import Kind, invalid, responses
from api.schemas import JobPage
from api.services import Services, ServicesDep
from api.shown_jobs import shown, written
from core import ledger
from core.ids import is_id
from core.metadata import MOST_METADATA
from core.recipe import FieldError

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=responses(Kind.INVALID_REQUEST))

_PREFIX: Final = "metadata."
_BY_METADATA: Final[dict[str, Any]] = {
    "name": "metadata",
    "in": "query",
    "style": "form",
    "explode": True,
    "description": "`metadata.commit=abc`: only jobs with exactly this word under this key of their metadata.",
    "schema": {"type": "object"},
    "example": {"metadata.commit": "abc"},
}
_MOST: Final = 2**31 - 1


async def _wanted(request: Request) -> dict[str, str]:
    """The metadata that jobs of a list are to have: what the query says as `metadata.KEY=VALUE`.

    Raises:
        ProblemError: INVALID_REQUEST, it says one thing twice, or `metadata` without a key.
    """
    given = request.query_params.multi_items()
    names = [name for name, _ in given if not name.startswith(_PREFIX)]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise invalid([FieldError(twice, "It is given more than once.", f"Give {twice} once.")])
    if "metadata" in names:
        told = "Jobs are found by one key of their metadata and its value."
        raise invalid([FieldError("metadata", told, "Write metadata.KEY=VALUE, for instance metadata.commit=abc.")])
    return {name.removeprefix(_PREFIX): value for name, value in given if name.startswith(_PREFIX)}


@router.get(
    "",
    operation_id="list_jobs",
    summary="List jobs, newest first",
    response_model=JobPage,
    responses=responses(Kind.INVALID_CURSOR),
    openapi_extra={"parameters": [_BY_METADATA]},
)
def list_jobs(
    services: ServicesDep,
    metadata: Annotated[dict[str, str], Depends(_wanted)],
    status: Annotated[ledger.Status | None, Query(description="Only jobs in this status.")] = None,
    dataset: Annotated[
        str | None, Query(max_length=200, description="Only jobs on this dataset, by name or title.")
    ] = None,
    method: Annotated[str | None, Query(max_length=200, description="Only jobs of this method.")] = None,
    q: Annotated[
        str | None,
        Query(
            max_length=200, description="Only jobs whose id, dataset, method or a word of whose metadata contains this."
        ),
    ] = None,
    sort: Annotated[
        ledger.Sort,
        Query(
            description="The newest or the oldest first, the most accurate, or those of the fewest images a class, "
            "which leaves out advice."
        ),
    ] = "newest",
    limit: Limit = 50,
    after: After = None,
) -> Response:
    """Jobs in the order of their submission, newest first, unless `sort` says otherwise.

    A new submission never shifts a page. By accuracy, jobs without one come last.
    """
    jobs, following = _found(services, ledger.Filters(status, dataset, method, q, metadata), sort, limit, after)
    items, end = b",".join(written(job) for job in jobs), json.dumps(following).encode()
    return Response(b'{"items":[' + items + b'],"next":' + end + b"}", media_type="application/json")


def listed(services: Services, filters: ledger.Filters, sort: ledger.Sort, limit: int, after: str | None) -> JobPage:
    """A page of the jobs that the filters leave.

    Raises:
        ProblemError: INVALID_CURSOR, `after` is none of this list's.
    """
    jobs, following = _found(services, filters, sort, limit, after)
    return JobPage(items=[shown(job) for job in jobs], next=following)


def _found(
    services: Services, filters: ledger.Filters, sort: ledger.Sort, limit: int, after: str | None
) -> tuple[list[ledger.Job], str | None]:
    """The jobs of a page, and the cursor of the next one. Raises ProblemError: INVALID_CURSOR."""
    listing = f"jobs?status={filters.status!r}&dataset={filters.dataset!r}&method={filters.method!r}&q={filters.q!r}"
    if filters.metadata or sort != "newest":
        listing += f"&{sort=}&metadata={sorted((filters.metadata or {}).items())}"
    position = None if after is None else position_of(listing, after, _position(sort))
    if len(filters.metadata or {}) > MOST_METADATA:
        return [], None
    jobs, following = services.ledger.page(filters, sort, limit, position)
    return jobs, cursor(listing, [_plain(part) for part in following]) if following else None


def _plain(part: float | datetime | str) -> str | float:
    return part.isoformat() if isinstance(part, datetime) else part


def _position(sort: ledger.Sort) -> Callable[..., ledger.Position]:
    """Reads a place in such a list: in some a number, then when a job was submitted, then its id."""

    def submitted(created_at: str, job_id: str) -> ledger.Position:
        at = datetime.fromisoformat(created_at)
        if at.tzinfo is None or not is_id("job", job_id):
            raise ValueError("no job's place in the list")
        return at.astimezone(UTC), job_id

    def numbered(number: float, created_at: str, job_id: str) -> ledger.Position:
        exact = int(number) if sort == "ipc" else float(number)
        if abs(exact) > _MOST:
            raise ValueError("no number of a job's")
        return exact, *submitted(created_at, job_id)

    return numbered if sort in ("accuracy", "ipc") else submitted
