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
from core.plan.ways import Verdict
from core.recipe import Recipe
from worker.engine.attempt import loaded, programs_of
from worker.engine.crew import conditions
from worker.engine.disk_workspace import DiskWorkspace
from worker.engine.job import Job, device, use_threads
from worker.protocol import JobFolder


@final
class Declined(Exception):
    """Another worker has to make the part."""


def assist(job: Job, part: Mapping[str, Any], folder: JobFolder, journal: Journal, stopped: Callable[[], bool]) -> None:
    """Make the results of a part and leave them in the cache.

    They are kept apart until it is sure that they were made by the job's own kernels.

    Raises:
        Declined: this machine would make other bits, or does not know the dataset as the job's worker does.
        Drained: it was told to stop first.
    """
    job, dataset = loaded(job)
    use_threads(dataset.facts.shape)
    on, order, cache = device(job.device), part["order"], Cache(job.experts_dir, job.expert_cache_bytes)
    if conditions(on) != part["conditions"]:
        raise Declined("The job's worker has another processor, other threads or other libraries.")
    recipe, programs = Recipe.model_validate(order["recipe"]), programs_of(job)
    made: list[Kernels] = []

    def kernels(network: Network) -> Kernels:
        made.append(_kernels(network, recipe, order, programs, missing_compiler(on) is None))
        return made[-1]

    apart = Cache(folder.staging, 2**63)

    def fetch(name: str) -> bool:
        path = cache.path(name)
        if path.exists():
            shutil.copyfile(path, apart.path(name))
        return path.exists()

    workspace = DiskWorkspace(
        journal=journal, cache=apart, folder=folder.checkpoint, interval=math.inf, should_stop=stopped, fetch=fetch
    )
    if not run.assist(
        *(recipe, dataset, job.request.ipc, job.request.seed, workspace, order["files"], kernels), device=on
    ):
        raise Declined("No step of the recipe has these results: the dataset is another one here.")
    if isinstance(made[0], Compiled) and made[0].used != made[0].shapes:
        raise Declined("A kernel could not be compiled that the job's worker has.")
    for name in order["files"]:
        content = apart.path(name).read_bytes()
        cache.write(cache.path(name), content, journal.log)
    programs.trim()


def _kernels(network: Network, recipe: Recipe, order: Mapping[str, Any], programs: Cache, compiles: bool) -> Kernels:
    if order["compiled"] is None:
        return Eager(network)
    if not isinstance(network, ConvNet) or not compiles:
        raise Declined("There is no compiler for the kernels of the job's worker.")
    shapes = frozenset(Shape(*shape) for shape in order["compiled"])
    return Compiled(network, shapes, recipe.precision, programs.folder, Verdict.model_validate(order["verdict"]))
