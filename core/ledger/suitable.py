"""Which workers may have which jobs, and what a job waits for that no worker can take."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, bindparam, select
from sqlalchemy.orm import Session

from core.ledger import clock
from core.ledger.models import JobRow, WorkerRow
from core.ledger.types import ANY, Ability, Needs

THERE: Final = timedelta(minutes=1)
"""A worker says more often than this that it is there."""

_THERE: Final = select(WorkerRow.worker_id, WorkerRow.takes).where(WorkerRow.last_seen > bindparam("since"))


def suits(ability: Ability) -> list[ColumnElement[bool]]:
    """The conditions under which a worker can take a job."""
    found: list[ColumnElement[bool]] = []
    if ability.gpu is not None:
        found.append(JobRow.device.in_((ANY, "gpu" if ability.gpu else "cpu")))
    if ability.memory_bytes is not None:
        found.append(JobRow.memory_bytes <= ability.memory_bytes)
    return found


def needs(row: JobRow | Row[Any]) -> Needs:
    """A job's own word."""
    return Needs(-row.rank, row.device, row.memory_bytes)


def there(session: Session) -> Sequence[Row[Any]]:
    """The workers that are there: their ids, and what they take."""
    return session.execute(_THERE, {"since": clock.now(session) - THERE}).all()


def unmet(rows: Sequence[JobRow | Row[Any]], there: Sequence[Row[Any]]) -> dict[str, str]:
    """A sentence by id on the needs of queued jobs that no worker can take; none while there is no worker."""
    workers = [Ability.read(row.takes) for row in there]
    wanted = {row.id: needs(row) for row in rows}
    return {
        job_id: _words(each, workers)
        for job_id, each in wanted.items()
        if workers and not any(worker.takes(each) for worker in workers)
    }


def _words(needs: Needs, workers: Sequence[Ability]) -> str:
    of_kind = [each for each in workers if each.takes(Needs(device=needs.device))]
    if not of_kind:
        kind = "a worker with a GPU" if needs.device == "gpu" else "a worker that computes on its processors"
        return f"It is for {kind}, and there is none: start one, or submit the same again with runs_on 'any'."
    room = max(each.memory_bytes or 0 for each in of_kind)
    return (
        f"It takes {needs.memory_bytes / 2**30:,.1f} GiB of memory at once, and no worker for it takes jobs of more "
        f"than {room / 2**30:,.1f} GiB: start one with more, or ask for fewer images or a smaller network instead."
    )
