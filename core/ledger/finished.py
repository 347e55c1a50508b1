"""Jobs that are over, as they were read last: the next reader need not read and parse their documents again."""

from __future__ import annotations

from typing import Final, Protocol, final

from core.ledger.types import ENDED, Job
from core.recent import Recent

MOST: Final = 500
"""Jobs that a process keeps: each takes some 30 kB of its memory."""


class Stamp(Protocol):
    """The columns of a job's row that say whether a value that was made of the row is still true."""

    id: str
    status: str
    last_seq: int


@final
class Finished:
    """Values of ended jobs. One that ended stays as it is until it has another event, which its row's number tells."""

    def __init__(self) -> None:
        self._kept = Recent[str, tuple[int, Job]](MOST)

    def get(self, stamp: Stamp) -> Job | None:
        """The job as it was kept, if it has not changed since."""
        kept = self._kept.get(stamp.id) if stamp.status in ENDED else None
        return kept[1] if kept is not None and kept[0] == stamp.last_seq else None

    def keep(self, stamp: Stamp, job: Job) -> None:
        """Keep a job that was made of this row, if it is over."""
        if job.status in ENDED:
            self._kept.keep(job.id, (stamp.last_seq, job))
