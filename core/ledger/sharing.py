"""One job on several workers, and on one after the other: a ledger's view of parts, shared results and checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import final

from sqlalchemy.exc import IntegrityError

from core.ledger import carried, parts
from core.ledger.database import Database
from core.ledger.types import ABLE, Ability, Claim, Part, PartClaim, Stored, Turn


@final
class Sharing:
    """Every method is one transaction, as the ledger's are."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # Of the job's own worker

    def offer(self, claim: Claim, offered: Sequence[Part]) -> bool:
        """Let other workers make these parts, and no others, of a job; False when the job is not held any more."""
        with self._database.write() as session:
            return parts.offer(session, claim, offered)

    def turn(self, claim: Claim, worker_id: str) -> Turn | None:
        """The part that the job's own worker is to make next; None when the job is not held any more."""
        with self._database.write() as session:
            return parts.turn(session, claim, worker_id)

    def own_made(self, claim: Claim, name: str) -> bool:
        """The job's own worker has made a part; False when the job is not held any more."""
        with self._database.write() as session:
            return parts.own_made(session, claim, name)

    def again(self, claim: Claim, name: str) -> None:
        """Have a part made once more, since its results are not to be had."""
        with self._database.write() as session:
            parts.again(session, claim, name)

    def withdraw(self, claim: Claim) -> None:
        """Want no part of the job of others any more: who makes one learns it with the next beat."""
        with self._database.write() as session:
            parts.withdraw(session, claim)

    # Of workers that help

    def claim(
        self,
        worker_id: str,
        ttl: float,
        declined: Collection[str] = (),
        job_id: str | None = None,
        ability: Ability = ABLE,
    ) -> PartClaim | None:
        """Hold a part of somebody's running job for `ttl` seconds; None when nothing is offered.

        Args:
            declined: conditions under which this worker would make other bits.
            job_id: only of that job.
            ability: the jobs that this worker can take.
        """
        with self._database.write() as session:
            return parts.claim(session, worker_id, ttl, declined, job_id, ability)

    def beat(self, claim: PartClaim, ttl: float) -> bool:
        """Hold the part for another `ttl` seconds. When it is not held or wanted any more, stop and write nothing."""
        with self._database.write() as session:
            return parts.beat(session, claim, ttl)

    def made(self, claim: PartClaim) -> bool:
        """Say that the part's results are where the job finds them; False when it is not held any more."""
        with self._database.write() as session:
            return parts.made(session, claim)

    def give_back(self, claim: PartClaim, *, lost: bool = False) -> bool:
        """Let somebody else make the part; `lost`, after a crash, counts against it."""
        with self._database.write() as session:
            return parts.give_back(session, claim, lost=lost)

    # In the store

    def keep_result(self, name: str, file: Stored) -> None:
        """Say that the store has the result of a name."""
        try:
            with self._database.write() as session:
                carried.keep_result(session, name, file)
        except IntegrityError:  # another worker has said so at the same moment
            pass

    def result(self, name: str) -> Stored | None:
        """Where the result of a name is, which counts as used; None where nobody has left it."""
        with self._database.write() as session:
            return carried.result(session, name)

    def forget_result(self, name: str) -> None:
        """Say that the store has it no more."""
        with self._database.write() as session:
            carried.forget_result(session, name)

    def trim_results(self, limit: int, remove: Callable[[str], None]) -> int:
        """Have results removed, those used longest ago first, until the rest are within `limit` bytes; how many."""
        with self._database.write() as session:
            return carried.trim_results(session, limit, remove)

    def forget_ended(self, days: float, remove: Callable[[str], None]) -> None:
        """Forget parts of jobs that are over, and checkpoints of those that succeeded or ended some days ago."""
        with self._database.write() as session:
            carried.forget_ended(session, days, remove)

    def keep_checkpoint(self, claim: Claim, files: Mapping[str, Stored], remove: Callable[[str], None]) -> bool:
        """Say that the job's checkpoint is these files of the store; what it was before is removed there.

        False when the job is not held any more.
        """
        with self._database.write() as session:
            before = carried.keep_checkpoint(session, claim, files)
        if before:
            with self._database.write() as session:
                carried.drop(session, before, remove)
        return before is not None

    def checkpoint(self, job_id: str) -> tuple[int, dict[str, Stored]]:
        """The attempt that left the job's newest checkpoint, 0 where none did, and its files in the store."""
        with self._database.read() as session:
            return carried.checkpoint(session, job_id)
