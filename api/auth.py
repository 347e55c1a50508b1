"""The authentication of requests: before anything else of one is looked at, it needs a key, if the settings say so.

It stands before the router and refuses what it does not know, so that no route can be forgotten. What a caller may see
is the ledger's business (`Ledger.within`); what a key may do is said here, by method and path.
"""

from __future__ import annotations

import time
from http.cookies import CookieError, SimpleCookie
from ipaddress import IPv6Network
from typing import TYPE_CHECKING, Final, final
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import Kind, ProblemError
from api.rate_limiter import RateLimiter

if TYPE_CHECKING:
    from api.services import Services
    from core.ledger import ApiKey

COOKIE: Final = "stillhouse_session"
OPEN: Final = frozenset({"/healthz", "/readyz", "/openapi.json", "/docs", "/problems", "/login"})
"""Paths that tell nobody's business; so does everything below /static/."""
_GREETING: Final = frozenset({"/docs", "/problems", "/login"})
"""Those of them that look at who is logged in."""

LINKS: Final = "/v1/links/"
"""Where links lead, each of which is a secret of its own."""

_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_GET_ONE: Final = (
    "Show a key: `Authorization: Bearer still_...`. `stillhouse key create` makes one on the server's machine."
)


def may_be_seen_by_all(path: str) -> bool:
    """Whether a path needs no key."""
    return path in OPEN or path.startswith(("/static/", LINKS))


def needed(method: str, path: str) -> str | None:
    """The scope that a request needs; None where any key will do, because the operation itself looks at the key."""
    resource = path.removeprefix("/v1").removeprefix("/").partition("/")[0]
    if resource in ("me", "keys", "logout"):
        return None
    if resource == "metrics":
        return "admin"
    if method in _SAFE or resource in ("forecasts", "advice"):  # advice that needs a job looks at the key itself
        return "jobs:read"
    return "datasets:write" if resource in ("datasets", "uploads") else "jobs:write"


@final
class AuthMiddleware:
    """In plain ASGI, inside `RequestMiddleware`: what it refuses is answered and logged like everything else."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services
        self._limiter = RateLimiter(services.settings.max_requests)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in, with its caller's key in `state`, or refuse it."""
        if scope["type"] == "http" and self._services.settings.auth == "keys":
            caller = await self._caller(scope)
            if caller is None and not may_be_seen_by_all(scope["path"]):
                await _redirect_to_login(scope)(scope, receive, send)
                return
            scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)

    async def _caller(self, scope: Scope) -> ApiKey | None:
        """The key of a request that may pass; None if it shows none."""
        headers, path = Headers(scope=scope), scope["path"]
        keys = self._services.ledger.keys
        kind, _, secret = headers.get("authorization", "").partition(" ")
        token = session_token(headers.get("cookie", ""))
        if may_be_seen_by_all(path):
            return await run_in_threadpool(keys.session, token) if token and path in _GREETING else None
        if kind.lower() == "bearer":
            caller = await run_in_threadpool(keys.holder, secret.strip())
            if caller is None:
                note_failure(self._services, scope)
                raise not_good()
        elif token and (caller := await run_in_threadpool(keys.session, token)) is not None:
            _check_own_page(scope["method"], headers)
        elif _is_page(path, headers):
            return None
        else:
            if token:
                note_failure(self._services, scope)
            raise _unauthenticated("The request shows no key.")
        wait = self._limiter.take(caller.owner, time.monotonic())
        if wait:
            most = self._services.settings.max_requests
            raise _too_many(
                f"The keys of {caller.owner} may make {most} requests a minute, together.",
                "Wait as long as Retry-After says; GET /v1/jobs/{id}?wait=30 and event streams ask less often.",
                wait,
            )
        scope_needed = needed(scope["method"], path)
        if scope_needed is not None:
            check_scope(caller, scope_needed)
        return caller


def check_scope(caller: ApiKey, scope: str) -> None:
    """Raise ProblemError if the key lacks the scope."""
    if not caller.allows(scope):
        raise ProblemError(
            Kind.FORBIDDEN,
            f"The key '{caller.prefix}...' lacks the scope {scope}.",
            hint=f"Use a key with the scope {scope}; GET /v1/me says what a key may.",
        )


def note_failure(services: Services, scope: Scope) -> None:
    """Count a key that was not good against the address that showed it. Raises ProblemError if there were too many.

    A good key from there is let in all the same. The address is the peer's, or what a trusted proxy says it is.
    """
    wait = services.failures.take(_neighbourhood(scope), time.monotonic())
    if wait:
        detail = "Too many keys from this address were not good."
        raise _too_many(detail, "Look for what shows a wrong key again and again; good keys are let in.", wait)


def _neighbourhood(scope: Scope) -> str:
    """The peer's address; of IPv6 its network, since a peer that has one of its addresses has 2**64 of them."""
    address: str = (scope.get("client") or ("",))[0]
    try:
        return str(IPv6Network((address.partition("%")[0], 64), strict=False))
    except ValueError:  # of IPv4, or whatever a proxy calls it
        return address


def _too_many(detail: str, hint: str, wait: float) -> ProblemError:
    retry = {"Retry-After": str(max(1, round(wait)))}
    return ProblemError(Kind.TOO_MANY_REQUESTS, detail, hint=hint, headers=retry)


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


def _redirect_to_login(scope: Scope) -> RedirectResponse:
    path = scope["path"] if scope["method"] in _SAFE else "/"
    query = scope.get("query_string", b"").decode("latin-1")
    following = path + (f"?{query}" if query and scope["method"] in _SAFE else "")
    return RedirectResponse(f"/login?next={quote(following, safe='')}", 303)


def not_good() -> ProblemError:
    """The answer to a key that opens nothing, be it only since its request was let in."""
    return _unauthenticated("The key is none of ours, or it is revoked or expired.", ', error="invalid_token"')


def _unauthenticated(detail: str, parameters: str = "") -> ProblemError:
    return ProblemError(
        Kind.UNAUTHENTICATED,
        detail,
        hint=_GET_ONE,
        headers={"WWW-Authenticate": f'Bearer realm="Stillhouse"{parameters}'},
    )
