"""Names that an owner's uploads have once each."""

from __future__ import annotations

from collections.abc import Container

from sqlalchemy import text
from sqlalchemy.orm import Session

_LOCK = 0x5717_1142  # of the names of one owner
_LONGEST = 100


def lock(session: Session, owner: str) -> None:
    """Have other transactions that give the owner's uploads names wait for the end of this one."""
    if session.get_bind().dialect.name == "postgresql":
        statement = text("SELECT pg_advisory_xact_lock(CAST(:lock AS integer), hashtext(:owner))")
        session.execute(statement, {"lock": _LOCK, "owner": owner})


def free(name: str, *taken: Container[str]) -> str:
    """The name itself, or with the least number from 2 on, that none of them has taken."""
    number, numbered = 1, name
    while any(numbered in each for each in taken):
        number += 1
        numbered = f"{name[: _LONGEST - 1 - len(str(number))]}-{number}"
    return numbered
