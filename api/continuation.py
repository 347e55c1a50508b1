"""The finished job that another goes on from: whether it can, and what of it the new job is known by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Self, final

from api.problems import Kind, ProblemError, invalid
from core.artifacts import layout
from core.artifacts.store import MissingObject, Store
from core.ledger import DISTILLATION, ENDED, File, Job, Ledger, UnknownJob
from core.methods import AUTO
from core.recipe import FieldError, Recipe
from core.request import JobRequest

_FIELD: Final = "continue_from"
_LENGTH: Final = 8
"""Bytes of a safetensors file that say how long its header is."""


@final
@dataclass(frozen=True)
class Earlier:
    """Where earlier jobs are looked up: what the caller sees of the ledger, and the store."""

    ledger: Ledger
    store: Store

    def request(self, request: JobRequest, recipe: Recipe) -> JobRequest:
        """The request with the digest of the images that it goes on from.

        Raises:
            ProblemError: INVALID_REQUEST, it cannot go on from them.
        """
        job, file = self._found(request.continue_from)
        errors = list(_misfits(job, request, recipe, _Header.read(self._opened(file), job)))
        if errors:
            raise invalid(errors)
        return request.model_copy(update={"continues": file.sha256})

    def _found(self, job_id: str) -> tuple[Job, File]:
        try:
            job = self.ledger.job(job_id)
        except UnknownJob:
            raise _refused("No job of yours has this id.", "GET /v1/jobs?status=succeeded lists them.") from None
        file = self.ledger.file(job.id, layout.TENSORS)
        if job.kind != DISTILLATION:
            raise _refused(f"Job {job.id} measured for advice, and has made no images.", "Name one that distilled.")
        if file is None:
            fix = f"Wait until it has succeeded, or end it early: POST /v1/jobs/{job.id}/finish."
            if job.status in ENDED:
                fix = "Name one that has distilled some: GET /v1/jobs?status=succeeded."
            raise _refused(f"Job {job.id} is {job.status.value} and has no result.", fix)
        return job, file

    def _opened(self, file: File) -> bytes:
        try:
            if self.store.intact(file.sha256, file.bytes):
                with self.store.open(file.sha256) as tensors:
                    return tensors.read(int.from_bytes(tensors.read(_LENGTH), "little"))
        except MissingObject:
            pass
        except OSError:
            raise ProblemError(Kind.NOT_READY, "The store does not answer.", hint="Try again.") from None
        told = "The store has lost or damaged the result of that job."
        raise _refused(told, "Submit its request anew, and go on from that.")


@final
@dataclass(frozen=True)
class _Header:
    """The header of a result's `dataset.safetensors`: images a class in the mean, and the recipe behind them."""

    each: int
    recipe: dict[str, Any]

    @classmethod
    def read(cls, header: bytes, job: Job) -> Self:
        document = json.loads(header)
        about = json.loads(document["__metadata__"]["stillhouse"])
        images: int = document["images"]["shape"][0]
        return cls(images // len(about["class_names"]), about["recipe"])


def _misfits(job: Job, request: JobRequest, recipe: Recipe, header: _Header) -> Iterator[FieldError]:
    """Everything by which a request cannot go on from a result."""
    if job.dataset != request.dataset:
        yield FieldError(_FIELD, f"Job {job.id} is of another dataset.", f"Set dataset to '{job.dataset}'.")
    if request.ipc < header.each:
        told = f"Job {job.id} has {header.each} images per class, more than {request.ipc}."
        yield FieldError("ipc", told, f"Set ipc to at least {header.each}.")
    share = header.recipe.get("share", "equal")
    if share != recipe.share:
        told = f"The images of job {job.id} have another share of each class."
        yield FieldError("share", told, f"Set share to '{share}'.")
    elif share != "equal" and request.ipc > header.each:  # with more in all, one class may have fewer
        told = f"Images in proportion to the classes are gone on from as they are, and job {job.id} has {header.each}."
        yield FieldError("ipc", told, f"Set ipc to {header.each}.")
    preprocess = recipe.preprocess.model_dump(mode="json")
    if header.recipe["preprocess"] != preprocess:
        kind = header.recipe["preprocess"]["kind"]
        told = f"The images of job {job.id} are in the space of '{kind}', not of '{preprocess['kind']}'."
        fields = {name: value for name, value in header.recipe["preprocess"].items() if preprocess.get(name) != value}
        fix = " and ".join(f"preprocess.{name} to {json.dumps(value)}" for name, value in fields.items())
        yield FieldError("overrides.preprocess", told, f"Set {fix}.")
    if recipe.parameterize.formation > 1:
        told = "Stored images that stand for several cannot begin with those of a result."
        yield FieldError("overrides.parameterize.kind", told, "Set parameterize.kind to 'pixels'.")
    if recipe.schedule.stages.count > 1:
        told = "A curriculum makes its images stage after stage, and has no use for those of a result."
        yield FieldError("overrides.schedule.stages.count", told, "Set schedule.stages.count to 1.")
    if recipe.objective.keeps_images and request.method != AUTO and recipe.relabel.needs_teacher:
        if request.ipc != header.each:
            told = f"Other labels alone make no further images: job {job.id} has {header.each} per class."
            yield FieldError("ipc", told, f"Set ipc to {header.each}.")
    elif recipe.objective.keeps_images or recipe.objective.draws_images or recipe.parameterize.update < 1:
        other = ", or give other labels alone: 'random' with relabel.kind 'soft' and a teacher"
        told = "The recipe keeps its images, or some of them, as its init chooses or draws them."
        yield FieldError("method", told, f"Take a method that moves all images, such as 'dm' or 'mtt'{other}.")


def _refused(message: str, fix: str) -> Exception:
    return invalid([FieldError(_FIELD, message, fix)])
