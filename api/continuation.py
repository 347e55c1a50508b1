"""The finished job that another goes on from: whether it can, and what of it the new job is known by."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any, Final, Self, final

import numpy as np

from api.problems import Kind, ProblemError, invalid
from core.artifacts import layout
from core.artifacts.store import MissingObject, Store
from core.data import DatasetFacts
from core.data.multi_index import is_multi_index
from core.feasibility import most_ipc
from core.ledger import DISTILLATION, ENDED, File, Job, Ledger, UnknownJob
from core.methods import AUTO
from core.recipe import Counts, FieldError, Recipe
from core.recipe.share import counts
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

    def request(self, request: JobRequest, recipe: Recipe, facts: DatasetFacts) -> JobRequest:
        """The request with the digest of the images that it goes on from.

        Raises:
            ProblemError: INVALID_REQUEST, it cannot go on from them.
        """
        job, file = self._found(request.continue_from)
        if is_multi_index(job.dataset):
            fix = f"Name one that distilled '{facts.label}', or leave out continue_from."
            raise _refused(f"Job {job.id} is of a regression, and its result has no classes of images.", fix)
        if job.dataset != request.dataset:
            raise _refused(f"Job {job.id} is of another dataset.", f"Set dataset to '{job.dataset}'.")
        errors = list(_misfits(job, request, recipe, facts, self._opened(file)))
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

    def _opened(self, file: File) -> _Result:
        try:
            if self.store.intact(file.sha256, file.bytes):
                with self.store.open(file.sha256) as tensors:
                    return _Result.read(tensors)
        except MissingObject:
            pass
        except OSError:
            raise ProblemError(Kind.NOT_READY, "The store does not answer.", hint="Try again.") from None
        told = "The store has lost or damaged the result of that job."
        raise _refused(told, "Submit its request anew, and go on from that.")


@final
@dataclass(frozen=True)
class _Result:
    """The beginning of a result's `dataset.safetensors`: images of each class, and the recipe behind them."""

    counts: Counts
    recipe: dict[str, Any]

    @property
    def each(self) -> int:
        """Images a class, in the mean."""
        return sum(self.counts) // len(self.counts)

    @classmethod
    def read(cls, tensors: IO[bytes]) -> Self:
        document = json.loads(tensors.read(int.from_bytes(tensors.read(_LENGTH), "little")))
        about = json.loads(document["__metadata__"]["stillhouse"])
        begin, end = document["labels"]["data_offsets"]
        labels = np.frombuffer(tensors.read(end)[begin:], dtype="<i8")
        return cls(tuple(np.bincount(labels, minlength=len(about["class_names"])).tolist()), about["recipe"])


def _misfits(
    job: Job, request: JobRequest, recipe: Recipe, facts: DatasetFacts, earlier: _Result
) -> Iterator[FieldError]:
    """Everything by which a request cannot go on from a result on the same dataset."""
    if request.ipc < earlier.each:
        told = f"Job {job.id} has {earlier.each} images per class, more than {request.ipc}."
        yield FieldError("ipc", told, f"Set ipc to at least {earlier.each}.")
    if recipe.rounds is not None:
        told = "Rounds choose images for a set that begins with the recipe's own, not with those of another job."
        yield FieldError("overrides.rounds", told, "Set rounds to null, or leave out continue_from.")
    share = earlier.recipe.get("share", "equal")
    if share != recipe.share:
        told = f"The images of job {job.id} have another share of each class."
        yield FieldError("share", told, f"Set share to '{share}'.")
    elif request.ipc >= earlier.each and not (held := _held(earlier, recipe, facts))(request.ipc):
        told = f"In proportion, {request.ipc} images per class are fewer of some class than job {job.id} has of it."
        near = (*range(request.ipc, most_ipc(recipe, facts) + 1), *range(earlier.each, request.ipc))
        enough = next(filter(held, near), None)
        yield FieldError("ipc", told, f"Set ipc to {enough}." if enough else "Leave out continue_from.")
    preprocess = recipe.preprocess.model_dump(mode="json")
    if earlier.recipe["preprocess"] != preprocess:
        kind = earlier.recipe["preprocess"]["kind"]
        told = f"The images of job {job.id} are in the space of '{kind}', not of '{preprocess['kind']}'."
        fields = {name: value for name, value in earlier.recipe["preprocess"].items() if preprocess.get(name) != value}
        fix = " and ".join(f"preprocess.{name} to {json.dumps(value)}" for name, value in fields.items())
        yield FieldError("overrides.preprocess", told, f"Set {fix}.")
    if recipe.parameterize.formation > 1:
        told = "Stored images that stand for several cannot begin with those of a result."
        yield FieldError("overrides.parameterize.kind", told, "Set parameterize.kind to 'pixels'.")
    if recipe.schedule.stages.count > 1:
        told = "A curriculum makes its images stage after stage, and has no use for those of a result."
        yield FieldError("overrides.schedule.stages.count", told, "Set schedule.stages.count to 1.")
    if recipe.objective.keeps_images and request.method != AUTO and recipe.relabel.needs_teacher:
        if request.ipc != earlier.each:
            told = f"Other labels alone make no further images: job {job.id} has {earlier.each} per class."
            yield FieldError("ipc", told, f"Set ipc to {earlier.each}.")
    elif recipe.objective.keeps_images or recipe.objective.draws_images or recipe.parameterize.update < 1:
        other = ", or give other labels alone: 'random' with relabel.kind 'soft' and a teacher"
        told = "The recipe keeps its images, or some of them, as its init chooses or draws them."
        yield FieldError("method", told, f"Take a method that moves all images, such as 'dm' or 'mtt'{other}.")


def _held(earlier: _Result, recipe: Recipe, facts: DatasetFacts) -> Callable[[int], bool]:
    """Whether a set of so many images has at least those of a result, in each class.

    Proportional shares are rounded: with more images in all, a class may have fewer.
    """

    def held(ipc: int) -> bool:
        return all(map(operator.ge, counts(recipe.share, ipc, facts.sizes), earlier.counts))

    return held


def _refused(message: str, fix: str) -> Exception:
    return invalid([FieldError(_FIELD, message, fix)])
