"""Lists of jobs: filtered, in an order, page by page; every order, and the search by metadata, has its index."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, final

from sqlalchemy import ColumnElement, String, exists, func, or_, select, tuple_
from sqlalchemy.orm import Session, aliased
from sqlalchemy.orm.attributes import QueryableAttribute

from core.ledger import jobs
from core.ledger.columns import storable
from core.ledger.finished import Finished
from core.ledger.models import JobRow, MetadataRow, stands
from core.ledger.types import Job, Reach, Sort, Status

Position = tuple[float | datetime | str, ...]
"""A job's place in an order: the columns that the order goes by, the id last."""

_ORDERS: Final[Mapping[Sort, tuple[tuple[str, ...], bool]]] = {
    "newest": (("created_at", "id"), True),
    "oldest": (("created_at", "id"), False),
    "accuracy": (("accuracy", "created_at", "id"), True),
    "ipc": (("ipc", "created_at", "id"), False),
}
"""The columns that each order goes by, and whether it goes down."""


@final
@dataclass(frozen=True)
class Filters:
    """The jobs that a list is of, those that all of it holds for; None, and no metadata, is true of every job.

    `dataset` is a name or a title, `q` a part, in any case, of id, dataset, method or a value of the metadata.
    """

    status: str | None = None
    dataset: str | None = None
    method: str | None = None
    q: str | None = None
    metadata: Mapping[str, str] | None = None


def page(
    session: Session,
    filters: Filters,
    sort: Sort,
    limit: int,
    after: Position | None,
    reach: Reach,
    finished: Finished,
) -> tuple[list[Job], Position | None]:
    """The jobs within reach that the filters leave, after a position, and the last one's position if there are more."""
    labelled = list((filters.metadata or {}).items())
    words = (filters.status, filters.dataset, filters.method, filters.q, *(word for pair in labelled for word in pair))
    if not all(storable(word) for word in words) or filters.status not in {None, *Status}:
        return [], None
    names, down = _ORDERS[sort]
    led = bool(labelled) and names[0] == "created_at"  # by the metadata's index, which has this order
    columns = _columns(names, led)
    # No more columns than the index of all that lists are filtered by: a row is some 5 kB to read.
    conditions = _conditions(filters, reach, session.get_bind().dialect.name == "sqlite")
    statement = select(*(getattr(JobRow, name) for name in names)).where(*conditions)
    job_id = columns[-1]
    for place, (key, value) in enumerate(labelled):
        word = MetadataRow if led and place == 0 else aliased(MetadataRow)
        same = word.key == key, word.value == value
        if word is MetadataRow:
            statement = statement.join(word, word.job_id == JobRow.id).where(*same)
        else:
            statement = statement.where(exists(word.job_id).where(word.job_id == job_id, *same).correlate_except(word))
    if sort == "ipc":
        statement = statement.where(JobRow.ipc > 0)  # advice makes no images
    if after is not None:
        statement = statement.where(tuple_(*columns) < after if down else tuple_(*columns) > after)
    ordered = statement.order_by(*(each.desc() if down else each.asc() for each in columns))
    places = ordered.limit(limit + 1).subquery()
    stamped = select(*places.c, JobRow.status, JobRow.last_seq, JobRow.owner).join(JobRow, JobRow.id == places.c.id)
    rows: list[Any] = sorted(session.execute(stamped), key=lambda row: row[: len(names)], reverse=down)
    following = tuple(rows[limit - 1][: len(names)]) if len(rows) > limit else None
    return jobs.stamped(session, rows[:limit], finished), following


def _columns(names: Sequence[str], led: bool) -> list[QueryableAttribute[Any]]:
    """The columns of an order; where the metadata's index leads, its own, which say the same."""
    twins = {"created_at": MetadataRow.created_at, "id": MetadataRow.job_id} if led else {}
    return [twins.get(name) or getattr(JobRow, name) for name in names]


def _conditions(filters: Filters, reach: Reach, on_sqlite: bool) -> Iterable[ColumnElement[bool]]:
    if not reach.everything:
        yield JobRow.owner == reach.owner
    if filters.status is not None:
        yield stands(Status(filters.status))
    if filters.dataset is not None:
        yield or_(JobRow.dataset == filters.dataset, JobRow.dataset_title == filters.dataset)
    if filters.method is not None:
        yield JobRow.method == filters.method
    if filters.q:
        value = MetadataRow.value
        if on_sqlite:  # whose own lower() knows ASCII alone
            has = func.casefold(value, type_=String).contains(filters.q.casefold(), autoescape=True)
        else:
            has = value.icontains(filters.q, autoescape=True)
        written = select(MetadataRow.job_id).where(has)
        yield or_(JobRow.searched.contains(filters.q.casefold(), autoescape=True), JobRow.id.in_(written))
