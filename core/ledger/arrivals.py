"""Uploads on their way here, whose bytes are counted before they come: no owner takes more room than is theirs."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, Literal, final

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from core.ledger import clock
from core.ledger.models import ApiKeyRow, ArrivalRow, UploadRow

FORGOTTEN: Final = timedelta(days=1)
"""Nothing takes so long to arrive: the process that took it in is gone."""


@final
class NoRoom(ValueError):
    """An owner's uploads take all the room there is for them, or too many are under way."""

    def __init__(self, of: Literal["bytes", "uploads"], allowed: int, current: int, wanted: int) -> None:
        what = "bytes of uploads are kept or arrive" if of == "bytes" else "uploads arrive or are being inspected"
        more = f" beside the {wanted:,} of this one" if of == "bytes" else ""
        super().__init__(f"{current:,} {what}{more}, and {allowed:,} may be.")
        self.of = of
        self.allowed = allowed
        self.current = current


def reserve(
    session: Session, upload_id: str, owner: str, length: int, room: int, at_once: int, wish: int | None = None
) -> int:
    """Count so many bytes as the upload's, from now on or in the place of what was reserved for it; how many.

    They are `length`, or as many up to `wish` as there is room for. Raises NoRoom.
    """
    # The owner's keys stand for the owner: two uploads at once must not both see the last free place.
    session.execute(select(ApiKeyRow.id).where(ApiKeyRow.owner == owner).with_for_update())
    row = session.get(ArrivalRow, upload_id)
    arriving = select(func.coalesce(func.sum(ArrivalRow.bytes), 0), func.count())
    coming, under_way = session.execute(arriving.where(ArrivalRow.owner == owner, ArrivalRow.id != upload_id)).one()
    kept = session.scalars(select(func.coalesce(func.sum(UploadRow.bytes), 0)).where(UploadRow.owner == owner)).one()
    inspected = select(func.count()).select_from(UploadRow)
    inspected = inspected.where(UploadRow.owner == owner, UploadRow.state == "inspecting")
    if (busy := under_way + session.scalars(inspected).one()) >= at_once:
        raise NoRoom("uploads", at_once, busy, length)
    if kept + coming + length > room:
        raise NoRoom("bytes", room, int(kept + coming), length)
    granted = max(length, min(wish or 0, room - int(kept + coming)))
    if row is None:
        session.add(ArrivalRow(id=upload_id, owner=owner, bytes=granted, created_at=clock.now(session)))
    else:
        row.bytes = granted
    return granted


def release(session: Session, upload_id: str) -> None:
    """Count the upload no more: it has arrived, or never will."""
    session.execute(delete(ArrivalRow).where(ArrivalRow.id == upload_id))


def forget(session: Session) -> None:
    """Count no more those whose process ended with the machine that had them."""
    session.execute(delete(ArrivalRow).where(ArrivalRow.created_at <= clock.now(session) - FORGOTTEN))
