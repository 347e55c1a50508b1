"""Jobs as clients see them; those that are over are made, and written, once."""

from __future__ import annotations

from typing import Final

from api.schemas import Job
from core import ledger
from core.recent import Recent

_MOST: Final = 500
_MADE: Final = Recent[str, tuple[ledger.Job, Job]](_MOST)
_WRITTEN: Final = Recent[str, tuple[ledger.Job, bytes]](_MOST)


def shown(job: ledger.Job) -> Job:
    """The job as clients see it; of one that the ledger gives again, the same as before."""
    kept = _MADE.get(job.id)
    if kept is not None and kept[0] is job:
        return kept[1]
    made = Job.of(job)
    if job.status in ledger.ENDED:
        _MADE.keep(job.id, (job, made))
    return made


def written(job: ledger.Job) -> bytes:
    """The same in JSON."""
    kept = _WRITTEN.get(job.id)
    if kept is not None and kept[0] is job:
        return kept[1]
    text = shown(job).model_dump_json(by_alias=True).encode()
    if job.status in ledger.ENDED:
        _WRITTEN.keep(job.id, (job, text))
    return text
