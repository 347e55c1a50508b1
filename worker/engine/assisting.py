"""A part of a job that another worker runs: the same results as there, to the same bits, or none."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping
from typing import Any, final

from core.engine import run
from core.engine.cache import Cache
from core.engine.journal import Journal
from core.engine.kernels import Compiled, Eager, Kernels, Shape, missing_compiler
from core.engine.networks import ConvNet, Network
from core.engine.real import prepare
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
    on, cache, apart = device(job.device), Cache(job.experts_dir, job.expert_cache_bytes), Cache(folder.staging, 2**63)
    programs, made = programs_of(job), list[Kernels]()

    def fetch(name: str) -> bool:
        path = cache.path(name)
        if path.exists():
            shutil.copyfile(path, apart.path(name))
        return path.exists()

    workspace = DiskWorkspace(
        journal=journal, cache=apart, folder=folder.checkpoint, interval=math.inf, should_stop=stopped, fetch=fetch
    )
    wanted, preprocess, real = part, None, None
    while wanted:
        order = wanted["order"]
        if conditions(on) != wanted["conditions"]:
            raise Declined("The job's worker has another processor, other threads or other libraries.")
        recipe = Recipe.model_validate(order["recipe"])
        if real is None or preprocess != recipe.preprocess:
            preprocess, real = recipe.preprocess, prepare(dataset, recipe.preprocess, on)

        def kernels(network: Network, recipe: Recipe = recipe, order: Mapping[str, Any] = order) -> Kernels:
            made.append(_kernels(network, recipe, order, programs, missing_compiler(on) is None))
            return made[-1]

        asked = job.request.ipc, job.request.seed, workspace, order, kernels
        if not run.assist(recipe, dataset, real, *asked):
            raise LookupError("No step of the recipe has these results: the dataset is another one here.")
        if isinstance(made[-1], Compiled) and made[-1].used != made[-1].shapes:
            raise Declined("A kernel could not be compiled that the job's worker has.")
        for name in order["files"]:
            path = apart.path(name)
            cache.write(cache.path(name), path.read_bytes(), journal.log)
            path.unlink()
        wanted = line.next_part(journal) if line is not None else {}
    programs.trim()


def _kernels(network: Network, recipe: Recipe, order: Mapping[str, Any], programs: Cache, compiles: bool) -> Kernels:
    if order["compiled"] is None:
        return Eager(network)
    if not isinstance(network, ConvNet) or not compiles:
        raise Declined("There is no compiler for the kernels of the job's worker.")
    shapes = frozenset(Shape(*shape) for shape in order["compiled"])
    return Compiled(network, shapes, recipe.precision, programs.folder, Verdict.model_validate(order["verdict"]))
