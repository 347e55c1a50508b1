"""The evaluating phase: the distilled set beside its baselines, one line of the report at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from core.engine import evaluate, kept, stored
from core.engine.context import JobContext, follow
from core.engine.evaluate import Replays, Result, Trained
from core.engine.kept import Contents, Making
from core.engine.kernels import Kernels
from core.engine.keys import Key
from core.engine.report import row
from core.engine.steps import baselines, ridge_lines
from core.engine.steps.baselines import Work
from core.engine.synthetic import SyntheticDataset
from core.engine.teacher import Teacher
from core.engine.view_labels import Replay
from core.engine.workspace import TimeUp
from core.plan.steps import Kept

Row = dict[str, Any]

_FILE = "rows.json"


def rows(context: JobContext, result: SyntheticDataset, taught: Teacher | None = None) -> list[Row]:
    """The lines `distilled`, `distilled_8bit`, `random` and, unless left out, `full` of the report.

    Where a teacher labels the images it labels those of `random` too; then `distilled_hard` and `random_hard` are the
    same images with one class each. A teacher's own line is `teacher`. For labels that are targets there are also the
    lines of `ridge_lines.arms`.

    Each line is kept in the checkpoint once it is known, so that an attempt that follows repeats one of them at most;
    the reference on the full set is kept in the cache, since it does not depend on the job; where it is not there and
    no time is left for it, it has no line.
    """
    recipe, seeds = context.recipe, context.recipe.evaluation.seeds
    key = context.key.fold("evaluate")
    rounded = result.transform.forward(result.transform.inverse(result.images))
    drawn, chosen = key.fold("random"), baselines.draws(context, len(result.images))
    arms: dict[str, Work] = {
        "distilled": trained_on(context, result, "distilled", result.images, context.judging),
        "distilled_8bit": trained_on(context, result, "distilled_8bit", rounded, context.judging),
        "random": baselines.random("random", context, chosen, drawn, taught, stages=result.stages),
        **ridge_lines.arms(context, result, key.fold("regression")),
    }
    if recipe.relabel.needs_teacher:
        classes, hard = F.one_hot(result.labels, context.real.classes).float(), evaluate.on_result(recipe, result)
        arms["distilled_hard"] = evaluate.evaluate(
            "distilled_hard", context.kernels, result.images, classes, context.real, hard, _keys(key, seeds)
        )
        arms["random_hard"] = baselines.random("random_hard", context, chosen, drawn, stages=result.stages)
    known: dict[str, Row] = stored.document(context.workspace.checkpoint(_FILE), {})
    names = [*arms, *(["full"] if recipe.evaluation.full else [])]
    unseen = 2 * len(recipe.evaluation.across)
    total = (len(names) + unseen) * seeds + (recipe.evaluation.coverage is not None)
    context.journal.enter("evaluating", total)
    for place, name in enumerate(names):

        def say(share: float, place: int = place) -> None:
            context.journal.progress(place * seeds + int(share * seeds), total)

        if name not in known:
            try:
                known[name] = full(context.hurried, say) if name == "full" else _line(follow(context, arms[name], say))
            except TimeUp:
                continue
            context.workspace.store(_FILE, stored.written(known))
        say(1.0)
    if taught is not None and recipe.teacher is not None:
        trained = Trained(taught.theta, taught.moments, 0.0)
        known["teacher"] = row(evaluate.judged("teacher", taught.network, trained, recipe.teacher.lr, context.real))
        names.append("teacher")
    return [known[name] for name in names if name in known]


def trained_on(context: JobContext, result: SyntheticDataset, name: str, images: Tensor, kernels: Kernels) -> Work:
    """Fresh networks on a result, of which `images` may be another version, under the recipe's protocol."""
    recipe = context.recipe
    shown = images if result.views is None else Replays((Replay(images, result.views),))
    labels = result.supervision(context.real.classes)
    protocol = replace(evaluate.on_result(recipe, result), temperature=result.temperature)
    keys = _keys(context.key.fold("evaluate"), recipe.evaluation.seeds)
    return evaluate.evaluate(name, kernels, shown, labels, context.real, protocol, keys)


def _line(result: Result) -> Row:
    """A line, that of the images themselves with what is taken for what."""
    return row(result) | ({"confusion": result.confusion} if result.name == "distilled" else {})


def full(context: JobContext, say: Callable[[float], None]) -> Row:
    """The full training set under its own protocol; the same for every job on the same data and network."""
    recipe, real = context.recipe, context.real
    asked = recipe.evaluation.full
    assert asked is not None, "asked for only when the recipe has it"
    labels = F.one_hot(real.train.labels, real.classes).float()
    keys = _keys(Key(0).fold("full"), recipe.evaluation.seeds)

    def make(_: list[int]) -> Contents:
        protocol = evaluate.on_full(asked, recipe.augment)
        result = yield from evaluate.evaluate("full", context.kernels, real.train, labels, real, protocol, keys)
        return [stored.written(row(result))]

    making: Making[Row] = Making(make, lambda source: stored.document(source, None))
    (line,) = kept.gather(context, Kept.one(context.names.reference(), ".json").files, making, say=say)
    return line


def _keys(key: Key, seeds: int) -> list[Key]:
    return [key.fold("seed", seed) for seed in range(seeds)]
