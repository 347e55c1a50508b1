"""One attempt at a job: the engine run in a workspace on disk, and its result packed as an artifact."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from core.artifacts import build
from core.data import Catalogue, Dataset, DatasetFacts
from core.data.catalogue import UPLOADS
from core.data.evidence import read_near
from core.engine.cache import Cache
from core.engine.context import KernelPlan
from core.engine.continued import read
from core.engine.deadline import Deadline, least_judging
from core.engine.journal import Journal
from core.engine.kernel_plan import plan
from core.engine.kernels import Compiled, Pace, compile_within, measurement, trim_programs
from core.engine.networks import Network
from core.engine.planner import Planner
from core.engine.run import distil
from core.engine.stored import document, written
from core.engine.workspace import Drained
from core.feasibility import sourced
from core.files import write_atomic
from core.forecast import Sizes
from core.plan.ways import Verdict
from core.recipe import Recipe, TwoLayer
from core.request import check, needs_c_scores, scored
from worker.engine.crew import Crew, Line
from worker.engine.disk_workspace import ASKED, DiskWorkspace
from worker.engine.job import Job, device, use_threads
from worker.engine.lab import run_lab
from worker.engine.package import artifact_of
from worker.engine.pictures import Pictures
from worker.protocol import JobFolder

_PROGRAM_BYTES = 1 << 28  # of compiled kernels: about a megabyte each, and three more that the compiler keeps of it
_COMPILING = 0.15  # share of the time that is left
_TOLD = {"accuracy_mean", "accuracy_std", "n_seeds"}  # of a line of the report, in the metrics of the job
_BALANCED = {"balanced_accuracy_mean", "balanced_accuracy_std"}  # of the same, but for lines that are means of several


def run(
    job: Job, folder: JobFolder, journal: Journal, stopped: Callable[[], bool], line: Line | None = None
) -> dict[str, Any]:
    """Run a job to its artifact in the staging folder; returns the metrics of the job object.

    By the `line` it reaches other workers.

    Raises:
        Drained: it was told to stop first.
    """
    if isinstance(job.recipe.objective, TwoLayer):
        return run_lab(job, folder, journal, stopped)
    folder.checkpoint.mkdir(parents=True, exist_ok=True)
    timings = folder.checkpoint / "seconds.json"
    journal.seconds = document(timings, {})
    began = time.monotonic() if job.began is None else job.began
    fit, within = job.fit, job.request.within or math.inf
    foreseen, reference = (fit.phases, fit.reference) if fit else ({}, 0.0)
    judging = least_judging(job.recipe.evaluation.seeds, len(job.recipe.evaluation.baseline_lrs))
    deadline = Deadline(within, foreseen, journal, began, reference=reference, judging=judging)
    try:
        journal.enter("preparing", 2)
        job, dataset = loaded(job)
        use_threads(dataset.facts.shape)
        verdict = measurement.of_job(folder.checkpoint, programs_of(job).folder, device(job.device))
        # At submission the dataset may not have been here.
        check(job.recipe, job.request, dataset.facts)
        journal.progress(1, 2)

        def source(name: str) -> Dataset:
            found = Catalogue(job.data_dir).load(name)
            sourced(job.recipe, found.facts, dataset.facts)  # others may lie there since the job was submitted
            return found

        on = device(job.device)
        crew = None
        if line is not None and job.help_above is not None:
            crew = Crew(line, journal, job.help_above, on, {"verdict": verdict.model_dump(mode="json")})

        done = distil(
            job.recipe,
            dataset,
            job.request.ipc,
            job.request.seed,
            DiskWorkspace(
                journal=journal,
                cache=Cache(job.experts_dir, job.expert_cache_bytes),
                folder=folder.checkpoint,
                timings=timings,
                interval=job.checkpoint_interval,
                should_stop=stopped,
                pictures=Pictures(folder, journal),
                time_left=lambda: 0.0 if folder.finish.exists() else deadline.time_left(),
                grace=lambda: 0.0 if folder.finish.exists() else deadline.grace(),
                ending=lambda: ASKED if folder.finish.exists() else deadline.ending(),
                networks=deadline.networks,
                foresee=deadline.foresee,
                spare=lambda: 0.0 if folder.finish.exists() else deadline.spare(),
                lengthen=deadline.lengthen,
                crew=crew,
                fetch=crew.fetch if crew and job.shares_results else lambda name: False,
                kept=crew.kept if crew and job.shares_results else lambda name: None,
            ),
            device=on,
            run=job.fingerprint or job.job_id,
            plan=_planner(job, verdict, journal, stopped, deadline.time_left),
            load=source,
            continues=read(folder.continues, dataset.facts, device(job.device)) if job.request.continues else None,
            searching=job.searching,
            sizes=Sizes(job.request, dataset.facts, job.calibration, job.recipe),
            most_steps=fit.most_steps if fit else 0,
        )
        journal.enter("publishing", 1)
        artifact = artifact_of(job, done)
        build(folder.staging, artifact)
        journal.progress(1, 1)
        report = artifact.report
        means = report.across.mean if report.across else {}
        return {
            **report.model_dump(mode="json", by_alias=True, include={"gap_closed", "gap_reason", "majority", "ended"}),
            **({"winner": report.race.winner} if report.race else {}),
            **({"ipc": report.aim.ipc, "reached": report.aim.reached} if report.aim else {}),
            "seconds": round(sum(journal.seconds.values()), 3),
            "results": {row.name: row.model_dump(include=_TOLD | _BALANCED) for row in report.results},
            "across": {name: row.model_dump(include=_TOLD | {"networks"}) for name, row in means.items()},
        }
    finally:
        journal.leave()
        write_atomic(timings, written(journal.seconds))


def loaded(job: Job) -> tuple[Job, Dataset]:
    """The job's dataset, and the job with the digest of the scores that its recipe ranks images by."""
    given = needs_c_scores(job.recipe)
    dataset = Catalogue(job.data_dir).load(job.request.dataset, scored=given, digest=job.dataset_digest)
    if dataset.facts.source == "upload":  # its bundle does not say how its owner calls it
        near = read_near(job.data_dir / UPLOADS / f"{job.request.dataset}.npz")
        dataset = replace(dataset, facts=replace(dataset.facts, title=job.dataset_title, near=near))
    if given and dataset.c_scores_digest is not None:
        job = replace(job, recipe=scored(job.recipe, dataset.c_scores_digest))
    return job, dataset


def programs_of(job: Job) -> Cache:
    return Cache(job.experts_dir.with_name("kernels"), _PROGRAM_BYTES)


def _planner(
    job: Job, verdict: Verdict, journal: Journal, stopped: Callable[[], bool], time_left: Callable[[], float]
) -> Planner:
    """Plans the kernels, compiles what the job will call and this machine lacks, and says so.

    Of a job that is to end in time, what is not compiled in a share of what is left is given up, and run eagerly.
    """
    programs, compiles, pace = programs_of(job), job.compile == "auto", Pace()

    def compiling(left: int) -> None:
        journal.progress(2, 2 + left)
        if stopped():
            raise Drained

    def planned(
        recipe: Recipe, facts: DatasetFacts, ipc: int, network: Network, on: torch.device, *, waits: bool = True
    ) -> KernelPlan:
        found = plan(recipe, facts, ipc, network, on, programs.folder, compiles=compiles, verdict=verdict)
        if not waits:
            if isinstance(found.kernels, Compiled):
                found.kernels.give_up(found.programs, on)
            return found
        journal.log(found.reason)
        if found.memory:
            journal.log(f"Memory of student steps: {found.memory['strategy']}.")
        if isinstance(found.kernels, Compiled):  # neither stopping nor the end of time waits for a compiler
            seconds = _COMPILING * time_left()
            if late := compile_within(found.kernels, found.programs, on, seconds, compiling, pace=pace):
                told = f"{', '.join(late)}: not compiled in {seconds:.0f} s of the job's time, and slower from here on."
                journal.log(f"Kernels given up: {told}", level="warning")
        programs.trim()
        trim_programs(programs.folder)
        return found

    return planned
