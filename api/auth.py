"""Who asks: before anything else of a request is looked at, the gate wants a key, where the settings say so.

It stands before the router and refuses what it does not know, so that no route can be forgotten. What a caller may see
is the ledger's business (`Ledger.within`); what a key may do is said here, by method and path.
"""

from __future__ import annotations

import time
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Final, final
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import Kind, ProblemError

if TYPE_CHECKING:
    from api.house import House
    from core.ledger import ApiKey

COOKIE: Final = "stillhouse_session"
OPEN: Final = frozenset({"/healthz", "/readyz", "/openapi.json", "/docs", "/problems", "/login"})
"""Paths that tell nobody's business; so does everything below /static/."""
_GREETING: Final = frozenset({"/docs", "/problems", "/login"})
"""Those of them that look at who is logged in."""

_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_GET_ONE: Final = (
    "Show a key: `Authorization: Bearer still_...`. `stillhouse key create` makes one on the server's machine."
)


def may_be_seen_by_all(path: str) -> bool:
    """Whether a path needs no key."""
    return path in OPEN or path.startswith("/static/")


def needed(method: str, path: str) -> str | None:
    """The scope that a request needs; None where any key will do, because the operation itself looks at the key."""
    room = path.removeprefix("/v1").split("/")[1]
    if room in ("me", "keys", "logout"):
        return None
    if room == "metrics":
        return "admin"
    if method in _SAFE or room == "forecasts":
        return "jobs:read"
    return "datasets:write" if room in ("datasets", "uploads") else "jobs:write"


@final
class Pace:
    """How fast a key may ask: a bucket that holds a minute's requests and fills as time goes by."""

    def __init__(self, per_minute: int) -> None:
        self._size = float(per_minute)
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key_id: str, now: float) -> float:
        """0.0 and one request less; or the seconds until there is one."""
        left, since = self._buckets.get(key_id, (self._size, now))
        left = min(self._size, left + (now - since) * self._size / 60)
        granted = left >= 1
        self._buckets[key_id] = (left - granted, now)
        return 0.0 if granted else (1 - left) * 60 / self._size


@final
class Gate:
    """In plain ASGI, inside the frame: what it refuses is answered and logged like everything else."""

    def __init__(self, app: ASGIApp, house: House) -> None:
        self._app = app
        self._house = house
        self._pace = Pace(house.settings.max_requests)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in, with its caller's key in `state`, or refuse it."""
        if scope["type"] == "http" and self._house.settings.auth == "keys":
            caller = await self._caller(scope)
            if caller is None and not may_be_seen_by_all(scope["path"]):
                await _to_the_door(scope)(scope, receive, send)
                return
            scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)

    async def _caller(self, scope: Scope) -> ApiKey | None:
        """The key of a request that may pass; None if it shows none."""
        headers, path = Headers(scope=scope), scope["path"]
        keys = self._house.ledger.keys
        kind, _, secret = headers.get("authorization", "").partition(" ")
        token = session_token(headers.get("cookie", ""))
        if may_be_seen_by_all(path):
            return await run_in_threadpool(keys.session, token) if token and path in _GREETING else None
        if kind.lower() == "bearer":
            caller = await run_in_threadpool(keys.holder, secret.strip())
            if caller is None:
                raise _unauthenticated(
                    "The key is none of ours, or it is revoked or expired.", ', error="invalid_token"'
                )
        elif token and (caller := await run_in_threadpool(keys.session, token)) is not None:
            _check_own_page(scope["method"], headers)
        elif _is_page(path, headers):
            return None
        else:
            raise _unauthenticated("The request shows no key.")
        wait = self._pace.take(caller.id, time.monotonic())
        if wait:
            raise ProblemError(
                Kind.TOO_MANY_REQUESTS,
                f"This key may make {self._house.settings.max_requests} requests a minute.",
                hint="Wait as long as Retry-After says; GET /v1/jobs/{id}?wait=30 and event streams ask less often.",
                headers={"Retry-After": str(max(1, round(wait)))},
            )
        scope_needed = needed(scope["method"], path)
        if scope_needed is not None and not caller.allows(scope_needed):
            raise ProblemError(
                Kind.FORBIDDEN,
                f"The key '{caller.prefix}...' lacks the scope {scope_needed}.",
                hint=f"Use a key with the scope {scope_needed}; GET /v1/me says what a key may.",
            )
        return caller


def session_token(cookies: str) -> str | None:
    """The session's token in a Cookie header."""
    try:
        found = SimpleCookie(cookies).get(COOKIE)
    except CookieError:
        return None
    return found.value if found is not None and 0 < len(found.value) <= 100 else None


def _check_own_page(method: str, headers: Headers) -> None:
    """A cookie travels with what another site's page sends, too: a change has to say that it comes from our own.

    Every browser says so, by Origin or by Sec-Fetch-Site; a foreign Origin has been refused before.
    """
    if method in _SAFE or headers.get("sec-fetch-site") == "same-origin":
        return
    if "sec-fetch-site" in headers or "origin" not in headers:
        raise ProblemError(
            Kind.CROSS_ORIGIN,
            "The session's cookie came without a sign that the service's own page sent this.",
            hint="Programs show a key instead: `Authorization: Bearer still_...`.",
        )


def _is_page(path: str, headers: Headers) -> bool:
    return not path.startswith("/v1/") and "text/html" in headers.get("accept", "")


def _to_the_door(scope: Scope) -> RedirectResponse:
    path = scope["path"] if scope["method"] in _SAFE else "/"
    query = scope.get("query_string", b"").decode("latin-1")
    following = path + (f"?{query}" if query and scope["method"] in _SAFE else "")
    return RedirectResponse(f"/login?next={quote(following, safe='')}", 303)


def _unauthenticated(detail: str, parameters: str = "") -> ProblemError:
    return ProblemError(
        Kind.UNAUTHENTICATED,
        detail,
        hint=_GET_ONE,
        headers={"WWW-Authenticate": f'Bearer realm="Stillhouse"{parameters}'},
    )
