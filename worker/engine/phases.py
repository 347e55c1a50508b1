"""The phases of a job, in order: each consumes what the core yields, says how far it is, and can be stopped.

Everything slow is kept as soon as it is done (experts in the cache, the loop's state and each line of the report in the
checkpoint), so an attempt that follows a crash goes on where the last one was.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

from core.artifacts import build
from core.data import Catalogue
from core.engine import distill, init
from core.engine.checkpoint import load as load_state
from core.engine.checkpoint import save as save_state
from core.engine.distill import State
from core.engine.kernels import Compiled, compile_ahead, trim_programs
from core.engine.keys import Key
from core.engine.networks import build as build_network
from core.engine.real import prepare
from core.engine.teacher import Teacher
from core.recipe.checks import learns_step_size
from core.request import check, needs_c_scores, scored
from worker.engine import diffusing, keep, probing, selecting, sweeping, teaching
from worker.engine.across import across
from worker.engine.bench import Bench, Job, device, use_threads
from worker.engine.cache import Cache
from worker.engine.channel import Channel
from worker.engine.covering import covered
from worker.engine.looks import Looks
from worker.engine.nearest import nearest
from worker.engine.package import distilled
from worker.engine.pictures import Pictures
from worker.engine.plan import plan
from worker.engine.stages import objective_of, outer_steps
from worker.engine.verdict import rows
from worker.protocol import JobFolder

_PROGRAM_BYTES = 1 << 28  # of compiled kernels: about a megabyte each, and three more that the compiler keeps of it
_TOLD = ("accuracy_mean", "accuracy_std", "n_seeds")  # of a line of the report, in the metrics of the job
_CURVE_POINTS = 500  # of the loss, at most


def run(job: Job, folder: JobFolder, channel: Channel, stopped: Callable[[], bool]) -> dict[str, Any]:
    """Run a job to its artifact in the staging folder; returns the metrics of the job object.

    Raises:
        Drained: it was told to stop first.
    """
    folder.checkpoint.mkdir(parents=True, exist_ok=True)
    timings = folder.checkpoint / "seconds.json"
    channel.seconds = keep.read(timings, {})
    try:
        bench = _prepare(job, folder, channel, stopped)
        taught = teaching.gather(bench)
        bench = diffusing.settled(probing.settled(sweeping.settled(bench), taught))
        state, selection = _distil(bench, taught)
        result = distill.finish(bench.job.recipe, state, bench.real, job.request.ipc)
        result = teaching.relabelled(bench, taught, result)
        lines = rows(bench, result, taught)
        judged = job.recipe.evaluation.seeds * sum(line["name"] != "teacher" for line in lines)
        unseen = across(bench, result, judged, taught)
        near = covered(bench, result, judged + 2 * job.recipe.evaluation.seeds * len(unseen))
        neighbours = nearest(bench, result)
        channel.enter("publishing", 1)
        artifact = distilled(bench, result, lines, unseen, near, neighbours, selection, taught)
        build(folder.staging, artifact)
        channel.progress(1, 1)
        return {
            "gap_closed": artifact.report["gap_closed"],
            "gap_reason": artifact.report["gap_reason"],
            "majority": artifact.report["majority"],
            "seconds": round(sum(channel.seconds.values()), 3),
            "results": {
                line["name"]: {field: line[field] for field in (*_TOLD, "balanced_accuracy_mean")}
                for line in artifact.report["results"]
            },
            "across": {
                name: {field: line[field] for field in (*_TOLD, "networks")}
                for name, line in (artifact.report["across"] or {"mean": {}})["mean"].items()
            },
        }
    finally:
        channel.leave()
        keep.write(timings, channel.seconds)


def _prepare(job: Job, folder: JobFolder, channel: Channel, stopped: Callable[[], bool]) -> Bench:
    channel.enter("preparing", 2)
    given = needs_c_scores(job.recipe)
    dataset = Catalogue(job.data_dir).load(job.request.dataset, scored=given)
    if dataset.facts.source == "upload":  # its bundle does not say how its owner calls it
        dataset = replace(dataset, facts=replace(dataset.facts, title=job.dataset_title))
    if given and dataset.c_scores_digest is not None:
        job = replace(job, recipe=scored(job.recipe, dataset.c_scores_digest))
    use_threads(dataset.facts.shape)
    # At submission the dataset may not have been here, or another one of this name.
    check(job.recipe, job.request, dataset.facts)
    channel.progress(1, 2)
    real = prepare(dataset, job.recipe.preprocess, device(job.device))
    channel.progress(2, 2)
    network = build_network(job.recipe.network, real.shape, real.classes)
    programs = Cache(job.experts_dir.with_name("kernels"), _PROGRAM_BYTES)
    planned = plan(
        job.recipe,
        dataset.facts,
        job.request.ipc,
        network,
        real.device,
        programs.folder,
        compiles=job.compile == "auto",
    )
    channel.log(planned.reason)
    if planned.memory:
        channel.log(f"Memory of student steps: {planned.memory['strategy']}.")
    bench = Bench(
        job=job,
        folder=folder,
        channel=channel,
        stopped=stopped,
        cache=Cache(job.experts_dir, job.expert_cache_bytes),
        dataset=dataset,
        real=real,
        network=network,
        plan=planned,
        key=Key(job.request.seed),
    )
    _compile(bench)
    programs.trim()
    trim_programs(programs.folder)
    return bench


def _compile(bench: Bench) -> None:
    """Compile what the job will call and the folder lacks; stopping waits for no compiler."""
    if isinstance(bench.kernels, Compiled):
        with closing(compile_ahead(bench.kernels, bench.plan.programs, bench.real.device)) as compiling:
            for left in compiling:
                bench.channel.progress(2, 2 + left)
                bench.breathe()


def _distil(bench: Bench, taught: Teacher | None) -> tuple[State, str]:
    """The state that is the result, and in words how it was chosen."""
    job, recipe = bench.job, bench.job.recipe
    key = bench.key.fold("distill")
    run_name = job.fingerprint or job.job_id
    stored, curves = bench.folder.checkpoint / "state.safetensors", bench.folder.checkpoint / "curves.json"
    state = load_state(stored, run_name, bench.real.device)
    objective, judges = objective_of(bench, state, taught)
    learned = selecting.learned(bench) if state is None else None
    total = recipe.schedule.total_steps
    if objective is not None or recipe.regresses:
        bench.channel.enter("distilling", max(1, total))
    if state is None:
        drawn = bench.sampled.images if bench.sampled else None
        state = distill.begin(recipe, bench.real, job.request.ipc, key, learned, judges, taught, drawn)
    if objective is None:
        return state, bench.sampled.selection if bench.sampled else "initialisation"
    if state.step:
        bench.channel.log(f"Resumed from the checkpoint of outer step {state.step}.")
        bench.channel.recall([p for p in keep.read(curves, []) if p["step"] <= state.step])

    def store(state: State) -> None:
        # The curves first: a crash between the two leaves points beyond the state, which resuming drops.
        keep.write(curves, bench.channel.curves())
        save_state(stored, state, run_name, int(init.untouched(recipe, bench.real, job.request.ipc).sum()))

    looks, pictures = Looks(bench, run_name), Pictures(bench)
    selects = recipe.evaluation.select == "best_validation"

    def turn(state: State) -> State | None:
        following = distill.next_stage(recipe, looks.best(state)[0] if selects else state)
        if following is not None:
            store(following)  # what it begins with takes long, and the best state gives way to its own
        return following

    saved = time.monotonic()
    bench.channel.progress(state.step, total)
    if state.step == 0:
        pictures.at(state)
    for state in outer_steps(bench, objective, state, key, turn, taught):  # noqa: B020 (the loop goes on from the state)
        bench.channel.progress(state.step, total)
        if state.step % max(1, total // _CURVE_POINTS) == 0 and not math.isnan(state.loss):
            points = {"loss": state.loss, **state.curves}
            if learns_step_size(recipe):
                points["step_size"] = float(state.leaves.log_step_size.exp())
            for name, value in points.items():
                bench.channel.metric(name, state.step, value)
        pictures.at(state)
        looks.at(state)
        if bench.stopped() or time.monotonic() - saved >= job.checkpoint_interval:
            store(state)
            saved = time.monotonic()
        bench.breathe()
    store(state)
    if selects:
        return looks.best(state)
    return state, "last iterate"
