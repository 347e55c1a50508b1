"""The window of difficulty of an "auto" beta: windows of real images, each judged on the validation split."""

from __future__ import annotations

import statistics
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F

from core.engine import evaluate, init, kept, stored
from core.engine.context import JobContext
from core.engine.evaluate import Draws
from core.engine.init import Learned
from core.engine.kept import Contents, Making
from core.engine.keys import Key
from core.engine.steps import scores
from core.plan.steps import Kept
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
    making = Making(
        lambda indices: _line(context, tried[indices[0]], known),
        lambda source: stored.document(source, None),
        units=SWEEP_SEEDS,
        said=lambda found: f"The lines of {found} of {len(tried)} windows were in the cache.",
    )
    files = Kept.each([context.names.window(candidate, ipc) for candidate in tried]).files
    table: list[dict[str, Any]] = kept.gather(context, files, making, "selecting")
    best = max(table, key=lambda line: line["validation_mean"])
    context.journal.log(f"Of {len(table)} windows the one that skips {best['beta']:.0%} of the images does best.")
    chosen = window.model_copy(update={"beta": best["beta"]})
    recipe = context.recipe.model_copy(update={"init": chosen})
    return replace(context, recipe=recipe, sweep=Sweep.model_validate({"chosen": best["beta"], "windows": table}))


def _line(context: JobContext, window: Window, known: Learned) -> Contents:
    """The report's line on a window: the accuracy, on the validation split, of networks trained on its images."""
    recipe, real, ipc = context.recipe, context.real, context.ipc
    evaluation = recipe.evaluation.model_copy(update={"epochs": sweep_epochs(recipe.evaluation.epochs)})
    rate = evaluation.lr or evaluation.baseline_lrs[0]
    key = Key(0).fold("window")
    index = init.selected(window, real, ipc, key, known)
    labels = F.one_hot(init.classes(real, ipc), real.classes).float()
    marks = torch.ones(len(index), dtype=torch.bool, device=real.device)
    protocol = evaluate.on_synthetic(evaluation, recipe.augment, rate, marks)
    keys = [key.fold("seed", seed) for seed in range(SWEEP_SEEDS)]
    images = Draws(real.train, index.expand(SWEEP_SEEDS, -1))
    trained = yield from evaluate.train(context.kernels, images, labels, protocol, keys)
    accuracies = [
        evaluate.measured(evaluation.measure, context.network, network, real.validation) for network in trained
    ]
    line = {"beta": window.beta, "validation_mean": statistics.fmean(accuracies), "validation": accuracies}
    return [stored.written(line)]
