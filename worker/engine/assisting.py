"""A part of a job that another worker runs: the same results as there, to the same bits, or none."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, final

import torch

from core.advice.study import Study
from core.data import Catalogue
from core.engine import advice, run
from core.engine.cache import Cache
from core.engine.journal import Journal
from core.engine.kernels import Compiled, Eager, Kernels, Shape, missing_compiler
from core.engine.networks import ConvNet, Network
from core.engine.whitened import real_data
from core.plan.ways import Verdict
from core.recipe import Recipe
from worker.engine.attempt import loaded, programs_of
from worker.engine.crew import Line, conditions
from worker.engine.disk_workspace import DiskWorkspace
from worker.engine.job import Job, device, use_threads
from worker.protocol import JobFolder


@final
class Declined(Exception):
    """Another worker has to make the part."""


def assist(
    job: Job,
    part: Mapping[str, Any],
    folder: JobFolder,
    journal: Journal,
    stopped: Callable[[], bool],
    line: Line | None = None,
) -> None:
    """Make the results of a part and leave them in the cache; and those of others of the job while `line` has any.

    They are kept apart until it is sure that they were made by the job's own kernels.

    Raises:
        Declined: this machine would make other bits.
        LookupError: it does not know the dataset as the job's worker does.
        Drained: it was told to stop first.
    """
    job, dataset = loaded(job)
    use_threads(dataset.facts.shape)
    on, programs, made = device(job.device), programs_of(job), list[Kernels]()
    place = _Place(job.experts_dir, job.expert_cache_bytes, folder, journal, stopped)
    preprocess, real = None, None

    def make(order: Mapping[str, Any]) -> bool:
        nonlocal preprocess, real
        recipe = Recipe.model_validate(order["recipe"])
        if real is None or preprocess != recipe.preprocess:
            preprocess, real = recipe.preprocess, real_data(dataset, recipe.preprocess, on, place.workspace)

        def kernels(network: Network) -> Kernels:
            made.append(_kernels(network, recipe, order, programs, missing_compiler(on) is None))
            return made[-1]

        asked = job.request.ipc, job.request.seed, place.workspace, order, kernels
        found = run.assist(recipe, dataset, real, *asked)
        if isinstance(made[-1], Compiled) and made[-1].used != made[-1].shapes:
            raise Declined("A kernel could not be compiled that the job's worker has.")
        return found

    place.each(part, on, make, line)
    programs.trim()


def assist_advice(
    job: Mapping[str, Any],
    folder: JobFolder,
    journal: Journal,
    stopped: Callable[[], bool],
    line: Line | None = None,
) -> None:
    """Measure points of another worker's study, as `job.json` has it, and leave them in the cache; see `assist`."""
    dataset = Catalogue(Path(job["data_dir"])).load(job["request"]["dataset"], digest=job.get("dataset_digest"))
    use_threads(dataset.facts.shape)
    study, on = Study.model_validate(job["recipe"]), device(job["device"])
    place = _Place(Path(job["experts_dir"]), job["expert_cache_bytes"], folder, journal, stopped)
    place.each(job["part"], on, lambda order: advice.assist(study, dataset, place.workspace, order["files"], on), line)


@final
class _Place:
    """The folder where results lie apart until it is sure that they are those of the job's own worker."""

    def __init__(
        self, experts: Path, limit: int, folder: JobFolder, journal: Journal, stopped: Callable[[], bool]
    ) -> None:
        self._cache, self._apart, self._journal = Cache(experts, limit), Cache(folder.staging, 2**63), journal
        self.workspace = DiskWorkspace(
            journal=journal,
            cache=self._apart,
            folder=folder.checkpoint,
            interval=math.inf,
            should_stop=stopped,
            fetch=self._fetch,
        )

    def each(
        self, part: Mapping[str, Any], on: torch.device, make: Callable[[Mapping[str, Any]], bool], line: Line | None
    ) -> None:
        """Make the results of a part, and of others while the line has any, and leave them in the cache of all.

        Raises:
            Declined: the job's own worker computes otherwise.
            LookupError: `make` says that it cannot.
        """
        wanted = part
        while wanted:
            order = wanted["order"]
            if conditions(on) != wanted["conditions"]:
                raise Declined("The job's worker has another processor, other threads or other libraries.")
            if not make(order):
                raise LookupError("The job has no such results here: its dataset is another one, or a file is gone.")
            for name in order["files"]:
                path = self._apart.path(name)
                self._cache.write(self._cache.path(name), path.read_bytes(), self._journal.log)
                path.unlink()
            wanted = line.next_part(self._journal) if line is not None else {}

    def _fetch(self, name: str) -> bool:
        path = self._cache.path(name)
        if path.exists():
            shutil.copyfile(path, self._apart.path(name))
        return path.exists()


def _kernels(network: Network, recipe: Recipe, order: Mapping[str, Any], programs: Cache, compiles: bool) -> Kernels:
    if order["compiled"] is None:
        return Eager(network)
    if not isinstance(network, ConvNet) or not compiles:
        raise Declined("There is no compiler for the kernels of the job's worker.")
    shapes = frozenset(Shape(*shape) for shape in order["compiled"])
    return Compiled(network, shapes, recipe.precision, programs.folder, Verdict.model_validate(order["verdict"]))
