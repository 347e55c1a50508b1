"""The sign of life of one attempt: heartbeats, and what the engine says, written to the ledger by a thread.

The database may go away for a while: what was heard is kept and written later, and it is `silence()` that tells the
supervisor when the lease is no longer safe. Nothing here waits for the engine, and nothing here stops it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Final, Self, final

import structlog

from core.ledger import AWAY, HELD, Beat, Claim, Document, Ledger, Status
from core.settings import Settings
from worker.child import Message
from worker.progress import Progress
from worker.silence import Silence

_TICK: Final = 1.0
"""Seconds between looks at the ledger; a cancel is noticed, and progress written, this often."""

_KEPT: Final = 1_000
"""Events kept while the database is away; beyond, the oldest are dropped."""

log = structlog.stdlib.get_logger(__name__)


@final
class Heartbeat:
    """Holds a claim: beats while entered, and listens through `hear`."""

    def __init__(self, ledger: Ledger, claim: Claim, settings: Settings, claimed_at: float) -> None:
        """
        Args:
            claimed_at: `time.monotonic()` before the claim was made, from which the lease surely counts.
        """
        self.lost = threading.Event()
        """Set when the attempt is no longer ours: write nothing, stop everything."""
        self.cancel_requested = threading.Event()
        """Set when a user wants the job to end."""
        self.pause_requested = threading.Event()
        """Set while a user wants the job to wait."""
        self.finish_requested = threading.Event()
        """Set when a user wants the result that there is."""
        if claim.job.finish_requested_at is not None:
            self.finish_requested.set()
        self._ledger = ledger
        self._claim = claim
        self._ttl = settings.lease_ttl
        self._interval = settings.heartbeat_interval
        self._tick = min(_TICK, settings.heartbeat_interval)
        self._began = self._last_beat = claimed_at
        self._progress = Progress(claim.job.progress)
        self.engine = Silence(settings.stall_after, claimed_at)
        """How long the engine has said nothing."""
        self._latest: Document | None = None
        self._metrics: dict[str, Document] = {}
        self._metrics_due = claimed_at
        self._events: deque[tuple[str, Document]] = deque(maxlen=_KEPT)
        self._hearing = threading.Lock()
        self._writing = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(timeout=self._tick)  # no longer: it may hang on a database that is away

    @property
    def phase(self) -> str | None:
        """The phase the engine last spoke of."""
        return self._progress.phase

    def silence(self) -> float:
        """Seconds since the last heartbeat that surely counted."""
        return time.monotonic() - self._last_beat

    def hear(self, message: Message) -> None:
        """Takes one message of the channel, to be written with the next tick. Never raises: the engine may err."""
        with self._hearing:
            self.engine.hear(time.monotonic(), message.get("phase"))
            match message:
                case {"type": "progress", "phase": str(phase), **rest}:
                    self._latest = self._progress.update(phase, rest)
                case {"type": "metric", "name": str(name), **rest}:
                    self._metrics[name] = {"name": name, **rest}
                case {"type": "log" | "preview" | "neighbours" as kind, **rest}:
                    self._events.append((kind, rest))
                case _:
                    log.warning("the engine sent a message of no known type", message=str(message)[:200])

    def flush(self) -> None:
        """Writes all that was heard; keeps it, and raises one of AWAY, when the database is away."""
        self._flush(everything=True)

    def _flush(self, everything: bool) -> None:
        with self._writing:
            with self._hearing:
                latest, self._latest = self._latest, None
                events = list(self._events)
                self._events.clear()
                if everything or time.monotonic() >= self._metrics_due:
                    events += [("metric", metric) for metric in self._metrics.values()]
                    self._metrics.clear()
                    self._metrics_due = time.monotonic() + self._spacing()
            if latest is None and not events:
                return
            try:
                held = self._ledger.record(self._claim, progress=latest, events=events)
            except AWAY:
                with self._hearing:
                    self._latest = self._latest or latest
                    self._events.extendleft(reversed(events))
                raise
            except Exception:  # what the ledger can't take is not worth the job
                log.exception("records dropped", progress=latest, events=len(events))
                return
            if not held:
                self.lost.set()

    def _spacing(self) -> float:
        """Seconds between rows of one metric: live at first, a thousand rows a day later; the artifact has them all."""
        return min(max((time.monotonic() - self._began) / 180, 1.0), 60.0)

    def _run(self) -> None:
        with structlog.contextvars.bound_contextvars(job=self._claim.job.id, attempt=self._claim.attempt):
            silent = False
            while not self.lost.is_set() and not self._ended.wait(self._tick):
                try:
                    self._attend()
                    self._flush(everything=False)
                except Exception as error:  # a heartbeat that dies of surprise would cost the job its lease
                    if not silent:
                        log.warning("the ledger does not answer", exc_info=not isinstance(error, AWAY))
                    silent = True
                else:
                    if silent:
                        log.info("the ledger answers again")
                    silent = False

    def _attend(self) -> None:
        now = time.monotonic()
        if now - self._last_beat < self._interval:
            self._look()
            return
        beat = self._ledger.heartbeat(self._claim, self._ttl)
        if not beat.held:
            self.lost.set()
            return
        self._last_beat = now
        self._obey(beat)

    def _look(self) -> None:
        """Between heartbeats a read is enough to learn of a cancel or a lost lease, and cheaper than a write."""
        job = self._ledger.job(self._claim.job.id)
        if job.attempt != self._claim.attempt or job.status not in HELD:
            self.lost.set()
            return
        asked = job.status is Status.CANCELLING, job.status is Status.PAUSING, job.finish_requested_at is not None
        self._obey(Beat(True, *asked))

    def _obey(self, beat: Beat) -> None:
        if beat.cancel_requested:
            self.cancel_requested.set()
        if beat.finish_requested:
            self.finish_requested.set()
        if beat.pause_requested:
            self.pause_requested.set()
        else:  # somebody has resumed it
            self.pause_requested.clear()
