"""`/v1/keys` and `/v1/me`: the keys, and the one that a request shows."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from api.jobs import json_only
from api.pagination import After, Limit, slice_of
from api.problems import Kind, ProblemError, invalid, responses, sentence
from api.schemas import Key, KeyPage, Me, NewKey, Quota
from api.services import Services, ServicesDep
from core.ledger import ApiKey, UnknownKey
from core.recipe import FieldError

router = APIRouter(prefix="/v1", tags=["keys"], responses=responses(Kind.INVALID_REQUEST, Kind.KEYS_OFF))

Scope = Literal["jobs:read", "jobs:write", "datasets:write", "admin"]


class KeyOrder(BaseModel):
    """A key to be made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100, description="What the key is for, as a note for its revocation.")
    scopes: list[Scope] | None = Field(
        default=None, min_length=1, max_length=4, description="What it may do. Default: what your key may, but admin."
    )
    owner: str | None = Field(
        default=None, min_length=1, max_length=100, description="Whose key it is. Default: yours; others need admin."
    )
    days: float | None = Field(
        default=None, gt=0, le=36_500, description="Days until it expires. Default, and at most: when your key does."
    )


def _caller(services: ServicesDep) -> ApiKey:
    if services.caller is None:
        raise ProblemError(
            Kind.KEYS_OFF,
            "This service asks nobody for a key.",
            hint="The operator may set STILLHOUSE_AUTH=keys and make a first key with `stillhouse key create`.",
        )
    return services.caller


Caller = Annotated[ApiKey, Depends(_caller)]
"""Parameter of an operation: the caller's key; 409 where there are no keys."""


@router.get("/me", operation_id="get_me", summary="Look at your own key")
def get_me(services: ServicesDep, caller: Caller) -> Me:
    """Whose key this is, what it may do, and how much of its owner's quota is taken."""
    (kept,) = services.ledger.keeping.by_owner(caller.owner)
    return Me(
        key=Key.of(caller),
        owner=caller.owner,
        scopes=list(caller.scopes),
        open_jobs=quota(services, caller),
        result_bytes=Quota(used=kept.results, allowed=services.settings.max_result_bytes),
        upload_bytes=Quota(used=kept.uploads, allowed=services.settings.max_stored_bytes),
    )


def quota(services: Services, caller: ApiKey) -> Quota:
    """The owner's queued and running jobs, and how many there may be."""
    counts = services.ledger.within(caller.own).counts()
    return Quota(used=counts["queued"] + counts["running"], allowed=services.settings.max_open_jobs)


@router.get("/keys", operation_id="list_keys", summary="List the keys", responses=responses(Kind.INVALID_CURSOR))
def list_keys(services: ServicesDep, caller: Caller, limit: Limit = 50, after: After = None) -> KeyPage:
    """Your keys, or everybody's if yours is an administrator's; the secrets are known to nobody."""
    keys, following = slice_of(services.ledger.keys.all(), lambda key: key.id, f"keys of {caller.owner}", limit, after)
    return KeyPage(items=[Key.of(key) for key in keys], next=following)


@router.post(
    "/keys",
    operation_id="create_key",
    summary="Make a key",
    status_code=201,
    dependencies=[Depends(json_only)],
    responses=responses(Kind.MALFORMED_BODY, Kind.BODY_TOO_LARGE, Kind.UNSUPPORTED_MEDIA_TYPE),
)
def create_key(services: ServicesDep, caller: Caller, order: Annotated[KeyOrder, Body()]) -> NewKey:
    """The answer holds the secret, once. Jobs and uploads belong to a key's owner, so keys may come and go.

    A key makes keys of its own owner that may do no more than itself, and not for longer; an administrator's makes
    any, and they too end with it.
    """
    return NewKey.of(*make_key(services, caller, order))


@router.delete(
    "/keys/{id}",
    operation_id="revoke_key",
    summary="Revoke a key",
    status_code=204,
    responses=responses(Kind.UNKNOWN_KEY),
)
def revoke_key(
    services: ServicesDep,
    caller: Caller,
    key_id: Annotated[str, Path(alias="id", description="The key's id.")],
    alone: Annotated[
        bool, Query(description="Leave the keys that were made with it: to replace a key by one that it made.")
    ] = False,
) -> None:
    """From now on the key opens nothing, nor does any key made with it, and people logged in with one are logged out.

    Its owner's jobs go on. Idempotent. A key revokes itself and what it made, and those of its owner that may do no
    more than it may; one that may only look revokes no others.
    """
    end_key(services, caller, key_id, alone)


def end_key(services: Services, caller: ApiKey, key_id: str, alone: bool) -> None:
    """Revoke a key. Raises ProblemError where it is unknown, or more than the caller may end."""
    try:
        key = services.ledger.keys.get(key_id)
    except UnknownKey:
        hint = "GET /v1/keys, or the page /keys, lists the keys there are."
        raise ProblemError(Kind.UNKNOWN_KEY, "No key has the id in the path.", hint=hint) from None
    if not caller.may_end(key):
        raise ProblemError(
            Kind.FORBIDDEN,
            f"The key '{caller.prefix}...' may do less than '{key.prefix}...' and did not make it.",
            hint="Revoke it with itself, or with a key that has its scopes; an administrator's revokes any.",
        )
    services.ledger.keys.revoke(key_id, alone)


def make_key(services: Services, caller: ApiKey, order: KeyOrder) -> tuple[ApiKey, str]:
    """The new key and its secret. Raises ProblemError where the caller may not make it."""
    admin = caller.allows("admin")
    scopes: list[str] = (
        list(order.scopes or ()) or [scope for scope in caller.scopes if scope != "admin"] or ["jobs:read"]
    )
    owner = caller.owner if order.owner is None else order.owner
    beyond = [scope for scope in scopes if not caller.allows(scope)]
    if beyond or (owner != caller.owner and not admin):
        what = f"gives the scope {beyond[0]}" if beyond else "is another owner's"
        raise ProblemError(
            Kind.FORBIDDEN, f"Your key cannot make one that {what}.", hint="Ask an administrator for it."
        )
    try:
        lifetime = None if order.days is None else timedelta(days=order.days)
        return services.ledger.keys.create(owner, order.name, scopes, lifetime, caller.id)
    except UnknownKey as error:  # since the request was let in
        raise ProblemError(Kind.FORBIDDEN, sentence(error), hint="Use another key.") from None
    except ValueError as error:
        field = "owner" if "owner" in str(error) else "name"
        raise invalid([FieldError(field, sentence(error), "Use a short plain text.")]) from None
