"""One attempt at a job: claim, start the engine, keep the lease, pass on what it says, stop it, publish.

A trigger (a Celery doorbell, the poller) calls `look`, which runs queued jobs until there are none. Every
write carries the attempt's number, so an attempt that lost its lease can do no harm; it also writes nothing.
"""

from __future__ import annotations

import enum
import json
import shutil
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar, final

import structlog

from core.artifacts.store import MissingObject, Store
from core.files import write_atomic
from core.ledger import AWAY, Ability, Claim, Document, File, Job, Ledger, Status
from core.masks import masked
from core.settings import Settings
from worker import checkpoints, failure_reports, uploads
from worker.assistant import Assistant
from worker.checkpoints import CheckpointCarrier
from worker.child import Child
from worker.database_retry import PAUSE, Beyond, until_answered, until_stored
from worker.drain import Drain
from worker.foreman import Foreman
from worker.heartbeat import Heartbeat
from worker.preview_uploader import PreviewUploader
from worker.protocol import ENGINE, Exit, JobFolder
from worker.publish import collect, metrics_of

_TICK: Final = 0.2
"""Seconds between looks at the reasons to stop an engine."""

_CANCEL_GRACE: Final = 3.0
"""Seconds an engine has to go after a cancel: it may save what it can, but nobody waits for its result."""

T = TypeVar("T")

log = structlog.stdlib.get_logger(__name__)


@final
class Stop(enum.Enum):
    """Why the supervisor stopped an engine."""

    LOST = "the attempt lost its lease"
    FENCED = "no heartbeat was possible for too long"
    CANCELLED = "a user cancelled the job"
    PAUSED = "a user paused the job"
    DRAINED = "the worker was told to stop"
    TIMED_OUT = "the attempt ran too long"
    STALLED = "the engine says nothing any more"


@final
class Outcome(enum.StrEnum):
    """The end of an attempt, for the worker's log; the ledger has it in its own words."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RELEASED = "released"  # to the queue, or paused
    CRASHED = "crashed"
    LOST = "lost"


@final
class Supervisor:
    """The worker's one slot. Safe to call from several threads: one works, the others return at once."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        store: Store,
        worker_id: str,
        drain: Drain,
        engine: str = ENGINE,
        record_forecast: Callable[[Claim], Claim] = lambda claim: claim,
        race: Callable[[Job], Document] = lambda job: {},
        room: Callable[[], int | None] = lambda: None,
    ) -> None:
        """
        Args:
            worker_id: unique to this start of this process.
            drain: when set, the running engine is told to checkpoint and its job goes back to the queue.
            engine: module that is run as the child process.
            record_forecast: called with every job that is about to start, which it may change; must not raise.
            race: what the engine is told beside a job, or in the place of its recipe, where candidates are to race;
                raises Beyond where they cannot.
            room: bytes of memory that a job may take here by its forecast; None where nobody knows.
        """
        self.has_gpu: bool | None = None
        """Whether jobs for a GPU can be taken, and those for processors alone cannot; None takes either."""
        self.worked_at = time.monotonic()
        """When there was last something to do."""
        self._settings = settings
        self._ledger = ledger
        self._store = store
        self._worker_id = worker_id
        self._drain = drain
        self._engine = engine
        self._record_forecast = record_forecast
        self._race = race
        self._room = room
        self._assistant = Assistant(settings, ledger, store, worker_id, drain, engine, self._order)
        self._slot = threading.Lock()
        self._rung = threading.Event()

    def look(self) -> None:
        """Runs queued jobs, one after the other, until none is left or the worker drains. Never raises."""
        self._rung.set()
        # A thread that finds the slot taken has left the flag set, and the holder looks at it again after letting go.
        while self._rung.is_set() and self._slot.acquire(blocking=False):
            try:
                self._rung.clear()
                while not self._drain.is_set() and self._run_next():
                    pass
            except AWAY as error:
                log.warning("the ledger does not answer", reason=type(error).__name__)
            except Exception:
                log.exception("looking for work failed")
            finally:
                self._slot.release()

    @property
    def ability(self) -> Ability:
        """The jobs that this worker can take."""
        return Ability(self.has_gpu, self._room())

    def while_idle(self, work: Callable[[Callable[[], bool]], None]) -> None:
        """Does something else in the slot if it is free; `work` should end as soon as what it is given says so."""
        if not self._slot.acquire(blocking=False):
            return
        try:
            work(self._wanted)
        finally:
            self._slot.release()
        if self._rung.is_set():
            self.look()

    def _wanted(self) -> bool:
        """Whether something waits for the slot."""
        if self._drain.is_set() or self._rung.is_set():
            return True
        try:
            return self._ledger.counts()[Status.QUEUED] > 0
        except AWAY:
            return False

    def _run_next(self) -> bool:
        claimed_at = time.monotonic()
        settings = self._settings
        claim = self._ledger.claim(self._worker_id, settings.lease_ttl, settings.max_running_jobs, self.ability)
        if claim is None:
            helped = self._assistant.run_next(self.ability)  # whole jobs first: so they take no more time than alone
            self.worked_at = time.monotonic() if helped else self.worked_at
            return helped
        self.worked_at = time.monotonic()
        with structlog.contextvars.bound_contextvars(job=claim.job.id, attempt=claim.attempt):
            log.info("attempt started", dataset=claim.job.dataset, method=claim.job.method)
            claim = self._record_forecast(claim)
            try:
                outcome = self._attempt(claim, claimed_at)
            except AWAY:
                log.warning("attempt left to the sweeper: the ledger does not answer")
            except Exception as error:
                log.exception("attempt broke the supervisor")
                self._ledger.lose(claim, masked(f"The worker failed: {type(error).__name__}: {error}"))
                self._drain.wait(PAUSE)
            else:
                log.info("attempt ended", outcome=outcome)
                if outcome is Outcome.CRASHED:
                    self._drain.wait(PAUSE)  # a full disk or a GPU in reset should not use up all attempts at once
        self.worked_at = time.monotonic()
        return True

    def _attempt(self, claim: Claim, claimed_at: float) -> Outcome:
        folder = JobFolder(self._settings.jobs.resolve() / claim.job.id, claim.attempt)
        with Heartbeat(self._ledger, claim, self._settings, claimed_at) as heartbeat:
            try:
                ready = self._stored(lambda: self._prepare(folder, claim, claimed_at), heartbeat)
            except Beyond as error:
                gone = failure_reports.unavailable(error)
                return self._settle(claim, Outcome.FAILED, lambda: self._ledger.fail(claim, gone))
            except Exception as error:
                return self._storage_trouble(claim, heartbeat, error)
            if ready is None:
                return self._disturbed(claim, heartbeat)
            previews = PreviewUploader(self._store, folder, heartbeat.hear)
            foreman = Foreman(self._settings, self._ledger, self._store, claim, self._worker_id, previews.hear)
            carrier = CheckpointCarrier(self._settings, self._ledger, self._store, claim, folder)
            with previews, foreman, carrier, Child.spawn(self._engine, folder.root, foreman.hear) as child:
                foreman.reply_by(child.tell)
                status, stop = self._watch(child, heartbeat, folder)
            if status != Exit.DONE:
                carrier.last()
            return self._conclude(claim, folder, heartbeat, child, status, stop)

    def _prepare(self, folder: JobFolder, claim: Claim, claimed_at: float) -> bool:
        settings, job = self._settings, claim.job
        race = self._race(job)
        uploads.fetch(job, self._ledger, self._store, settings.datasets.resolve())
        if (address := job.request.get("continues")) and not folder.continues.exists():
            try:
                self._store.fetch(address, folder.continues)
            except MissingObject as fault:
                raise uploads.LostUpload(f"The result of {job.request['continue_from']} is lost: {fault}.") from None
        shutil.rmtree(folder.staging, ignore_errors=True)
        folder.staging.mkdir(parents=True, exist_ok=True)
        checkpoints.bring(settings, self._ledger, self._store, claim, folder)
        if job.finish_requested_at is not None:  # told before there is an engine: nothing is begun for nothing
            folder.finish.touch()
        write_atomic(folder.job, json.dumps({**self._order(claim), "began": claimed_at, **race}, indent=2).encode())
        return True

    def _order(self, claim: Claim) -> Document:
        """The words that tell an engine of a job on this worker."""
        settings, job = self._settings, claim.job
        return {
            "job_id": job.id,
            "attempt": claim.attempt,
            "request": job.request,
            "recipe": job.recipe,
            "fingerprint": job.fingerprint,
            "dataset_title": job.dataset_title,
            "dataset_digest": job.dataset_digest,
            "data_dir": str(settings.datasets.resolve()),
            "experts_dir": str(settings.experts.resolve()),
            "expert_cache_bytes": settings.expert_cache_bytes,
            "device": settings.device,
            "compile": settings.compile,
            "checkpoint_interval": settings.checkpoint_interval,
            "within": (job.forecast or {}).get("within"),
            "help_above": settings.help_above,
            "shares_results": settings.store_url is not None,
        }

    def _watch(self, child: Child, heartbeat: Heartbeat, folder: JobFolder) -> tuple[int, Stop | None]:
        """Waits for the engine's end, and brings it about when there is a reason to."""
        started = time.monotonic()
        heartbeat.engine.hear(started)
        stop: Stop | None = None
        deadline = float("inf")
        while (status := child.wait(_TICK)) is None:
            if heartbeat.finish_requested.is_set():
                folder.finish.touch()
            if stop is not Stop.LOST and heartbeat.lost.is_set():
                stop, deadline = Stop.LOST, 0.0  # a successor may run already: no grace
            elif stop is None and (stop := self._reason(heartbeat, started)) is not None:
                log.info("stopping the engine", reason=stop.value)
                child.terminate()
                deadline = time.monotonic() + self._grace(stop)
            if time.monotonic() >= deadline:
                child.kill()
        return status, stop

    def _reason(self, heartbeat: Heartbeat, started: float) -> Stop | None:
        if heartbeat.silence() > self._settings.self_fence_after:
            return Stop.FENCED
        if heartbeat.cancel_requested.is_set():
            return Stop.CANCELLED
        if heartbeat.pause_requested.is_set():
            return Stop.PAUSED
        if self._drain.is_set():
            return Stop.DRAINED
        if time.monotonic() - started > self._settings.job_timeout:
            return Stop.TIMED_OUT
        if heartbeat.engine.too_long(time.monotonic()):
            return Stop.STALLED
        return None

    def _grace(self, stop: Stop) -> float:
        if stop is Stop.FENCED:  # the engine must be gone before the lease is
            settings = self._settings
            return min(settings.drain_grace, (settings.lease_ttl - settings.self_fence_after) / 2)
        return _CANCEL_GRACE if stop is Stop.CANCELLED else self._settings.drain_grace

    def _conclude(
        self, claim: Claim, folder: JobFolder, heartbeat: Heartbeat, child: Child, status: int, stop: Stop | None
    ) -> Outcome:
        """Turns the engine's end into exactly one fenced transition."""
        if stop is Stop.LOST or heartbeat.lost.is_set():
            return Outcome.LOST
        ledger, words = self._ledger, child.last_words()
        if words and status not in (Exit.DONE, Exit.DRAINED):
            heartbeat.hear({"type": "log", "level": "error", "message": "\n".join(words)})
        until_answered(heartbeat.flush, self._drain)
        if stop is Stop.CANCELLED:
            return self._settle(claim, Outcome.CANCELLED, lambda: ledger.cancelled(claim))
        if status == Exit.DONE:
            return self._publish(claim, folder, heartbeat)
        if stop is Stop.TIMED_OUT:
            error = failure_reports.timeout(self._settings.job_timeout, heartbeat.phase)
            return self._settle(claim, Outcome.FAILED, lambda: ledger.fail(claim, error))
        if status == Exit.FAILED:
            error = failure_reports.failure(folder, heartbeat.phase)
            return self._settle(claim, Outcome.FAILED, lambda: ledger.fail(claim, error))
        if stop is Stop.STALLED:  # also one that checkpoints when it is told to: what it waits for may never come
            reason = failure_reports.stall(heartbeat.phase)
            return self._settle(claim, Outcome.CRASHED, lambda: ledger.lose(claim, reason))
        if status == Exit.DRAINED or (stop is not None and (child.killed or status == -signal.SIGTERM)):
            # An engine that was told too early, or would not go in time, did not crash: its last checkpoint is good.
            reason = (stop or Stop.DRAINED).value
            return self._settle(claim, Outcome.RELEASED, lambda: ledger.release(claim, reason))
        reason = failure_reports.crash(status, words)
        log.warning("the engine crashed", status=status, reason=reason, last_words=words)
        return self._settle(claim, Outcome.CRASHED, lambda: ledger.lose(claim, reason))

    def _publish(self, claim: Claim, folder: JobFolder, heartbeat: Heartbeat) -> Outcome:
        """Stores the artifact and flips the job, in that order; a crash between the two leaves only spare blobs.

        While the store is away the lease and the finished folder are kept.
        """

        def tell(done: int, total: int) -> None:
            heartbeat.hear({"type": "progress", "phase": "publishing", "done": done, "total": total})

        if not self._holds(claim):  # then the sweeper may have taken the folder, or another attempt have begun
            return Outcome.LOST
        try:
            metrics = metrics_of(folder.result)
            files = self._stored(lambda: collect(folder.staging, self._store, tell), heartbeat)
        except Exception as error:
            return self._storage_trouble(claim, heartbeat, error)
        if files is None:
            return self._disturbed(claim, heartbeat)
        until_answered(heartbeat.flush, self._drain)
        outcome = self._settle(claim, Outcome.SUCCEEDED, lambda: self._ledger.succeed(claim, files, metrics))
        if outcome is Outcome.SUCCEEDED:
            self._restore(folder, files)
            shutil.rmtree(folder.root, ignore_errors=True)
        return outcome

    def _restore(self, folder: JobFolder, files: Sequence[File]) -> None:
        """Store again what a job that was deleted meanwhile had alone until now; from now on nobody takes it away."""
        try:
            if not all(self._store.exists(file.sha256) for file in files):
                collect(folder.staging, self._store, lambda done, total: None)
        except OSError as error:
            log.warning("could not look at what was published", reason=masked(str(error)))

    def _stored(self, work: Callable[[], T], heartbeat: Heartbeat) -> T | None:
        """Does something with the store or the disk, however long that is away; None when the attempt is to end."""
        patience = self._settings.store_patience
        waiting = False

        def disturbed() -> bool:
            asked = heartbeat.cancel_requested.is_set() or heartbeat.pause_requested.is_set()
            return asked or heartbeat.lost.is_set() or self._drain.is_set()

        def tell(error: Exception) -> None:
            nonlocal waiting
            reason = masked(str(error))
            log.warning("waiting for the storage", reason=reason, at_most=patience)
            if not waiting:
                words = f"The storage does not work ({reason}). The job waits for it, {patience:g} seconds at most."
                heartbeat.hear({"type": "log", "level": "warning", "message": words})
            waiting = True

        return until_stored(work, patience, disturbed, tell)

    def _disturbed(self, claim: Claim, heartbeat: Heartbeat) -> Outcome:
        """Ends an attempt that waited for the storage and was told to stop; its checkpoint is good."""
        if heartbeat.lost.is_set():
            return Outcome.LOST
        until_answered(heartbeat.flush, self._drain)
        if heartbeat.cancel_requested.is_set():
            return self._settle(claim, Outcome.CANCELLED, lambda: self._ledger.cancelled(claim))
        reason = Stop.PAUSED if heartbeat.pause_requested.is_set() else Stop.DRAINED
        return self._settle(claim, Outcome.RELEASED, lambda: self._ledger.release(claim, reason.value))

    def _holds(self, claim: Claim) -> bool:
        """Whether the attempt has its lease still, which it renews."""
        return until_answered(lambda: self._ledger.heartbeat(claim, self._settings.lease_ttl), self._drain).held

    def _storage_trouble(self, claim: Claim, heartbeat: Heartbeat, problem: Exception) -> Outcome:
        """Worth another attempt, since the checkpoint is good; the last one says what is wrong with the storage."""
        if not self._holds(claim):
            return Outcome.LOST
        until_answered(heartbeat.flush, self._drain)
        error = failure_reports.storage(problem)
        log.error("storage trouble", reason=error["message"])
        if claim.job.losses + 1 < claim.job.max_attempts:
            return self._settle(claim, Outcome.CRASHED, lambda: self._ledger.lose(claim, error["message"]))
        return self._settle(claim, Outcome.FAILED, lambda: self._ledger.fail(claim, error))

    def _settle(self, claim: Claim, outcome: Outcome, write: Callable[[], bool]) -> Outcome:
        """Makes the one fenced write that ends an attempt; what became of it, for the log."""
        if until_answered(write, self._drain):
            return outcome
        job = until_answered(lambda: self._ledger.job(claim.job.id), self._drain)
        cancelled = job.attempt == claim.attempt and job.status is Status.CANCELLED
        return Outcome.CANCELLED if cancelled else Outcome.LOST
