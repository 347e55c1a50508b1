"""Parts of a job that another worker runs: each under a lease of its own, made by an engine, left where it is found.

Whatever goes wrong here costs the job nothing but this part, which somebody makes again.
"""

from __future__ import annotations

import json
import shutil
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, final

import structlog

from core.artifacts.store import Store
from core.files import write_atomic
from core.ledger import AWAY, Ability, Claim, Document, Ledger, PartClaim, Status
from core.masks import masked
from core.settings import Settings
from worker import uploads
from worker.child import Child, Message
from worker.drain import Drain
from worker.foreman import carry_result, has_result
from worker.protocol import Exit, JobFolder, parts_of

_TICK: Final = 0.2
_BEATS: Final = 3
"""Heartbeats that may be missed before somebody else may make the part: to make it twice does no harm."""

_LINGER: Final = 10.0
"""Seconds that an engine which has the job's data waits for parts of the job's next step."""

_LOOK: Final = 1.0
"""Seconds between two looks for them."""

log = structlog.stdlib.get_logger(__name__)


@final
class Assistant:
    """Makes parts of others' jobs in the worker's slot."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        store: Store,
        worker_id: str,
        drain: Drain,
        engine: str,
        order: Callable[[Claim], Document],
    ) -> None:
        """
        Args:
            order: what an engine is told of a job on this worker.
        """
        self._settings, self._ledger, self._store = settings, ledger, store
        self._worker_id, self._drain, self._engine, self._order = worker_id, drain, engine, order
        self._ttl = _BEATS * settings.heartbeat_interval
        self._declined: set[str] = set()

    def run_next(self, ability: Ability) -> bool:
        """Make one part, if there is one, and others of its job after it; whether there was. Raises AWAY.

        Args:
            ability: the jobs of which this worker can make parts.
        """
        claim = self._ledger.sharing.claim(self._worker_id, self._ttl, self._declined, ability=ability)
        if claim is None:
            return False
        with structlog.contextvars.bound_contextvars(job=claim.job.id, part=claim.part.name[:12]):
            log.info("part started", files=len(claim.part.order["files"]))
            try:
                outcome = self._make(claim)
            except AWAY:
                log.warning("part left to others: the ledger does not answer")
            except Exception as error:
                log.warning("part lost", reason=masked(f"{type(error).__name__}: {error}"))
                self._ledger.sharing.give_back(claim, lost=True)
            else:
                log.info("part ended", outcome=outcome)
        return True

    def _make(self, claim: PartClaim) -> str:
        root = parts_of(self._settings.jobs.resolve() / claim.job.id) / f"{claim.part.name}-{claim.fence}"
        folder = JobFolder(root, claim.job.attempt)
        held = Held(claim)
        try:
            self._prepare(folder, claim)
            with Child.spawn(self._engine, root, held.hear) as child:
                status = self._watch(child, held)
            return self._conclude(child, status, held)
        finally:
            shutil.rmtree(root, ignore_errors=True)
            for left in (root.parent, root.parent.parent):
                with suppress(OSError):  # others are at work there
                    left.rmdir()

    def _prepare(self, folder: JobFolder, claim: PartClaim) -> None:
        uploads.fetch(claim.job, self._ledger, self._store, self._settings.datasets.resolve())
        self._bring(claim)
        folder.staging.mkdir(parents=True)
        folder.checkpoint.mkdir()
        order = {**self._order(Claim(claim.job, claim.job.attempt)), "part": _told(claim), "help_above": None}
        write_atomic(folder.job, json.dumps(order).encode())

    def _bring(self, claim: PartClaim) -> None:
        """Have the files in the cache that the part needs. Raises LookupError where one is gone, or OSError."""
        for name in claim.part.order.get("needs", ()):
            if not has_result(self._settings, self._ledger, self._store, name):
                raise LookupError(f"{name}, which the part needs, is neither in the cache nor in the store.")

    def _watch(self, child: Child, held: Held) -> int:
        """Waits for the engine's end, and brings it about once nobody wants the part, or it is not ours."""
        beaten, deadline = time.monotonic(), float("inf")
        while (status := child.wait(_TICK)) is None:
            now = time.monotonic()
            if held.wanted and not held.done and now - beaten >= self._settings.heartbeat_interval:
                try:
                    held.wanted, beaten = self._ledger.sharing.beat(held.claim, self._ttl), now
                except AWAY:
                    held.wanted = now - beaten < self._ttl
            if not held.wanted or (self._drain.is_set() and deadline == float("inf")):
                deadline = min(deadline, now + (self._settings.drain_grace if held.wanted else 0.0))
                child.terminate()
            if now >= deadline:
                child.kill()
            if held.asked and now >= held.look_at:
                part, lingers = self._next(held, now)
                held.look_at = now + _LOOK if lingers else 0.0
                if part is not None or not lingers:
                    child.tell({"number": held.asked.popleft()["number"], "part": part})
                    beaten = time.monotonic()
        return status

    def _next(self, held: Held, now: float) -> tuple[Document | None, bool]:
        """The next part of the job for the same engine, and whether one may come; none where whole jobs wait."""
        if not held.done:
            log.info("part ended", outcome=self._made(held.claim))
            held.done, held.idle_since = True, time.monotonic()
        if self._drain.is_set() or self._ledger.counts()[Status.QUEUED]:
            return None, False
        found = self._ledger.sharing.claim(self._worker_id, self._ttl, self._declined, held.claim.job.id)
        if found is None:
            return None, now - held.idle_since < _LINGER
        try:
            self._bring(found)
        except (LookupError, OSError) as error:
            log.warning("part lost", reason=masked(str(error)))
            self._ledger.sharing.give_back(found, lost=True)
            return None, False
        held.claim, held.done = found, False
        log.info("part started", files=len(found.part.order["files"]), part=found.part.name[:12])
        return _told(found), False

    def _made(self, claim: PartClaim) -> str:
        """Leaves results where the job finds them: whoever holds the part by now, they are of use."""
        if self._settings.store_url is not None:
            for name in claim.part.order["files"]:
                carry_result(self._ledger, self._store, self._settings.experts.resolve() / name, name)
        return "made" if self._ledger.sharing.made(claim) else "made by another worker, too"

    def _conclude(self, child: Child, status: int, held: Held) -> str:
        sharing, claim = self._ledger.sharing, held.claim
        if held.done:
            return "no more of them"
        if status == Exit.DONE:
            return self._made(claim)
        if not held.wanted:
            return "not wanted any more"
        if status == Exit.DECLINED:
            self._declined.add(claim.part.conditions)
            sharing.give_back(claim)
            return f"declined: {held.said}"
        if self._drain.is_set():
            sharing.give_back(claim)
            return "given back"
        log.warning("the engine crashed", status=status, last_words=child.last_words())
        sharing.give_back(claim, lost=True)
        return "crashed"


@final
class Held:
    """The part that an engine makes at the moment, and what it has said."""

    def __init__(self, claim: PartClaim) -> None:
        self.claim = claim
        self.wanted = True
        self.done = False
        """Whether it is made, and the engine has no other one."""
        self.idle_since = self.look_at = 0.0
        """When the engine had nothing more to make, and when to look for more, by the system's monotonic clock."""
        self.said = ""
        self.asked: deque[Message] = deque()
        """Questions that are to be answered."""

    def hear(self, message: Message) -> None:
        """Takes one message of the channel."""
        match message:
            case {"type": "ask", "what": "next"}:
                self.asked.append(message)
            case {"type": "log", "message": str(said)}:
                self.said = said


def _told(claim: PartClaim) -> Document:
    return {"conditions": claim.part.conditions, "order": claim.part.order}
