"""A problem as a person's browser shows it; for every other client the problem document."""

from __future__ import annotations

from fastapi import Request, Response

from api import problems
from api.dashboard.rendering import page
from api.problems import ProblemError


def respond(request: Request, problem: ProblemError) -> Response:
    """The problem as a page where a page was asked for, else as a problem document."""
    if request.url.path.startswith("/v1/") or "text/html" not in request.headers.get("accept", ""):
        return problems.respond(request, problem)
    identity = request.scope.get("request_id", "")
    response = page(request, "problem.html", problem.kind.status, problem=problem, identity=identity)
    response.headers.update(problem.headers or {})
    return response
