"""API keys and browser sessions: the people who may ask, and what they may see.

A key is kept as its SHA-256 and no slow hash: it holds 220 random bits, which no table of guesses reaches, and it has
to be found by its digest at every request. Its last six characters are a checksum: whether a text is a key at all is
known without a database, to this service and to a scanner for leaked secrets.
"""

from __future__ import annotations

import hashlib
import secrets
import string
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.ids import is_id, new_id
from core.ledger import clock
from core.ledger.database import AWAY, Database
from core.ledger.models import ApiKeyRow, SessionRow
from core.ledger.types import Reach

SCOPES: Final = ("jobs:read", "jobs:write", "datasets:write", "admin")
"""The rights of a key: look, submit and end jobs, upload and delete datasets, everything of everybody."""

PREFIX: Final = "still_"
LONGEST_NAME: Final = 100

_LETTERS: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM, _CHECK, _SHOWN = 37, 6, 8
_USE_NOTED: Final = timedelta(minutes=1)
"""A key's use is written down at most so often: a request should not cost a write."""


@final
@dataclass(frozen=True)
class ApiKey:
    """A key as it may be shown: everything but the secret. What it submits and uploads belongs to its owner."""

    id: str
    owner: str
    name: str
    prefix: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    parent_id: str | None = None
    """The key it was made with: it ends with that one, if not before."""

    def allows(self, scope: str) -> bool:
        """Whether it may be used for this; an administrator's may for all."""
        return scope in self.scopes or "admin" in self.scopes

    def may_end(self, other: ApiKey) -> bool:
        """Whether it may revoke another key of its reach: itself and what it made; any, if it may all that one may.

        A key that may only look ends no other that it did not make.
        """
        if self.id in (other.id, other.parent_id):
            return True
        return self.scopes != ("jobs:read",) and all(self.allows(scope) for scope in other.scopes)

    @property
    def reach(self) -> Reach:
        """The part of the ledger that a holder of the key sees."""
        return Reach(self.owner, everything=self.allows("admin"))

    @property
    def own(self) -> Reach:
        """The part of the ledger that belongs to the key's owner, even if the key is an administrator's."""
        return Reach(self.owner, everything=False)


@final
class UnknownKey(ValueError):
    """No key that may be seen has this id."""


def well_formed(secret: str) -> bool:
    """Whether a text can be a key: its shape and its checksum, without asking anybody."""
    body = secret.removeprefix(PREFIX)
    if body == secret or len(body) != _RANDOM + _CHECK or not set(body) <= set(_LETTERS):
        return False
    return secrets.compare_digest(_checksum(body[:_RANDOM]), body[_RANDOM:])


@final
class Keys:
    """The keys of a ledger. Every method is one transaction, as the ledger's are."""

    def __init__(self, database: Database, reach: Reach) -> None:
        self._database = database
        self._reach = reach

    def create(
        self,
        owner: str,
        name: str,
        scopes: Sequence[str] = SCOPES[:-1],
        lifetime: timedelta | None = None,
        parent_id: str | None = None,
    ) -> tuple[ApiKey, str]:
        """A new key and its secret, which is told here and never again.

        A key that was made with another, the parent, expires when that one does or before.

        Raises:
            ValueError: the owner or the name is no short printable text, or a scope does not exist.
            UnknownKey: the parent is revoked or expired.
        """
        for field, text in (("owner", owner), ("name", name)):
            if not text.strip() or not text.isprintable() or len(text) > LONGEST_NAME:
                raise ValueError(f"The {field} of a key is 1 to {LONGEST_NAME} printable characters, not all blank.")
        if not scopes or (unknown := sorted(set(scopes) - set(SCOPES))):
            told = f"There is no scope {unknown[0]!r}" if scopes else "A key without scopes allows nothing"
            raise ValueError(f"{told}: choose from {', '.join(SCOPES)}.")
        body = "".join(secrets.choice(_LETTERS) for _ in range(_RANDOM))
        secret = PREFIX + body + _checksum(body)
        with self._database.write() as session:
            # Locked: a revocation of the parent at this moment either finds the new key or is found here.
            parent = session.get(ApiKeyRow, parent_id, with_for_update=True) if parent_id else None
            now = clock.now(session)
            if parent_id and (parent is None or not good(parent, now)):
                raise UnknownKey("The key is revoked or expired: it makes no others.")
            ends = [None if lifetime is None else now + lifetime, parent.expires_at if parent else None]
            row = ApiKeyRow(
                id=new_id("key", now),
                owner=owner,
                name=name,
                digest=_digest(secret),
                prefix=secret[: len(PREFIX) + _SHOWN],
                scopes=" ".join(scope for scope in SCOPES if scope in scopes),
                created_at=now,
                expires_at=min(filter(None, ends), default=None),
                parent_id=parent_id,
            )
            session.add(row)
            session.flush()
            return _view(row), secret

    def all(self) -> list[ApiKey]:
        """The owner's keys, or everybody's for an administrator, newest first; revoked ones too."""
        statement = select(ApiKeyRow).order_by(ApiKeyRow.created_at.desc(), ApiKeyRow.id.desc())
        if not self._reach.everything:
            statement = statement.where(ApiKeyRow.owner == self._reach.owner)
        with self._database.read() as session:
            return [_view(row) for row in session.scalars(statement)]

    def get(self, key_id: str) -> ApiKey:
        """The key of this id. Raises UnknownKey."""
        with self._database.read() as session:
            return _view(self._row(session, key_id))

    def revoke(self, key_id: str, alone: bool = False) -> ApiKey:
        """End a key, all that were made with it, and their sessions; jobs go on and stay their owner's. Idempotent.

        Args:
            key_id: its id. Raises UnknownKey if there is none.
            alone: leave what was made with it, as if that had been made with the key's own parent.
        """
        with self._database.write() as session:
            row = self._row(session, key_id, lock=True)
            now, ended, made = clock.now(session), [row], [row]
            while made := [] if alone else _made_with(session, made):
                ended += made
            for child in _made_with(session, ended) if alone else ():
                child.parent_id = row.parent_id
            for each in ended:
                each.revoked_at = each.revoked_at or now
            session.execute(delete(SessionRow).where(SessionRow.key_id.in_([each.id for each in ended])))
            session.flush()
            return _view(row)

    def holder(self, secret: str) -> ApiKey | None:
        """The key of this secret, if it is good now; notes that it was used."""
        if not well_formed(secret):
            return None
        with self._database.read() as session:
            row = session.scalars(select(ApiKeyRow).where(ApiKeyRow.digest == _digest(secret))).one_or_none()
            now = clock.now(session)
            if row is None or not good(row, now):
                return None
            key = _view(row)
        self._note_use(key, now)
        return key

    def good(self, key_id: str) -> bool:
        """Whether a key has neither been revoked nor expired."""
        with self._database.read() as session:
            row = session.get(ApiKeyRow, key_id)
            return row is not None and good(row, clock.now(session))

    def open_session(self, key: ApiKey, lifetime: timedelta) -> str:
        """A token that stands for the key in one browser, until it expires, is closed, or the key is revoked."""
        token = secrets.token_urlsafe(32)
        with self._database.write() as session:
            now = clock.now(session)
            session.execute(delete(SessionRow).where(SessionRow.expires_at <= now))
            session.add(SessionRow(digest=_digest(token), key_id=key.id, expires_at=now + lifetime))
        return token

    def session(self, token: str) -> ApiKey | None:
        """The key that a session's token stands for, if both are good now."""
        with self._database.read() as session:
            found = session.get(SessionRow, _digest(token))
            row = None if found is None else session.get(ApiKeyRow, found.key_id)
            now = clock.now(session)
            if found is None or found.expires_at <= now or row is None or not good(row, now):
                return None
            key = _view(row)
        self._note_use(key, now)
        return key

    def close_session(self, token: str) -> None:
        """Forget a session; no error if there is none."""
        with self._database.write() as session:
            session.execute(delete(SessionRow).where(SessionRow.digest == _digest(token)))

    def _row(self, session: Session, key_id: str, lock: bool = False) -> ApiKeyRow:
        row = session.get(ApiKeyRow, key_id, with_for_update=lock) if is_id("key", key_id) else None
        if row is None or not self._reach.sees(row.owner):
            raise UnknownKey(f"There is no key {key_id[:40]!r}: list the keys there are with GET /v1/keys.")
        return row

    def _note_use(self, key: ApiKey, now: datetime) -> None:
        if key.last_used_at is not None and now - key.last_used_at < _USE_NOTED:
            return
        with suppress(*AWAY), self._database.write() as session:  # where nothing can be written, much can be read
            row = session.get(ApiKeyRow, key.id, with_for_update=True)
            if row is not None:
                row.last_used_at = now


def _made_with(session: Session, rows: Sequence[ApiKeyRow]) -> list[ApiKeyRow]:
    ids = [row.id for row in rows]
    return list(session.scalars(select(ApiKeyRow).where(ApiKeyRow.parent_id.in_(ids)).with_for_update()))


def good(row: ApiKeyRow, now: datetime) -> bool:
    """Whether a key has neither been revoked nor expired by then."""
    return row.revoked_at is None and (row.expires_at is None or row.expires_at > now)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _checksum(body: str) -> str:
    number, letters = zlib.crc32(body.encode()), ""
    for _ in range(_CHECK):
        number, place = divmod(number, len(_LETTERS))
        letters += _LETTERS[place]
    return letters


def _view(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        id=row.id,
        owner=row.owner,
        name=row.name,
        prefix=row.prefix,
        scopes=tuple(row.scopes.split()),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        parent_id=row.parent_id,
    )
