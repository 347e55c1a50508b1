"""Pages of a list: a limit, and a signed cursor that says where the next page starts."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Generic, TypeVar, final

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from api.problems import Kind, ProblemError

MOST = 200
_SIGNATURE_BYTES = 16

Limit = Annotated[int, Query(ge=1, le=MOST, description="Most items on the page.")]
After = Annotated[str | None, Query(max_length=2000, description="The previous page's `next`, unchanged.")]


Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """One page of a list."""

    model_config = ConfigDict(frozen=True)

    items: list[Item]
    next: str | None = Field(description="Send it as `after` to get the next page; null on the last one.")


@final
@dataclass(frozen=True)
class Cursors:
    """Writes and reads cursors. The signature makes a changed cursor a 400; it grants nothing to anybody."""

    key: bytes

    def write(self, listing: str, position: Sequence[str]) -> str:
        """The cursor that continues `listing` (the list and its filters) after `position`."""
        text = json.dumps(list(position), separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._sign(listing, text) + text).decode().rstrip("=")

    def read(self, listing: str, cursor: str) -> tuple[str, ...]:
        """The position in a cursor that `write` made for the same listing.

        Raises:
            ProblemError: INVALID_CURSOR for anything else.
        """
        try:
            signed = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        except (UnicodeEncodeError, binascii.Error):
            signed = b""
        signature, text = signed[:_SIGNATURE_BYTES], signed[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._sign(listing, text)):
            raise ProblemError(
                Kind.INVALID_CURSOR,
                "`after` was changed, or belongs to another list or other filters.",
                hint="Start again without `after`, or send a page's `next` as it is, with the same filters.",
            )
        return tuple(json.loads(text))

    def _sign(self, listing: str, text: bytes) -> bytes:
        message = listing.encode() + b"\0" + text
        return hmac.digest(self.key, message, hashlib.sha256)[:_SIGNATURE_BYTES]


def slice_of(
    items: Sequence[Item], name: Callable[[Item], str], cursors: Cursors, listing: str, limit: int, after: str | None
) -> tuple[Sequence[Item], str | None]:
    """The page after `after` of a list that is short enough to be held whole, ordered by name; and its `next`."""
    ordered = sorted(items, key=name)
    if after is not None:
        (last,) = cursors.read(listing, after)
        ordered = [item for item in ordered if name(item) > last]
    page = ordered[:limit]
    return page, cursors.write(listing, [name(page[-1])]) if len(ordered) > limit else None


def signing_key(file: Path) -> bytes:
    """The service's key, made on first use; every API process that shares the file signs alike."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as out:
            out.write(secrets.token_bytes(32))
        try:
            os.link(draft, file)  # never replaces: the first of several processes wins, and all read its key
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return file.read_bytes()
