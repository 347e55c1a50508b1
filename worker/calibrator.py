"""The speed of this worker's hardware, measured while nobody waits; and the cost of the jobs it starts on it.

A measurement is a process of the engine's kind, which runs in the worker's one slot and is ended as soon as there is
work. It is kept in HOME, so that a worker that starts again on the same hardware knows it within seconds.

The first is made at once: a forecast by a busy machine is better than none. If others kept the processors busy
meanwhile, or jobs take much longer or shorter than it says, it is made again once others leave the processors alone;
ever more rarely, and so many times at most.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, final

import structlog

from core.budget import TooShort
from core.data import Catalogue, DatasetFacts, DatasetInvalid, UnknownDataset
from core.data.inspection import facts_of
from core.forecast import (
    ENOUGH,
    MARGIN,
    QUIET,
    Calibration,
    Forecast,
    Past,
    fitted_job,
    forecast_job,
    off,
    raced_job,
    remembered,
    sized_job,
    still_holds,
)
from core.ids import is_upload
from core.ledger import DISTILLATION, Claim, Document, Job, Ledger, UnknownUpload
from core.methods.automatic import AUTO, WITHIN
from core.recipe import Recipe, RecipeError
from core.request import JobRequest, resolve, with_digests_of
from core.settings import Settings
from worker import processors
from worker.child import Child, Message
from worker.database_retry import Beyond
from worker.processors import Reading
from worker.protocol import CALIBRATION

_ORDER: Final = "order.json"
_TICK: Final = 0.2
_LIMIT: Final = 300.0
"""Seconds a measurement may take; it needs ten on two CPU cores, and three times fifteen to compile."""
_TRIES: Final = 3

_AGAIN: Final = 8
"""Times a measurement is repeated at most."""
_RECALL: Final = 30.0
"""Seconds that a job waits for what was measured before this worker started; to be told takes two or three."""
_PAUSE: Final = 60.0
"""Seconds after a measurement before it is repeated; each time twice as many."""
_WATCH: Final = 5.0
"""Seconds for which the processors are watched before others are said to leave them alone."""
_STALE: Final = 60.0
"""Seconds after which a look at them says nothing about the present."""
_OFF: Final = 2.0
"""Times as long, or as short, as foreseen that jobs take in the median before a measurement is distrusted."""

log = structlog.stdlib.get_logger(__name__)


@final
class Calibrator:
    """Knows the hardware once `measure` has got far enough, and all there is to know once it has succeeded."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        look: Callable[[], Reading | None] = processors.read,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            look: how busy the processors were so far.
            clock: seconds since some moment.
        """
        self.known: Calibration | None = None
        """The newest measurement; None before there is one."""
        self._settings = settings
        self._ledger = ledger
        self._look = look
        self._clock = clock
        self._catalogue = Catalogue(settings.datasets)
        self._tries_left = _TRIES
        self._complete = False
        self._again_left = _AGAIN
        self._not_before = 0.0
        self._pause = _PAUSE
        self._watched: tuple[float, Reading | None] | None = None
        self._worked = True
        self._distrusted = False
        self._enough = ENOUGH

    def room(self) -> int | None:
        """Bytes of memory that a job may take here by its forecast; None where nobody knows."""
        if self._settings.job_memory is not None:
            return int(self._settings.job_memory * 2**30)
        measured = (self.known.device_bytes or self.known.free_bytes) if self.known else 0
        return int(MARGIN * measured) or None

    @property
    def due(self) -> bool:
        """Whether there is something to measure, hope, and, if it was measured before, quiet."""
        if not self._complete:
            return self._tries_left > 0
        if self._tries_left <= 0 or self._again_left <= 0 or self._clock() < self._not_before:
            return False
        return self._reason() is not None and self._is_quiet()

    def recall(self, stopped: Callable[[], bool]) -> None:
        """Learns what was measured here before, if anything was, even while work waits. Never raises.

        A job that races, or is to end within a time, would otherwise be planned for a machine that nobody measured.
        """
        before = self._folder.glob("*.json") if self.known is None else ()
        if any(path.name != _ORDER for path in before):
            over = time.monotonic() + _RECALL
            self.measure(lambda: self.known is not None or stopped() or time.monotonic() > over)

    def measure(self, wanted: Callable[[], bool]) -> None:
        """Measures, unless the slot is wanted before it is done. Never raises."""
        try:
            self._measure(wanted, self._reason() if self._complete else None)
        except Exception:
            self._tries_left -= 1
            log.exception("calibration failed", tries_left=self._tries_left)

    @property
    def _folder(self) -> Path:
        return self._settings.home.resolve() / "calibration"

    def _measure(self, wanted: Callable[[], bool], again: Literal["better", "anew"] | None) -> None:
        folder = self._folder
        folder.mkdir(parents=True, exist_ok=True)
        order = {"device": self._settings.device, "compile": self._settings.compile, "again": again}
        (folder / _ORDER).write_text(json.dumps(order))
        heard: list[Message] = []
        deadline = time.monotonic() + _LIMIT
        with Child.spawn(CALIBRATION, folder, heard.append) as child:
            while (status := child.wait(_TICK)) is None:
                self._learn(heard)
                if wanted():
                    self._not_before = self._clock() + self._pause
                    return
                if time.monotonic() > deadline:
                    raise TimeoutError(f"It took longer than {_LIMIT:g} s.")
        self._learn(heard)
        if status or self.known is None:
            raise RuntimeError("\n".join([f"It ended with status {status}.", *child.last_words()]))
        self._settle(again)
        log.info("calibrated", hardware=self.known.hardware, took=self.known.seconds, others=self.known.others)

    def _settle(self, again: Literal["better", "anew"] | None) -> None:
        """Decide when to measure again, if ever."""
        self._complete = True
        self._not_before, self._pause = self._clock() + self._pause, 2 * self._pause
        if again is not None:
            self._again_left -= 1
        if again == "anew":  # where it said the same once more, it is the model that is off: let more jobs say so
            self._distrusted, self._enough = False, 2 * self._enough

    def _learn(self, heard: list[Message]) -> None:
        while heard:
            self.known = Calibration.model_validate(heard.pop(0))

    def _reason(self) -> Literal["better", "anew"] | None:
        """Why to measure again."""
        if self.known is None:
            return None
        if self._worked:
            self._worked, self._distrusted = False, self._is_off(self.known)
        if self._distrusted:
            return "anew"
        return None if self.known.quiet else "better"

    def _is_off(self, calibration: Calibration) -> bool:
        """Whether jobs that this very measurement priced took another time."""
        try:
            jobs = self._ledger.jobs_under(calibration.key)
            priced = [job for job in jobs if (job.forecast or {}).get("calibration") == calibration.name]
            if len(priced) < self._enough:
                return False
            times = off(remembered(priced, calibration, self._facts))
        except Exception:
            log.exception("no look at past jobs")
            return False
        return times is not None and times > _OFF

    def _is_quiet(self) -> bool:
        """Whether others have left the processors alone since they were last looked at, some seconds ago."""
        now = self._clock()
        if self._watched is not None and now - self._watched[0] < _WATCH:
            return False
        before, self._watched = self._watched, (now, self._look())
        if before is None or now - before[0] > _STALE:
            return False
        taken = processors.others(before[1], self._watched[1])
        return taken is None or taken <= QUIET

    def record_forecast(self, claim: Claim) -> Claim:
        """Tells the ledger what a job will cost here, and the recipe that fits here into the time that it may take.

        Never raises: no job fails for want of a forecast. Only before the first attempt, because a later one begins
        somewhere on the way; and not where the forecast that the job was submitted with is this one.

        Returns the claim with the job as it is then.
        """
        self._worked = True
        if self.known is None or claim.attempt > 1 or claim.job.kind != DISTILLATION:
            return claim
        try:
            if still_holds(self._ledger, claim.job, self.known):
                return claim
            recipe, forecast = self._foreseen(claim.job, self.known)
            by, cost = recipe.model_dump(mode="json"), forecast.model_dump(mode="json")
            if self._ledger.record_forecast(claim, cost, by):
                return replace(claim, job=replace(claim.job, recipe=by, forecast=cost))
        except Exception:
            log.exception("no forecast")
        return claim

    def _foreseen(self, job: Job, calibration: Calibration) -> tuple[Recipe, Forecast]:
        """The recipe that the job is to run by here, and its forecast."""
        facts, recipe = self._facts(job.dataset), Recipe.model_validate(job.recipe)
        of = facts, job.ipc, job.method, calibration, self._facts
        if "within" in job.request:
            request = JobRequest.model_validate(job.request)
            whole, soft = with_digests_of(recipe, resolve(request, facts)), request.labels == "soft"
            try:
                return fitted_job(
                    self._ledger, whole, *of, request.within, request.fixed, request.target, soft=soft, seed=job.seed
                )
            except TooShort as error:  # it was accepted for a faster machine: the least it can do here
                return fitted_job(
                    self._ledger, whole, *of, error.enough, request.fixed, request.target, soft=soft, seed=job.seed
                )
        return recipe, forecast_job(self._ledger, recipe, *of, job.seed)

    def race(self, job: Job) -> Document:
        """The search of a job, for a method or for a size, as it can finish here, and what its candidates share.

        Raises:
            Beyond: its dataset is gone by now, or another one.
        """
        try:
            return self._raced(job)
        except (UnknownUpload, UnknownDataset, DatasetInvalid, RecipeError) as error:
            raise Beyond(str(error)) from error

    def _raced(self, job: Job) -> Document:
        if job.method != AUTO and "target" not in job.request:
            return {}
        facts, request = self._facts(job.dataset), JobRequest.model_validate(job.request)
        if request.target is not None:
            shared, sizing = sized_job(request, facts, self.known)
            measured = self.known.model_dump(mode="json") if self.known else None
            recipe = shared.model_dump(mode="json")
            return {"recipe": recipe, "sizing": sizing.model_dump(mode="json"), "calibration": measured}
        past: list[Past] = []
        if self.known is not None:
            past = remembered(self._ledger.jobs_under(self.known.key), self.known, self._facts)
        shared, entrants = raced_job(
            *(resolve(request, facts), facts, job.ipc, self.known, past),
            *(request.within or WITHIN, request.fixed),
            soft=request.labels == "soft",
        )
        return {"recipe": shared.model_dump(mode="json"), "entrants": entrants.model_dump(mode="json")}

    def _facts(self, name: str) -> DatasetFacts:
        if not is_upload(name):
            return self._catalogue.facts(name)
        upload = self._ledger.uploads.get(name)
        return facts_of(upload.id, upload.name, upload.found or {})
