"""The ledger: every job there was, is and waits, and the only door to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy
from typing import Any, final

from core.ledger import claims, deletion, jobs, listing, requests, schema, submissions, sweep, workers
from core.ledger import events as log
from core.ledger.database import LOCK_WAIT, Database
from core.ledger.finished import Finished
from core.ledger.keeping import Keeping
from core.ledger.keys import Keys
from core.ledger.links import Links
from core.ledger.outbox import Outbox
from core.ledger.sharing import Sharing
from core.ledger.types import (
    ABLE,
    NO_NEEDS,
    Ability,
    Beat,
    Claim,
    Document,
    Event,
    File,
    Job,
    Needs,
    Reach,
    Sort,
    Standing,
    Submission,
    Swept,
    Worker,
)
from core.ledger.uploads import Uploads
from core.ledger.webhooks import Webhooks


@final
class Ledger:
    """The service's memory in SQLite or PostgreSQL; may be used by many threads and processes at once.

    Each method is one transaction: when it returns, what it says is committed; when it raises, nothing has happened
    (but see `succeed`). Times are the database's. Durations are in seconds.

    What clients do, they do within a `reach`: a job of another owner is unknown to them.

    Args:
        url: `sqlite:///FILE` or `postgresql://USER@HOST/DATABASE`. Raises ValueError for any other.
        lock_wait: seconds a transaction waits for another writer.
    """

    def __init__(self, url: str, lock_wait: float = LOCK_WAIT) -> None:
        self.database = Database(url, lock_wait)
        self.keeping = Keeping(self.database)
        """The chores: what is to be looked after and tidied up."""
        self.outbox = Outbox(self.database)
        """The messages for webhooks that are to be sent."""
        self.sharing = Sharing(self.database)
        """The parts of jobs that other workers make, and what workers leave to each other in the store."""
        self._finished, self._reach = Finished(), Reach()

    def within(self, reach: Reach) -> Ledger:
        """The same ledger, through the same connections, as somebody sees it."""
        other = copy(self)
        other._reach = reach
        return other

    @property
    def keys(self) -> Keys:
        """The API keys and browser sessions within reach."""
        return Keys(self.database, self._reach)

    @property
    def links(self) -> Links:
        """Links to files of the jobs within reach, which nobody needs a key to follow."""
        return Links(self.database, self._reach)

    @property
    def uploads(self) -> Uploads:
        """Datasets that somebody uploaded."""
        return Uploads(self.database, self._reach)

    @property
    def webhooks(self) -> Webhooks:
        """The addresses that are told of what ends, within reach."""
        return Webhooks(self.database, self._reach)

    def close(self) -> None:
        """Close the idle connections."""
        self.database.close()

    def migrate(self) -> None:
        """Bring the schema up to date; does nothing if it is, and may run in several processes at once."""
        schema.upgrade(self.database)

    def ready(self) -> dict[str, Any]:
        """Whether the database answers with this code's schema: `{ready, database, schema, detail}`. Never raises."""
        return schema.ready(self.database)

    # What clients do

    def submit(
        self,
        request: Document,
        recipe: Document,
        dataset: str,
        method: str,
        ipc: int,
        seed: int,
        fingerprint: str | None = None,
        max_attempts: int = 3,
        idempotency_key: str | None = None,
        body_hash: str | None = None,
        forecast: Document | None = None,
        max_open: int | None = None,
        unfit: str | None = None,
        dataset_title: str | None = None,
        dataset_digest: str | None = None,
        metadata: Mapping[str, str] | None = None,
        room: int | None = None,
        webhook_id: str | None = None,
        needs: Needs = NO_NEEDS,
    ) -> Submission:
        """Accept a job, unless an equal one is open ("twin") or done ("cached") or the key was used ("replayed").

        Args:
            request: what the client asked for, as it is to be shown.
            recipe: the resolved recipe, for the engine.
            dataset, method, ipc, seed: what jobs are listed and filtered by.
            fingerprint: identity of the result; None when no other job's result will do.
            max_attempts: how many lost workers fail the job.
            idempotency_key: the client's key, remembered for 24 hours.
            body_hash: digest of the body that came with the key.
            forecast: what a new job is expected to cost.
            max_open: how many jobs of a named owner may be queued or running.
            unfit: a finished job (see `answer`) that is no answer, since its files are not what they were.
            dataset_title, dataset_digest: how people call the dataset, if not by its name; and its content's, if known.
            metadata: words to find a new job by; one that is there already keeps those it has.
            room: bytes that the results of a named owner may have, those to come included.
            webhook_id: a webhook of the owner's that is told of the job's end, too, whatever its own events are.
            needs: the place of the job among its owner's own, and the workers that may have it.

        Equal jobs, and idempotency keys, are those of the same owner: nobody learns what others have asked for.

        Raises:
            IdempotencyConflict: the key came with another body before.
            QuotaExceeded, ResultsFull: the owner has `max_open` jobs already, or too few of `room` bytes are left.
        """
        owner = self._reach.owner
        own = (request, recipe, dataset, method, ipc, seed, fingerprint, max_attempts, forecast, owner, max_open, unfit)
        order = submissions.Order(*own, dataset_title, dataset_digest, metadata or {}, room, webhook_id, needs)
        key = submissions.key(idempotency_key, body_hash, owner)
        return self.database.insert(lambda session: submissions.submit(session, order, key))

    def replay(self, idempotency_key: str, body_hash: str) -> Submission | None:
        """The answer of `submit` to this key; None where it gave none. Raises IdempotencyConflict, as `submit`."""
        with self.database.read() as session:
            return submissions.replay(session, submissions.Key(idempotency_key, body_hash, self._reach.owner))

    def answer(self, fingerprint: str) -> tuple[str, list[File]] | None:
        """The finished job that `submit` would answer with ("cached"), and its files; None where there is none."""
        with self.database.read() as session:
            twin = submissions.done_twin(session, fingerprint, self._reach.owner)
            return None if twin is None else (twin.id, jobs.files(session, twin.id))

    def job(self, job_id: str) -> Job:
        """The job of this id. Raises UnknownJob."""
        with self.database.read() as session:
            return jobs.get(session, job_id, self._reach, self._finished)

    def jobs(
        self,
        status: str | None = None,
        dataset: str | None = None,
        method: str | None = None,
        q: str | None = None,
        limit: int = 50,
        metadata: Mapping[str, str] | None = None,
    ) -> list[Job]:
        """The newest jobs that `listing.Filters` with these fields leave, newest first; at most `limit`."""
        return self.page(listing.Filters(status, dataset, method, q, metadata), limit=limit)[0]

    def page(
        self,
        filters: listing.Filters,
        sort: Sort = "newest",
        limit: int = 50,
        after: listing.Position | None = None,
    ) -> tuple[list[Job], listing.Position | None]:
        """At most `limit` jobs that the filters leave, in an order, from where the page before ended (`after`).

        And where the next page begins, if there is one.
        """
        with self.database.read() as session:
            return listing.page(session, filters, sort, limit, after, self._reach, self._finished)

    def jobs_under(self, conditions: str, limit: int = 100) -> list[Job]:
        """The newest jobs that succeeded at once and whose forecast names these conditions, newest first."""
        with self.database.read() as session:
            return jobs.under(session, conditions, limit)

    def counts(self) -> dict[str, int]:
        """Number of jobs by status; every status is named."""
        with self.database.read() as session:
            return jobs.counts(session, self._reach)

    def events(self, job_id: str, after: int = 0, limit: int = 1000, kinds: Sequence[str] | None = None) -> list[Event]:
        """The job's events with `seq` above `after`, oldest first; only of `kinds`, if given. Raises UnknownJob."""
        with self.database.read() as session:
            jobs.check(session, job_id, self._reach)
            return log.after(session, job_id, after, limit, kinds)

    def standing(self, job_ids: Sequence[str]) -> dict[str, Standing]:
        """How these jobs stand, whoever's they are; none of those that are gone."""
        with self.database.read() as session:
            return jobs.standing(session, job_ids)

    def files(self, job_id: str) -> list[File]:
        """The files of the job's artifact by name; none before it has succeeded. Raises UnknownJob."""
        with self.database.read() as session:
            jobs.check(session, job_id, self._reach)
            return jobs.files(session, job_id)

    def file(self, job_id: str, name: str) -> File | None:
        """One file of the job's artifact, None if there is no such job or file."""
        with self.database.read() as session:
            return jobs.file(session, job_id, name, self._reach)

    def publishing(self, name: str, sha256: str) -> Job | None:
        """The first job whose artifact has a file of this name and SHA-256, None if there is none."""
        with self.database.read() as session:
            return jobs.publishing(session, name, sha256, self._reach)

    def request_cancel(self, job_id: str) -> Job:
        """Cancel a job that waits at once; ask a running one's worker to stop ("cancelling"). Idempotent.

        Raises:
            UnknownJob, IllegalTransition: no such job; it has succeeded or failed.
        """
        with self.database.write() as session:
            return requests.cancel(session, job_id, self._reach)

    def request_pause(self, job_id: str) -> Job:
        """Pause a queued job at once; ask a running one's worker to save it ("pausing"). Idempotent.

        Raises:
            UnknownJob, IllegalTransition: no such job; it is over, or is being cancelled.
        """
        with self.database.write() as session:
            return requests.pause(session, job_id, self._reach)

    def resume(self, job_id: str, max_open: int | None = None, unfit: str | None = None) -> Job:
        """Queue a paused job again; it continues from its checkpoint. One that is queued or running stays so.

        An equal job that is done is in its way, but for the one of the id `unfit` (see `submit`).

        Raises:
            UnknownJob, IllegalTransition: no such job; it is over, or is being cancelled, or an equal one is open.
            QuotaExceeded: its owner has `max_open` open jobs already.
        """
        return self.database.insert(lambda session: requests.resume(session, job_id, self._reach, max_open, unfit))

    def request_finish(self, job_id: str, max_open: int | None = None) -> Job:
        """Have a job end with the best that it has, as soon as a worker has it; a paused one is queued. Idempotent.

        Raises:
            UnknownJob, IllegalTransition: no such job; it is over, or is being cancelled.
            QuotaExceeded: it is paused, and its owner has `max_open` open jobs already.
        """
        with self.database.write() as session:
            return requests.finish(session, job_id, self._reach, max_open)

    def retry(self, job_id: str, max_open: int | None = None, room: int | None = None, unfit: str | None = None) -> Job:
        """Queue a failed or cancelled job again; it continues from its last checkpoint. Of `unfit` see `resume`.

        Raises:
            UnknownJob, IllegalTransition: no such job; it has not failed nor been cancelled, or an equal one is open.
            SourceGone, QuotaExceeded, ResultsFull: its upload, say, was deleted; as of a new job.
        """
        return self.database.insert(lambda session: requests.retry(session, job_id, self._reach, max_open, room, unfit))

    def delete(self, job_id: str, remove: Callable[[str], None]) -> None:
        """Forget a job that is over; `remove` takes out of the store what nothing else needs, by its SHA-256.

        Raises:
            UnknownJob, IllegalTransition: no such job; it is not over.
        """
        with self.database.write() as session:
            addresses = deletion.delete(session, job_id, self._reach)
        if addresses:
            with self.database.write() as session:  # the job is gone by now, whatever becomes of its objects
                deletion.drop(session, job_id, addresses, remove)

    def deleted(self, job_ids: Collection[str]) -> set[str]:
        """Those of the ids whose jobs were deleted."""
        with self.database.read() as session:
            return deletion.deleted(session, job_ids)

    # What workers do

    def register_worker(
        self, worker_id: str, device: str, hostname: str, calibration: Document | None = None, ability: Ability = ABLE
    ) -> None:
        """Announce a worker process, or say again that it is there, as its heartbeats do.

        A `calibration` is what it has measured of its hardware, None keeps what it said before; `ability` is what it
        can take.
        """
        row = worker_id, device, hostname, calibration, ability
        self.database.insert(lambda session: workers.register(session, *row))

    def workers(self, seen_within: float | None = None) -> list[Worker]:
        """The workers seen in the last `seen_within` seconds; None: in the last day."""
        with self.database.read() as session:
            return workers.seen_within(session, seen_within)

    def claim(
        self, worker_id: str, ttl: float, max_running: int | None = None, ability: Ability = ABLE
    ) -> Claim | None:
        """Start the next job that the worker can take, and hold it for `ttl` seconds; None when there is none.

        Jobs of an owner with a name who has `max_running` running wait, whatever their place.
        """
        with self.database.write() as session:
            return claims.claim(session, worker_id, ttl, max_running, ability)

    def heartbeat(self, claim: Claim, ttl: float) -> Beat:
        """Hold the job for another `ttl` seconds. When it is not held any more, stop and write nothing."""
        with self.database.write() as session:
            return claims.heartbeat(session, claim, ttl)

    def record(
        self,
        claim: Claim,
        phase: str | None = None,
        progress: Document | None = None,
        metrics: Document | None = None,
        events: Sequence[tuple[str, Document]] = (),
    ) -> bool:
        """Keep what the engine says of itself; False when the job is not held any more.

        Args:
            claim: the worker's hold.
            phase: what the job is doing now; default `progress["phase"]`, else unchanged.
            progress: `{done, total, eta_seconds, phases}`; replaces the last one. Told as an event now and then.
            metrics: numbers by name, merged into the job's.
            events: `(type, data)`, appended to the log, up to `core.ledger.events.REPORTED_LIMIT` an attempt.
        """
        with self.database.write() as session:
            return claims.record(session, claim, phase, progress, metrics, events)

    def record_forecast(self, claim: Claim, forecast: Document, recipe: Document | None = None) -> bool:
        """Keep what the job is expected to cost where it runs; False when the job is not held any more.

        Args:
            recipe: the one that is fitted to that place, if it is not the one the job was submitted with.
        """
        with self.database.write() as session:
            return claims.record_forecast(session, claim, forecast, recipe)

    def succeed(self, claim: Claim, files: Sequence[File], metrics: Document | None = None) -> bool:
        """Publish the result; False when the job is not held any more or was cancelled, and the result is dropped.

        When the connection breaks during the commit, call it again: an attempt that has succeeded succeeds again.
        """
        with self.database.write() as session:
            return claims.succeed(session, claim, files, metrics)

    def fail(self, claim: Claim, error: Document) -> bool:
        """End the job with `{code, type, message, phase, hint}`; False when not held, or cancelled instead."""
        with self.database.write() as session:
            return claims.fail(session, claim, error)

    def cancelled(self, claim: Claim) -> bool:
        """Say that the work has stopped after a cancel request; False when not held any more.

        Raises:
            IllegalTransition: nobody has asked to cancel.
        """
        with self.database.write() as session:
            return claims.stop(session, claim)

    def release(self, claim: Claim, reason: str) -> bool:
        """Give the job back without counting a loss: to the queue, or to wait where it is to pause.

        False when not held, or cancelled instead.
        """
        with self.database.write() as session:
            return claims.release(session, claim, reason)

    def lose(self, claim: Claim, reason: str) -> bool:
        """Say that the engine crashed: back to the queue, or failed as `worker_lost`; False when not held."""
        with self.database.write() as session:
            return claims.lose(session, claim, reason)

    def sweep(self, expire: bool = True) -> Swept:
        """Take the jobs of dead workers away (only if `expire`), count the losses, and forget what is out of date."""
        return sweep.everything(self.database, expire)
