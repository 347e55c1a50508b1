"""The window of difficulty of an "auto" beta: windows of real images, each judged on the validation split."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F

from core.engine import evaluate, init, stored
from core.engine.context import JobContext, follow
from core.engine.evaluate import Draws
from core.engine.init import Learned
from core.engine.keys import Key
from core.engine.steps import scores
from core.plan.cache_names import file_name
from core.recipe import Window
from core.recipe.selection import SWEEP_SEEDS, sweep_epochs
from core.report import Sweep


def settled(context: JobContext) -> JobContext:
    """The context with a number for an "auto" beta: that of the best window; as it was where there is nothing to sweep.

    Lee & Chung 2024, section 4 as the released scripts have it: windows of real images alone, beta = 0, 0.1, ... Unlike
    there, networks are trained for a quarter of the evaluation's epochs and the validation split decides. Neither the
    networks nor the choice depend on the job's seed; each window's line is kept in the cache.
    """
    window, ipc = context.recipe.init, context.ipc
    if not isinstance(window, Window) or window.beta != "auto":
        return context
    known = scores.learned(context)
    assert known is not None, "a window is chosen by what was learned of its images"
    tried = window.swept(ipc, min(len(members) for members in context.real.members))
    total = len(tried) * SWEEP_SEEDS
    there = sum(context.workspace.find(_name(context, candidate)) is not None for candidate in tried)
    context.journal.enter("selecting", total, skipped=there * SWEEP_SEEDS)
    context.journal.log(f"The lines of {there} of {len(tried)} windows were in the cache.")
    table = []
    for place, candidate in enumerate(tried):

        def say(share: float, place: int = place) -> None:
            context.journal.progress(place * SWEEP_SEEDS + int(share * SWEEP_SEEDS), total)

        table.append(_line(context, candidate, known, say))
        say(1.0)
    best = max(table, key=lambda line: line["validation_mean"])
    context.journal.log(f"Of {len(table)} windows the one that skips {best['beta']:.0%} of the images does best.")
    chosen = window.model_copy(update={"beta": best["beta"]})
    recipe = context.recipe.model_copy(update={"init": chosen})
    return replace(context, recipe=recipe, sweep=Sweep.model_validate({"chosen": best["beta"], "windows": table}))


def _name(context: JobContext, window: Window) -> str:
    return file_name(context.names.window(window, context.ipc), ".json")


def _line(context: JobContext, window: Window, known: Learned, say: Callable[[float], None]) -> dict[str, Any]:
    """The report's line on a window: the accuracy, on the validation split, of networks trained on its images."""
    recipe, real, ipc = context.recipe, context.real, context.ipc
    evaluation = recipe.evaluation.model_copy(update={"epochs": sweep_epochs(recipe.evaluation.epochs)})
    rate = evaluation.lr or evaluation.baseline_lrs[0]
    name = _name(context, window)
    found: dict[str, Any] | None = stored.document(context.workspace.find(name), None)
    if found is not None:
        return found
    key = Key(0).fold("window")
    index = init.selected(window, real, ipc, key, known)
    labels = F.one_hot(init.classes(real, ipc), real.classes).float()
    marks = torch.ones(len(index), dtype=torch.bool, device=real.device)
    protocol = evaluate.on_synthetic(evaluation, recipe.augment, rate, marks)
    keys = [key.fold("seed", seed) for seed in range(SWEEP_SEEDS)]
    images = Draws(real.train, index.expand(SWEEP_SEEDS, -1))
    trained = follow(context, evaluate.train(context.kernels, images, labels, protocol, keys), say)
    accuracies = [evaluate.accuracy(context.network, network, real.validation)[0] for network in trained]
    line = {"beta": window.beta, "validation_mean": statistics.fmean(accuracies), "validation": accuracies}
    context.workspace.keep(name, stored.written(line))
    return line
