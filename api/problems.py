"""Everything that can go wrong in a request, said once: RFC 9457 problem documents.

A `Kind` is stable: its slug ends the document's `type`, a client may branch on it, and the page `/problems` explains
it. What happened this time, and what to do about it, is in `detail`, `hint` and `errors`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, final

from fastapi import HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from core.overrides import MOST_ERRORS
from core.recipe import FieldError

MEDIA_TYPE = "application/problem+json"
_FILE = re.compile(r"[^:]+\.npz: ", re.IGNORECASE)

_LONGEST = 400


@final
class Kind(Enum):
    """A sort of problem: HTTP status, title, and what it means wherever it appears."""

    MALFORMED_BODY = 400, "The body is not JSON", "The request body could not be parsed as UTF-8 JSON."
    INVALID_CURSOR = (
        400,
        "The cursor is not one of ours",
        "`after` must be the unchanged `next` of the previous page of the same list with the same filters.",
    )
    UNAUTHENTICATED = (
        401,
        "A key is needed",
        "The service answers to keys only. Show one as `Authorization: Bearer still_...`, or log in with a browser.",
    )
    FORBIDDEN = 403, "The key does not allow this", "Keys have scopes; `detail` names the one that is missing."
    RESULTS_FULL = (
        403,
        "The room for results is used up",
        "The owner's finished jobs have as many bytes of files as STILLHOUSE_MAX_RESULT_BYTES allows, or would "
        "have with those of open jobs. Deleting jobs makes room; a request that is equal to a finished job is "
        "answered all the same.",
    )
    CROSS_ORIGIN = (
        403,
        "Another site's page sent this",
        "A browser says that a page of another origin sent this change; only the service's own pages may.",
    )
    NOT_FOUND = 404, "There is nothing here", "The path belongs to no operation and no page."
    UNKNOWN_JOB = 404, "There is no such job", "No job has this id."
    UNKNOWN_DATASET = 404, "There is no such dataset", "The catalogue holds no dataset of this name."
    INVALID_DATASET = 409, "The dataset cannot be used", "Its bundle is there but broken; `detail` says how to mend it."
    UNKNOWN_KEY = 404, "There is no such key", "No key that you may see has this id."
    UNKNOWN_METHOD = 404, "There is no such method", "The catalogue holds no method of this name."
    UNKNOWN_FILE = 404, "The job has no such file", "The artifact of this job holds no file of this name."
    UNKNOWN_ARTIFACT = 404, "There is no such artifact", "No finished job has an artifact of this digest."
    UNKNOWN_WEBHOOK = 404, "There is no such webhook", "No webhook that you may see has this id."
    UNKNOWN_DELIVERY = (
        404,
        "There is no such delivery",
        "The webhook was sent nothing of this id, or it was longer ago than deliveries are kept.",
    )
    UNKNOWN_LINK = (
        404,
        "There is no such link",
        "It has ended, or its job or its key has, or there never was one.",
    )
    METHOD_NOT_ALLOWED = (
        405,
        "This path does not answer that method",
        "The path exists; the header `Allow` lists the methods that it answers.",
    )
    NOT_SUCCEEDED = 409, "The job has no result", "Files exist once a job has succeeded, and only then."
    UNREADABLE_REPORT = (
        409,
        "The report cannot be read",
        "The result is there, but its report.json is none that this version understands; `detail` says where it ends.",
    )
    ALREADY_FINISHED = (
        409,
        "The job is over",
        "A job that is over stays as it is, and one that is being cancelled will be over in a moment.",
    )
    DATASET_IN_USE = 409, "Jobs need the dataset", "An upload stays as long as jobs that are not over need it."
    KEYS_OFF = 409, "There are no keys here", "The service runs with STILLHOUSE_AUTH=off and asks nobody for a key."
    TOO_MANY_WEBHOOKS = 409, "There are as many webhooks as there may be", "An owner may have 20 of them."
    JOB_ACTIVE = (
        409,
        "The job is not over",
        "Only a job that is over can be deleted, and only once none needs it that goes on from it.",
    )
    NOT_RESUMABLE = (
        409,
        "The job cannot be resumed",
        "An equal job has been submitted since it was paused, and is queued or running.",
    )
    NOT_RETRYABLE = (
        409,
        "The job cannot be retried",
        "Only a failed or cancelled job can be queued again, and only while the uploads that it reads and the result "
        "that it goes on from are there.",
    )
    BODY_TOO_LARGE = (
        413,
        "The body is too large",
        "The request body exceeds STILLHOUSE_MAX_BODY_BYTES, or an upload STILLHOUSE_MAX_UPLOAD_BYTES.",
    )
    UNSUPPORTED_MEDIA_TYPE = (
        415,
        "The body is of another kind",
        "The header `Content-Type` must be `application/json`, or for an upload that of the file.",
    )
    RANGE_NOT_SATISFIABLE = (
        416,
        "The range lies outside the file",
        "`Content-Range` tells the file's length in bytes.",
    )
    MISDIRECTED = (
        421,
        "The service does not go by that name",
        "A service without keys answers under its own names only, so that no other site's page can pose as one of its: "
        "`localhost`, the machine's own, addresses, names without a dot, and those of STILLHOUSE_HOST_NAMES.",
    )
    INVALID_REQUEST = (
        422,
        "The request is not valid",
        "`errors` names every field at fault, what is wrong with it, and what to do.",
    )
    IDEMPOTENCY_CONFLICT = (
        422,
        "The idempotency key belongs to another request",
        "The same `Idempotency-Key` was sent with a different body within the last 24 hours.",
    )
    QUOTA_EXCEEDED = (
        429,
        "The quota is used up",
        "The owner of this key has as many queued and running jobs as they may; `Retry-After` says when to look again.",
    )
    TOO_MANY_REQUESTS = (
        429,
        "Too many requests",
        "An owner's keys may make so many requests a minute together, and an address may show so many keys that are "
        "not good; `Retry-After` says when the next one is welcome.",
    )
    INTERNAL = (
        500,
        "Something broke on our side",
        "The service has a fault. Its log holds the details under the `request_id`.",
    )
    NOT_READY = 503, "The service is not ready", "Something the service needs does not answer; try again."

    def __init__(self, status: int, title: str, meaning: str) -> None:
        self.status = status
        self.title = title
        self.meaning = meaning

    @property
    def slug(self) -> str:
        """The kind's name in documents: `unknown-job`."""
        return self.name.lower().replace("_", "-")

    @property
    def uri(self) -> str:
        """The `type` of a document of this kind: its paragraph on the page of problems."""
        return f"/problems#{self.slug}"


@final
class FieldProblem(BaseModel):
    """One field at fault."""

    field: str = Field(description="Path of the field, as in `overrides.objective.syn_steps`.")
    message: str = Field(description="What is wrong with it.")
    fix: str = Field(description="What to do about it.")


@final
class Problem(BaseModel):
    """An RFC 9457 problem document: the body of every error."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="The kind of problem, stable; the page it points to explains the kind.")
    title: str = Field(description="The kind in a few words.")
    status: int = Field(description="The HTTP status, repeated.")
    detail: str = Field(description="What happened this time.")
    instance: str = Field(description="The path of the request.")
    request_id: str = Field(description="The response's `X-Request-Id`; the service's log knows it.")
    hint: str | None = Field(default=None, description="What to do about it, where there is something to do.")
    errors: list[FieldProblem] | None = Field(default=None, description="Every field at fault.")


@final
class ProblemError(HTTPException):
    """Raise it anywhere in a request to answer with a problem document."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        hint: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(kind.status, detail, dict(headers or {}))
        self.kind = kind
        self.hint = hint
        self.errors = tuple(errors)
        self.extensions = extensions


def invalid(errors: Sequence[FieldError]) -> ProblemError:
    """The 422 that names the fields at fault (the first of them, should there be very many)."""
    told = [FieldError(_short(error.field), _short(error.message), error.fix) for error in errors[:MOST_ERRORS]]
    detail = " ".join(f"{error.field}: {error.message}" for error in told[:3])
    return ProblemError(Kind.INVALID_REQUEST, detail, errors=told)


def _short(text: str) -> str:
    """The text, cut in the middle if it is long, so that a message that quotes a client's text stays readable."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}...{text[-_LONGEST // 2 :]}"


def sentence(error: ValueError) -> str:
    """The message of an exception as a sentence of its own; the name of a file that it begins with stays as it is."""
    text = str(error)
    begun = text if _FILE.match(text) else f"{text[:1].upper()}{text[1:]}"
    return begun + ("" if text.endswith((".", "?", "!")) else ".")


def respond(request: Request, problem: ProblemError) -> Response:
    """The problem as a response to this request."""
    document = Problem(
        type=problem.kind.uri,
        title=problem.kind.title,
        status=problem.kind.status,
        detail=str(problem.detail),
        instance=request.scope.get("raw_path", b"/").decode("latin-1").partition("?")[0],
        request_id=request.scope.get("request_id", ""),
        hint=problem.hint,
        errors=[FieldProblem(field=e.field, message=e.message, fix=e.fix) for e in problem.errors] or None,
        **problem.extensions,
    )
    # Escaped to ASCII: a document may quote half a surrogate pair, which UTF-8 cannot spell.
    text = json.dumps(document.model_dump(exclude_none=True))
    return Response(text, problem.kind.status, headers=problem.headers, media_type=MEDIA_TYPE)


def header(name: str, description: str) -> dict[str, Any]:
    """The OpenAPI entry of a response header."""
    return {name: {"description": description, "schema": {"type": "string"}}}


def responses(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entries of the problems an operation can answer with: an entry a status, an example a kind."""
    entries: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        schema = {"$ref": "#/components/schemas/Problem"}
        entry = entries.setdefault(
            kind.status, {"description": kind.title, "content": {MEDIA_TYPE: {"schema": schema, "examples": {}}}}
        )
        if kind.title != entry["description"]:
            entry["description"] += f", or: {kind.title[0].lower()}{kind.title[1:]}"
        entry["content"][MEDIA_TYPE]["examples"][kind.slug] = {
            "summary": kind.title,
            "value": {
                "type": kind.uri,
                "title": kind.title,
                "status": kind.status,
                "detail": kind.meaning,
                "instance": "/v1/jobs",
                "request_id": "req_7k3q9w0c5x2v",
            },
        }
    return entries
