"""Exceptions that reach the edge of the application, translated into problem documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_type_hints

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match

from api.dashboard.refusal import respond
from api.disk import full, is_full
from api.problems import Kind, ProblemError, invalid
from core.ledger import AWAY, UnknownJob
from core.overrides import MOST_ERRORS, fields_at, fix, nearest
from core.recipe import FieldError

log = structlog.stdlib.get_logger(__name__)

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def install(app: FastAPI) -> None:
    """Answer every exception an operation may end with as a problem document (the middleware answers the rest)."""
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(UnknownJob, _unknown_job)
    for away in AWAY:
        app.add_exception_handler(away, _unavailable)


def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return respond(request, error)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    details = error.errors()
    if details and details[0]["type"] == "json_invalid":
        return respond(request, _malformed(details[0], error.body))
    return respond(request, invalid([_explain(detail, request) for detail in details[:MOST_ERRORS]]))


def _unknown_job(request: Request, error: Exception) -> Response:
    """The answer about a job that is not there, or that somebody has deleted while the request was under way."""
    hint = "GET /v1/jobs lists the jobs there are."
    return respond(request, ProblemError(Kind.UNKNOWN_JOB, "No job has the id in the path.", hint=hint))


def _http(request: Request, error: Exception) -> Response:
    """The answer to a refusal by the framework itself: of a path, a method, a body it cannot read."""
    assert isinstance(error, HTTPException)
    path, method = request.url.path, request.method
    match error.status_code:
        case 404:
            hint = "GET /docs lists every operation."
            return respond(request, ProblemError(Kind.NOT_FOUND, f"Nothing is at {path}.", hint=hint))
        case 405:
            allow = ", ".join(_methods(request))
            problem = ProblemError(
                Kind.METHOD_NOT_ALLOWED,
                f"{path} does not answer {method}.",
                hint=f"It answers {allow}.",
                headers={"Allow": allow},
            )
            return respond(request, problem)
        case 400:
            detail = "The body cannot be read as UTF-8 JSON, or holds a number or a nesting beyond any use."
            return respond(request, ProblemError(Kind.MALFORMED_BODY, detail, hint="Send a small JSON object."))
    raise error


def _unavailable(request: Request, error: Exception) -> Response:
    return respond(request, database_away(error))


def database_away(error: Exception) -> ProblemError:
    """The answer while the database restarts, is full, or has no connection left: the same request may succeed soon."""
    log.error("database away", reason=str(error))
    if is_full(error):
        return full()
    headers = {"Retry-After": "5"}
    return ProblemError(Kind.NOT_READY, "The database does not answer.", hint="Try again.", headers=headers)


def _malformed(detail: Mapping[str, Any], body: object) -> ProblemError:
    at = detail["loc"][-1]
    text = body if isinstance(body, str) else ""
    line, column = text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1
    message = f"{detail['ctx']['error']} at line {line}, column {column}."
    return ProblemError(
        Kind.MALFORMED_BODY,
        message,
        errors=[FieldError("body", message, "Put keys and strings in double quotes, and no comma before a bracket.")],
    )


def _explain(detail: Mapping[str, Any], request: Request) -> FieldError:
    """One of pydantic's errors as the field, the fault and the fix."""
    place, *path = detail["loc"]
    field = ".".join(str(step) for step in path) or str(place)
    if detail["type"] == "missing":
        return FieldError(field, f"The {place} lacks '{field}'." if path else "There is no body.", "Add it.")
    if detail["type"] == "meaningless":
        context = detail["ctx"]
        return FieldError(context["field"], context["message"], context["fix"])
    if detail["type"] == "extra_forbidden":
        known = [name for model in _bodies(request) for name in fields_at(model, path)]
        return FieldError(field, f"There is no field '{field}'.", nearest(str(path[-1]), known))
    return FieldError(field, f"{detail['msg']}.", fix(detail) or "GET /docs describes the field.")


def _bodies(request: Request) -> Iterator[type[BaseModel]]:
    """The model of the body that the operation takes, if it takes one."""
    hints = get_type_hints(request.scope["endpoint"])
    hints.pop("return", None)
    yield from (hint for hint in hints.values() if isinstance(hint, type) and issubclass(hint, BaseModel))


def _methods(request: Request) -> Sequence[str]:
    """The methods that the path answers, over all routes: the framework names those of the first match only."""
    return [method for method in _METHODS if _answers(request, method)]


def _answers(request: Request, method: str) -> bool:
    scope = {**request.scope, "method": method}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)
