"""One attempt at a regression memory: the lab's engine run in a workspace on disk, and its result packed."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from core.artifacts.memory import RegressionMemory, build_memory
from core.data.multi_index import facts_of, parse
from core.engine.cache import Cache
from core.engine.deadline import Deadline
from core.engine.journal import Journal
from core.engine.memory import peak_mib
from core.engine.stored import document, written
from core.engine.two_layer import student
from core.engine.two_layer.run import Done, distil
from core.files import write_atomic
from core.report import Ended, Report, Within
from core.request import ENGINE_VERSION, check
from worker.engine.disk_workspace import ASKED, DiskWorkspace
from worker.engine.job import Job, hardware
from worker.engine.package import commit
from worker.protocol import JobFolder

_VERSIONED = ("stillhouse", "numpy", "safetensors")


def run_lab(job: Job, folder: JobFolder, journal: Journal, stopped: Callable[[], bool]) -> dict[str, Any]:
    """Run a job on a formula to its artifact in the staging folder; returns the metrics of the job object.

    Raises:
        Drained: it was told to stop first.
    """
    folder.checkpoint.mkdir(parents=True, exist_ok=True)
    timings = folder.checkpoint / "seconds.json"
    journal.seconds = document(timings, {})
    began = time.monotonic() if job.began is None else job.began
    within = job.request.within or math.inf
    deadline = Deadline(within, job.fit.phases if job.fit else {}, journal, began)
    try:
        journal.enter("preparing", 1)
        task = parse(job.request.dataset)
        check(job.recipe, job.request, facts_of(task))
        journal.progress(1, 1)
        workspace = DiskWorkspace(
            journal=journal,
            cache=Cache(job.experts_dir, job.expert_cache_bytes),
            folder=folder.checkpoint,
            timings=timings,
            interval=job.checkpoint_interval,
            should_stop=stopped,
            time_left=lambda: 0.0 if folder.finish.exists() else deadline.time_left(),
            ending=lambda: ASKED if folder.finish.exists() else deadline.ending(),
            networks=deadline.networks,
        )
        done = distil(job.recipe, task, job.request.ipc, job.request.seed, workspace)
        journal.enter("publishing", 1)
        ended = None
        if done.theory.samples < task.n:
            ended = Ended(step=done.theory.samples, steps=task.n, why=workspace.ending())
        artifact = _artifact(job, done, journal, ended)
        build_memory(folder.staging, artifact)
        journal.progress(1, 1)
        errors = {line.name: round(fmean(line.errors), 6) for line in done.theory.errors}
        return {
            "seconds": round(sum(journal.seconds.values()), 3),
            "alignment": done.theory.alignment,
            "errors": errors,
            "floats": done.theory.floats,
            **({"ended": ended.document()} if ended else {}),
        }
    finally:
        journal.leave()
        write_atomic(timings, written(journal.seconds))


def _artifact(job: Job, done: Done, journal: Journal, ended: Ended | None) -> RegressionMemory:
    journal.leave()
    memory, request, cpu = done.memory, job.request, torch.device("cpu")
    given_up = job.fit.given_up if job.fit else ()
    report = Report(
        n_seeds=len(done.theory.lines["fresh"].errors),
        ended=ended,
        within=Within(seconds=request.within, given_up=given_up) if request.within else None,
        theory=done.theory,
        phases={phase: round(seconds, 3) for phase, seconds in journal.seconds.items()},
        peak_memory_mib=round(peak_mib(cpu), 1),
        device=hardware(cpu),
    )
    return RegressionMemory(
        points=memory.points,
        labels=memory.labels,
        seed=memory.seed,
        ridge=memory.ridge,
        bias=memory.bias,
        student=Path(student.__file__),
        facts=facts_of(parse(request.dataset)),
        request=request.model_dump(mode="json"),
        recipe=job.recipe.model_dump(mode="json"),
        report=report,
        metrics=journal.curves(),
        provenance={
            "fingerprint": job.fingerprint,
            "engine_version": ENGINE_VERSION,
            "commit": commit(),
            "versions": {"python": platform.python_version(), **{name: version(name) for name in _VERSIONED}},
            "hardware": report.device,
            "seeds": {"request": request.seed, "evaluation": list(range(report.n_seeds or 0))},
            "timings": report.phases,
            "chosen": [],
        },
    )
