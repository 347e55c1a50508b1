"""`/login`, `/logout` and `/keys`: a browser shows its key once, and then a cookie stands for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.auth import COOKIE, note_failure, session_token
from api.dashboard.forms import Posted
from api.dashboard.rendering import page
from api.keys import Caller, KeyOrder, end_key, make_key, quota
from api.problems import ProblemError
from api.services import ServicesDep
from core.ledger import SCOPES

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_MEANING = {
    "jobs:read": "look at jobs, results, datasets and methods",
    "jobs:write": "submit, cancel and retry jobs",
    "datasets:write": "upload and delete datasets",
    "admin": "everything, and everybody's",
}


@router.get("/login")
def show_login(
    request: Request, services: ServicesDep, following: Annotated[str, Query(alias="next")] = "/"
) -> Response:
    """Where a key is shown."""
    if services.settings.auth == "off" or services.caller is not None:
        return RedirectResponse(_own_path(following), 303)
    return page(request, "login.html", following=_own_path(following), fault=None)


@router.post("/login")
def log_in(request: Request, services: ServicesDep, posted: Posted) -> Response:
    """A session for the key in the form, or the form again."""
    following = _own_path(posted.get("next", "/"))
    key = services.ledger.keys.holder(posted.get("key", "").strip())
    if key is None:
        note_failure(services, request.scope)
        fault = "This key is none of ours, or it is revoked or expired."
        return page(request, "login.html", 401, following=following, fault=fault)
    lifetime = timedelta(days=services.settings.session_days)
    if before := session_token(request.headers.get("cookie", "")):
        services.ledger.keys.close_session(before)
    token = services.ledger.keys.open_session(key, lifetime)
    response = RedirectResponse(following, 303)
    secure = request.url.scheme == "https"
    response.set_cookie(
        COOKIE, token, max_age=int(lifetime.total_seconds()), httponly=True, samesite="lax", secure=secure
    )
    return response


@router.post("/logout")
def log_out(request: Request, services: ServicesDep) -> Response:
    """The session's end, here and in the ledger."""
    token = session_token(request.headers.get("cookie", ""))
    if token:
        services.ledger.keys.close_session(token)
    response = RedirectResponse("/login" if services.settings.auth == "keys" else "/", 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return response


@router.get("/keys")
def show_keys(request: Request, services: ServicesDep) -> HTMLResponse:
    """The owner's keys, or how to have some."""
    return _keys(request, services)


@router.post("/keys")
def make(request: Request, services: ServicesDep, caller: Caller, posted: Posted) -> HTMLResponse:
    """A new key; this answer is the only place where its secret is ever shown."""
    given: dict[str, Any] = {name: posted[name].strip() for name in ("name", "owner", "days") if name in posted}
    scopes = [scope for scope in SCOPES if f"may:{scope}" in posted]
    if not scopes:  # in a request none means all that the caller's key may
        return _keys(request, services, 422, fault="Tick at least one thing that the key may do.")
    try:
        order = KeyOrder.model_validate({**given, "scopes": scopes})
        _, secret = make_key(services, caller, order)
    except ValueError:
        return _keys(
            request, services, 422, fault="A key needs a name of at most 100 characters, and days above 0 if any."
        )
    except ProblemError as problem:
        return _keys(request, services, problem.status_code, fault=f"{problem.detail} {problem.hint or ''}")
    return _keys(request, services, 201, secret=secret)


@router.post("/keys/{id}/revoke")
def revoke(
    key_id: Annotated[str, Path(alias="id")], services: ServicesDep, caller: Caller, alone: bool = False
) -> Response:
    """The end of a key and of those made with it, or of it `alone`; of one's own, it is the session's end too."""
    end_key(services, caller, key_id, alone)
    return RedirectResponse("/keys" if services.ledger.keys.good(caller.id) else "/login", 303)


def _keys(request: Request, services: ServicesDep, status_code: int = 200, **content: Any) -> HTMLResponse:
    caller, keys = services.caller, services.ledger.keys.all() if services.caller else []
    return page(
        request,
        "keys.html",
        status_code,
        caller=caller,
        keys=keys,
        names={key.id: key.name for key in keys},
        parents={key.parent_id for key in keys if key.revoked_at is None},
        open_jobs=quota(services, caller) if caller else None,
        scopes={scope: _MEANING[scope] for scope in SCOPES if caller and caller.allows(scope)},
        **{"secret": None, "fault": None} | content,
    )


def _own_path(following: str) -> str:
    """A path of this service; anything that a browser would take for another host is the first page."""
    plain = following.startswith("/") and following[1:2] not in ("/", "\\") and following.isprintable()
    return following if plain else "/"
