"""`/methods`: the catalogue, by family."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from api.dashboard.new import families
from api.dashboard.rendering import page
from core.methods import Method

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/methods")
def show_methods(request: Request, q: Annotated[str, Query(max_length=200)] = "") -> HTMLResponse:
    """Every method with its equation, its citation, its paper's numbers, and when (not) to use it; `q` picks some."""
    known = families()
    found = {method.name for each in known.values() for method in each if _matches(method, q)}
    return page(request, "methods.html", families=known, q=q.strip(), found=found)


def _matches(method: Method, q: str) -> bool:
    """Whether every word of the query is somewhere in the method's entry."""
    texts = (method.name, method.family, method.title, method.summary, method.equation, method.citation)
    told = " ".join((*texts, method.published, method.use, method.avoid)).lower()
    return all(word in told for word in q.lower().split())
