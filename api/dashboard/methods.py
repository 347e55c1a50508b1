"""`/methods`: the catalogue, by family."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.dashboard.new import families
from api.dashboard.rendering import page

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/methods")
def show_methods(request: Request) -> HTMLResponse:
    """Every method with its equation, its citation, its paper's numbers, and when (not) to use it."""
    return page(request, "methods.html", families=families())
