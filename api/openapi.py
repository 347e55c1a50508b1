"""The OpenAPI document: generated, then made whole. `python -m api.openapi` writes docs/openapi.json."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.auth import may_be_seen_by_all
from api.health import VERSION
from api.problems import Kind, Problem, header, responses

FILE: Final = Path(__file__).parent.parent / "docs" / "openapi.json"

_DESCRIPTION: Final = """\
Stillhouse turns a dataset into a few synthetic images that train a model nearly as well, and says honestly how nearly.

Ask for a job (`POST /v1/jobs`), wait for it (`GET /v1/jobs/{id}?wait=30`, or its event stream), take its files
(`GET /v1/jobs/{id}/files`). A job is `queued`, `running`, then `succeeded`, `failed` or `cancelled`; `cancelling` lies
between running and cancelled. A `paused` job waits until it is resumed; while it is `pausing`, its worker saves it.
Times are RFC 3339 in UTC, ids are opaque, absent values are null.

Every error is an RFC 9457 problem document (`application/problem+json`); the page `/problems` explains each kind.
Every response carries `X-Request-Id`. Lists are pages: send `next` as `after` until it is null. More phases and error
codes may come, more statuses will not.
"""
_TAGS: Final = [
    {"name": "jobs", "description": "Ask for distilled datasets, follow them, end them."},
    {"name": "forecasts", "description": "What a job would cost, before it is asked for."},
    {"name": "advice", "description": "Whether a job is worth it, and how many images it takes."},
    {
        "name": "artifacts",
        "description": "What a finished job has made: files with checksums, picture, report.",
    },
    {"name": "datasets", "description": "What can be distilled."},
    {"name": "methods", "description": "The ways to distil, with their papers and their recipes."},
    {"name": "webhooks", "description": "Addresses that are told when something has ended."},
    {"name": "keys", "description": "Who may ask, where the service wants to know."},
    {"name": "operations", "description": "For the people who keep the service running."},
]


def install(app: FastAPI) -> None:
    """Let the application serve this document instead of the framework's."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # the framework's own hook


def text(app: FastAPI) -> str:
    """The document as it is committed: indented, in the order of the code."""
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title="Stillhouse",
        version=VERSION,
        summary="Distilled datasets on demand.",
        description=_DESCRIPTION,
        tags=_TAGS,
        routes=app.routes,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    schemas = document["components"]["schemas"]
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs") | {"Problem": problem}
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    how = "A key of `stillhouse key create`, where the service runs with STILLHOUSE_AUTH=keys; else nothing."
    document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "description": how}}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            _complete(path, method, operation)
    return document


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """Add what every operation may answer, and the header that every answer carries."""
    always = [Kind.INTERNAL, Kind.NOT_READY, Kind.MISDIRECTED]
    if not may_be_seen_by_all(path):
        operation["security"] = [{}, {"key": []}]
        always += [Kind.UNAUTHENTICATED, Kind.FORBIDDEN, Kind.TOO_MANY_REQUESTS]
    if method != "get":
        always.append(Kind.CROSS_ORIGIN)
    for status, entry in responses(*always).items():
        operation["responses"].setdefault(str(status), entry)
    for entry in operation["responses"].values():
        entry["headers"] = entry.get("headers", {}) | header("X-Request-Id", "Names this request in the service's log.")
    operation["responses"] = dict(sorted(operation["responses"].items()))


if __name__ == "__main__":
    from api.app import create_app
    from core.settings import Settings

    with tempfile.TemporaryDirectory() as home:
        FILE.write_text(text(create_app(Settings(home=Path(home), database_url=None, store_url=None))), "utf-8")
