"""`/docs` and `/problems`: the reference of the API, without a script and without another host."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api import reference
from api.dashboard.rendering import page
from api.problems import Kind

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/docs")
def show_reference(request: Request) -> HTMLResponse:
    """The reference of the API."""
    document = request.app.openapi()
    return page(
        request,
        "docs.html",
        description=document["info"]["description"],
        groups=reference.groups(document),
        objects=reference.objects(document),
        base=str(request.base_url).rstrip("/"),
    )


@router.get("/problems")
def show_problems(request: Request) -> HTMLResponse:
    """Every kind of problem document."""
    return page(request, "problems.html", kinds=sorted(Kind, key=lambda kind: (kind.status, kind.slug)))
