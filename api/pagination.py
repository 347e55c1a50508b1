"""Pages of a list: a limit, and a cursor that says where the next page starts."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from api.problems import Kind, ProblemError

MOST = 200
_DIGEST_BYTES = 16

Limit = Annotated[int, Query(ge=1, le=MOST, description="Most items on the page.")]
After = Annotated[str | None, Query(max_length=2000, description="The previous page's `next`, unchanged.")]


Item = TypeVar("Item")
Position = TypeVar("Position")


class Page(BaseModel, Generic[Item]):
    """One page of a list."""

    model_config = ConfigDict(frozen=True)

    items: list[Item]
    next: str | None = Field(description="Send it as `after` to get the next page; null on the last one.")


def cursor(listing: str, position: Sequence[str | float]) -> str:
    """The cursor that continues `listing` (the list and its filters) after `position`."""
    text = json.dumps(list(position), separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_digest(listing, text) + text).decode().rstrip("=")


def position_of(listing: str, cursor: str, read: Callable[..., Position]) -> Position:
    """The position in a cursor that was written for the same listing, as `read` makes it of its parts.

    The digest in it tells a changed cursor, or another list's, from this one's. It is no signature: a cursor grants
    nothing, and a position is only compared with what the caller sees anyway.

    Raises:
        ProblemError: INVALID_CURSOR for anything else.
    """
    try:
        content = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        digest, text = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if digest == _digest(listing, text):
            return read(*json.loads(text))
    # no base64, or a position that nothing here has written: of other types, too deep, or before time began
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError):
        pass
    raise ProblemError(
        Kind.INVALID_CURSOR,
        "`after` was changed, or belongs to another list or other filters.",
        hint="Start again without `after`, or send a page's `next` as it is, with the same filters.",
    )


def slice_of(
    items: Sequence[Item], name: Callable[[Item], str], listing: str, limit: int, after: str | None
) -> tuple[Sequence[Item], str | None]:
    """The page after `after` of a list that is short enough to be held whole, ordered by name; and its `next`."""
    ordered = sorted(items, key=name)
    if after is not None:
        last = position_of(listing, after, str)
        ordered = [item for item in ordered if name(item) > last]
    page = ordered[:limit]
    return page, cursor(listing, [name(page[-1])]) if len(ordered) > limit else None


def _digest(listing: str, text: bytes) -> bytes:
    return hashlib.sha256(listing.encode() + b"\0" + text).digest()[:_DIGEST_BYTES]
