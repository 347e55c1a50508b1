"""Around every request: an id, a limit on the body, a log line, a measurement, and an answer whatever happens."""

from __future__ import annotations

import ipaddress
import re
import secrets
import time
from typing import final

import anyio
import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth import LINKS
from api.dashboard.refusal import respond
from api.disk import full, is_full
from api.exception_handlers import database_away
from api.metrics import Metrics
from api.problems import Kind, ProblemError
from core.ledger import AWAY
from core.settings import Settings

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SAFE = ("GET", "HEAD", "OPTIONS")
_METHODS = (*_SAFE, "POST", "PUT", "PATCH", "DELETE")
_PROBES = ("/healthz", "/readyz", "/metrics")  # asked every few seconds, by machines
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
}

UPLOADS = ("/v1/datasets", "/uploads")
"""Where bodies may be large, since they are written to disk as they come."""

_DISCARDED = 16 * 2**20
_DISCARD_SECONDS = 3.0
_REPORT = "Try again; if it persists, tell the operator the request_id."

log = structlog.stdlib.get_logger(__name__)


@final
class RequestMiddleware:
    """The outermost layer of the application, in plain ASGI so that streams pass through it untouched."""

    def __init__(self, app: ASGIApp, metrics: Metrics, settings: Settings) -> None:
        self._app = app
        self._metrics = metrics
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = scope["request_id"] = _request_id(headers)
        began, ended, status = time.perf_counter(), 0.0, 0

        async def answer(message: Message) -> None:
            nonlocal ended, status
            if message["type"] == "http.response.start":
                status = message["status"]
                out = MutableHeaders(scope=message)
                out["X-Request-Id"] = request_id
                for name, value in _HEADERS.items():
                    out.setdefault(name, value)
                if scope["path"].startswith("/v1/"):  # the answer depends on the caller
                    out.setdefault("Cache-Control", "no-store")
                    out.add_vary_header("Authorization, Cookie")
            await send(message)
            ended = time.perf_counter()  # of the last piece, before whatever the operation does in the background

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._admit(scope, headers, receive)
                await self._app(scope, self._limited(scope, receive), answer)
            except ClientDisconnect:
                status = status or 499
            except ProblemError as problem:
                await respond(Request(scope), problem)(scope, receive, answer)
            except Exception as error:
                if status or not isinstance(error, AWAY):
                    log.exception("request failed", method=scope["method"], path=_told(scope["path"]))
                if status:
                    raise  # the response has begun: only breaking it off tells the client
                await respond(Request(scope), _fault(error))(scope, receive, answer)
            finally:
                self._account(scope, status, (ended or time.perf_counter()) - began)

    async def _admit(self, scope: Scope, headers: Headers, receive: Receive) -> None:
        """Refuse what announces that it is too large, and what comes from another site's page.

        Such a page may be this service's own to its browser: where its name was made to resolve to this machine.
        Without keys nothing else would tell the two apart.
        """
        if self._settings.auth == "off" and not _is_own(headers.get("host", ""), self._settings.names):
            raise ProblemError(
                Kind.MISDIRECTED,
                "The request's Host is none of the service's names.",
                hint="The operator may add it to STILLHOUSE_HOST_NAMES, or ask for keys with STILLHOUSE_AUTH=keys.",
            )
        announced = headers.get("content-length", "")
        length = int(announced[:18]) if announced.isdecimal() else 0
        if length > self._most(scope):
            if length <= _DISCARDED and "expect" not in headers:  # a client that expects a 100 has not begun to send
                await _discard(receive)
            raise self._too_large(scope)
        origin = headers.get("origin")
        if scope["method"] in _SAFE:
            return
        if origin and origin.partition("://")[2] != headers.get("host"):
            raise ProblemError(Kind.CROSS_ORIGIN, f"A page of {origin} may not change anything here.")
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            raise ProblemError(Kind.CROSS_ORIGIN, "A page of another site may not change anything here.")

    def _most(self, scope: Scope) -> int:
        """Bytes that the body may have."""
        uploads = scope["method"] == "POST" and scope["path"] in UPLOADS
        return self._settings.max_upload_bytes if uploads else self._settings.max_body_bytes

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        """Count what arrives: a chunked body announces no length."""
        arrived, most = 0, self._most(scope)

        async def limited() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > most:
                if message.get("more_body"):
                    await _discard(receive)
                raise self._too_large(scope)
            return message

        return limited

    def _too_large(self, scope: Scope) -> ProblemError:
        upload = "Make the pictures smaller or fewer, or let the operator raise STILLHOUSE_MAX_UPLOAD_BYTES."
        other = "A job request is a few hundred bytes; datasets do not travel in it, but to POST /v1/datasets."
        return ProblemError(
            Kind.BODY_TOO_LARGE,
            f"The body exceeds {self._most(scope):,} bytes.",
            hint=upload if scope["path"] in UPLOADS else other,
            headers={"Connection": "close"},
        )

    def _account(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"  # a label must not grow with its input
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.seconds.labels(method, route).observe(seconds)
        tell = log.debug if route in _PROBES else log.info
        tell("answered", method=scope["method"], path=_told(scope["path"]), status=status, seconds=round(seconds, 4))


def _told(path: str) -> str:
    """The path as a log may have it: who reads a link there could follow it."""
    return f"{LINKS}..." if path.startswith(LINKS) else path


async def _discard(receive: Receive) -> None:
    """Read on for a while: a client that writes all before it reads would see a reset, and not the answer."""
    budget = _DISCARDED
    with anyio.move_on_after(_DISCARD_SECONDS):
        while budget > 0:
            message = await receive()
            if not message.get("more_body"):
                return
            budget -= len(message["body"])


def _is_own(host: str, names: frozenset[str]) -> bool:
    """Whether no stranger can own the name: an address, a name without a dot, or one of `names`."""
    name = host.rpartition(":")[0] if re.search(r":\d*\Z", host) else host
    name = name.lower().removesuffix(".")
    try:
        return bool(ipaddress.ip_address(name.removeprefix("[").removesuffix("]")))
    except ValueError:
        return re.fullmatch(r"[\w-]*|.*\.localhost", name) is not None or name in names


def _fault(error: Exception) -> ProblemError:
    """The answer to an exception that nobody expected: the service's own fault, but for what is full or away."""
    if isinstance(error, AWAY):  # before the application had the request: it looks keys up in the database
        return database_away(error)
    if is_full(error):
        return full()
    return ProblemError(Kind.INTERNAL, "The request could not be finished.", hint=_REPORT)


def _request_id(headers: Headers) -> str:
    """The client's own id where it is a plain one, so that its log and ours can be joined; else a fresh one."""
    given = headers.get("x-request-id", "")
    return given if _ID.fullmatch(given) else f"req_{secrets.token_hex(8)}"
