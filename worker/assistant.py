"""One part of a job that another worker runs: held under a lease of its own, made by an engine, left where it is found.

Whatever goes wrong here costs the job nothing but this part, which somebody makes again.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, final

import structlog

from core.artifacts.store import Store
from core.files import write_atomic
from core.ledger import AWAY, Claim, Document, Ledger, PartClaim
from core.masks import masked
from core.settings import Settings
from worker import uploads
from worker.child import Child, Message
from worker.drain import Drain
from worker.foreman import carry_result
from worker.protocol import Exit, JobFolder, parts_of

_TICK: Final = 0.2
_BEATS: Final = 3
"""Heartbeats that may be missed before somebody else may make the part: to make it twice does no harm."""

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

    def run_next(self) -> bool:
        """Make one part, if there is one; whether there was. Raises AWAY of the ledger."""
        claim = self._ledger.sharing.claim(self._worker_id, self._ttl, self._declined)
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
        try:
            self._prepare(folder, claim)
            heard: list[Message] = []
            with Child.spawn(self._engine, root, heard.append) as child:
                status, wanted = self._watch(child, claim)
            return self._conclude(claim, child, status, wanted, heard)
        finally:
            shutil.rmtree(root, ignore_errors=True)
            for left in (root.parent, root.parent.parent):
                with suppress(OSError):  # others are at work there
                    left.rmdir()

    def _prepare(self, folder: JobFolder, claim: PartClaim) -> None:
        uploads.fetch(claim.job, self._ledger, self._store, self._settings.datasets.resolve())
        folder.staging.mkdir(parents=True)
        folder.checkpoint.mkdir()
        part = {"conditions": claim.part.conditions, "order": claim.part.order}
        order: dict[str, Any] = {**self._order(Claim(claim.job, claim.job.attempt)), "part": part, "help_above": None}
        write_atomic(folder.job, json.dumps(order).encode())

    def _watch(self, child: Child, claim: PartClaim) -> tuple[int, bool]:
        """Waits for the engine's end, and brings it about once nobody wants the part, or it is not ours."""
        beaten, deadline, wanted = time.monotonic(), float("inf"), True
        while (status := child.wait(_TICK)) is None:
            now = time.monotonic()
            if wanted and now - beaten >= self._settings.heartbeat_interval:
                try:
                    wanted, beaten = self._ledger.sharing.beat(claim, self._ttl), now
                except AWAY:
                    wanted = now - beaten < self._ttl
            if not wanted or (self._drain.is_set() and deadline == float("inf")):
                deadline = min(deadline, now + (self._settings.drain_grace if wanted else 0.0))
                child.terminate()
            if now >= deadline:
                child.kill()
        return status, wanted

    def _conclude(self, claim: PartClaim, child: Child, status: int, wanted: bool, heard: list[Message]) -> str:
        sharing = self._ledger.sharing
        if status == Exit.DONE:  # whoever holds the part now: its results are of use
            if self._settings.store_url is not None:
                for name in claim.part.order["files"]:
                    carry_result(self._ledger, self._store, self._settings.experts.resolve() / name, name)
            return "made" if sharing.made(claim) else "made by another worker, too"
        if not wanted:
            return "not wanted any more"
        if status == Exit.DECLINED:
            self._declined.add(claim.part.conditions)
            sharing.give_back(claim)
            said = next((message["message"] for message in heard if message.get("type") == "log"), "")
            return f"declined: {said}"
        if self._drain.is_set():
            sharing.give_back(claim)
            return "given back"
        log.warning("the engine crashed", status=status, last_words=child.last_words())
        sharing.give_back(claim, lost=True)
        return "crashed"
