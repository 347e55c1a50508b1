"""The window of difficulty of an "auto" beta: windows of real images, each judged on the validation split."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from core.engine import evaluate, init
from core.engine.evaluate import Draws
from core.engine.init import Learned
from core.engine.keys import Key
from core.recipe import Window
from core.recipe.selection import SWEEP_SEEDS, sweep_epochs
from worker.engine import keep, selecting
from worker.engine.bench import Bench
from worker.engine.follow import follow


def settled(bench: Bench) -> Bench:
    """The bench with a number for an "auto" beta: that of the best window; as it was where there is nothing to sweep.

    Lee & Chung 2024, section 4 as the released scripts have it: windows of real images alone, beta = 0, 0.1, ... Unlike
    there, networks are trained for a quarter of the evaluation's epochs and the validation split decides. Neither the
    networks nor the choice depend on the job's seed; each window's line is kept in the cache.
    """
    window, job = bench.job.recipe.init, bench.job
    if not isinstance(window, Window) or window.beta != "auto":
        return bench
    known = selecting.learned(bench)
    assert known is not None, "a window is chosen by what was learned of its images"
    ipc = job.request.ipc
    tried = window.swept(ipc, min(len(members) for members in bench.real.members))
    total = len(tried) * SWEEP_SEEDS
    there = sum(_path(bench, candidate).exists() for candidate in tried)
    bench.channel.enter("selecting", total, skipped=there * SWEEP_SEEDS)
    bench.channel.log(f"The lines of {there} of {len(tried)} windows were in the cache.")
    table = []
    for place, candidate in enumerate(tried):

        def say(share: float, place: int = place) -> None:
            bench.channel.progress(place * SWEEP_SEEDS + int(share * SWEEP_SEEDS), total)

        table.append(_line(bench, candidate, known, say))
        say(1.0)
    best = max(table, key=lambda line: line["validation_mean"])
    bench.channel.log(f"Of {len(table)} windows the one that skips {best['beta']:.0%} of the images does best.")
    chosen = window.model_copy(update={"beta": best["beta"]})
    recipe = job.recipe.model_copy(update={"init": chosen})
    return replace(bench, job=replace(job, recipe=recipe), sweep={"chosen": best["beta"], "windows": table})


def _path(bench: Bench, window: Window) -> Path:
    return bench.cache.path(bench.names.window(window, bench.job.request.ipc), ".json")


def _line(bench: Bench, window: Window, known: Learned, say: Callable[[float], None]) -> dict[str, Any]:
    """What networks trained on a window are worth on the validation split."""
    recipe, real, ipc = bench.job.recipe, bench.real, bench.job.request.ipc
    evaluation = recipe.evaluation.model_copy(update={"epochs": sweep_epochs(recipe.evaluation.epochs)})
    rate = evaluation.lr or evaluation.baseline_lrs[0]
    path = _path(bench, window)
    found: dict[str, Any] | None = keep.read(path, None)
    if found is not None:
        return found
    key = Key(0).fold("window")
    index = init.selected(window, real, ipc, key, known)
    labels = F.one_hot(init.classes(real, ipc), real.classes).float()
    marks = torch.ones(len(index), dtype=torch.bool, device=real.device)
    protocol = evaluate.on_synthetic(evaluation, recipe.augment, rate, marks)
    keys = [key.fold("seed", seed) for seed in range(SWEEP_SEEDS)]
    images = Draws(real.train, index.expand(SWEEP_SEEDS, -1))
    trained = follow(bench, evaluate.train(bench.kernels, images, labels, protocol, keys), say)
    accuracies = [evaluate.accuracy(bench.network, network, real.validation)[0] for network in trained]
    line = {"beta": window.beta, "validation_mean": statistics.fmean(accuracies), "validation": accuracies}
    bench.cache.write(path, json.dumps(line).encode(), bench.channel.log)
    return line
