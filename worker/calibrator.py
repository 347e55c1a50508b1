"""What this worker's hardware can do, measured while nobody waits; and what the jobs it starts will cost on it.

A measurement is a process of the engine's kind, which runs in the worker's one slot and is ended as soon as there is
work. It is kept in HOME, so that a worker that starts again on the same hardware knows it within seconds.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Final, final

import structlog

from core.data import Catalogue, DatasetFacts
from core.data.inspection import facts_of
from core.forecast import Calibration, outlook
from core.ids import is_id
from core.ledger import Claim, Ledger
from core.recipe import Recipe
from core.settings import Settings
from worker.child import Child, Message
from worker.protocol import CALIBRATION

_TICK: Final = 0.2
_LIMIT: Final = 300.0
"""Seconds a measurement may take; it needs ten on two CPU cores, and three times fifteen to compile."""
_TRIES: Final = 3

log = structlog.stdlib.get_logger(__name__)


@final
class Calibrator:
    """Knows the hardware once `measure` has got far enough, and all there is to know once it has succeeded."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self.known: Calibration | None = None
        """What was measured."""
        self._settings = settings
        self._ledger = ledger
        self._catalogue = Catalogue(settings.datasets)
        self._tries_left = _TRIES
        self._complete = False

    @property
    def due(self) -> bool:
        """Whether there is something to measure, and hope."""
        return not self._complete and self._tries_left > 0

    def measure(self, wanted: Callable[[], bool]) -> None:
        """Measures, unless the slot is wanted before it is done. Never raises."""
        try:
            self._measure(wanted)
        except Exception:
            self._tries_left -= 1
            log.exception("calibration failed", tries_left=self._tries_left)

    def _measure(self, wanted: Callable[[], bool]) -> None:
        folder = self._settings.home.resolve() / "calibration"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "order.json").write_text(
            json.dumps({"device": self._settings.device, "compile": self._settings.compile})
        )
        heard: list[Message] = []
        deadline = time.monotonic() + _LIMIT
        with Child.spawn(CALIBRATION, folder, heard.append) as child:
            while (status := child.wait(_TICK)) is None:
                self._learn(heard)
                if wanted():
                    return
                if time.monotonic() > deadline:
                    raise TimeoutError(f"It took longer than {_LIMIT:g} s.")
        self._learn(heard)
        if status or self.known is None:
            raise RuntimeError("\n".join([f"It ended with status {status}.", *child.last_words()]))
        self._complete = True
        log.info("calibrated", hardware=self.known.hardware, took=self.known.seconds)

    def _learn(self, heard: list[Message]) -> None:
        while heard:
            self.known = Calibration.model_validate(heard.pop(0))

    def foresee(self, claim: Claim) -> None:
        """Tells the ledger what a job will cost here. Never raises: no job fails for want of a forecast.

        Only before the first attempt, because a later one begins somewhere on the way.
        """
        if self.known is None or claim.attempt > 1:
            return
        job = claim.job
        try:
            facts, recipe = self._facts(job.dataset), Recipe.model_validate(job.recipe)
            forecast = outlook(self._ledger, recipe, facts, job.ipc, job.method, self.known)
            self._ledger.foresee(claim, forecast.model_dump(mode="json"))
        except Exception:
            log.exception("no forecast")

    def _facts(self, name: str) -> DatasetFacts:
        if not is_id("ds", name):
            return self._catalogue.facts(name)
        upload = self._ledger.uploads.get(name)
        return facts_of(upload.id, upload.name, upload.found or {})
