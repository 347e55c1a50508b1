"""The evaluating phase: the distilled set beside its baselines, one line of the report at a time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from core.engine import evaluate
from core.engine.evaluate import Replays, Result, Trained
from core.engine.kernels import Kernels
from core.engine.keys import Key
from core.engine.replay import Replay
from core.engine.report import row
from core.engine.synthetic import SyntheticDataset
from core.engine.teacher import Teacher
from core.recipe import KeepLabels
from worker.engine import baseline, keep, regressions
from worker.engine.baseline import Work
from worker.engine.bench import Bench
from worker.engine.follow import follow

Row = dict[str, Any]


def rows(bench: Bench, result: SyntheticDataset, taught: Teacher | None = None) -> list[Row]:
    """The lines `distilled`, `distilled_8bit`, `random` and, unless left out, `full` of the report.

    Where a teacher labels the images it labels those of `random` too; then `distilled_hard` and `random_hard` are the
    same images with one class each. A teacher's own line is `teacher`. For labels that are targets there are also the
    lines of `regressions.arms`.

    Each line is kept in the checkpoint once it is known, so that an attempt that follows repeats one of them at most;
    the reference on the full set is kept in the cache, since it does not depend on the job.
    """
    recipe, seeds = bench.job.recipe, bench.job.recipe.evaluation.seeds
    key = bench.key.fold("evaluate")
    rounded = result.transform.forward(result.transform.inverse(result.images))
    drawn, chosen = key.fold("random"), baseline.draws(bench, len(result.images))
    arms: dict[str, Work] = {
        "distilled": trained_on(bench, result, "distilled", result.images, bench.judging),
        "distilled_8bit": trained_on(bench, result, "distilled_8bit", rounded, bench.judging),
        "random": baseline.random("random", bench, chosen, drawn, taught),
        **regressions.arms(bench, result, key.fold("regression")),
    }
    if not isinstance(recipe.relabel, KeepLabels):
        classes, hard = F.one_hot(result.labels, bench.real.classes).float(), evaluate.on_result(recipe, result)
        arms["distilled_hard"] = evaluate.evaluate(
            "distilled_hard", bench.kernels, result.images, classes, bench.real, hard, _keys(key, seeds)
        )
        arms["random_hard"] = baseline.random("random_hard", bench, chosen, drawn)
    kept = bench.folder.checkpoint / "rows.json"
    known: dict[str, Row] = keep.read(kept, {})
    names = [*arms, *(["full"] if recipe.evaluation.full else [])]
    unseen = 2 * len(recipe.evaluation.across)
    total = (len(names) + unseen) * seeds + (recipe.evaluation.coverage is not None)
    bench.channel.enter("evaluating", total)
    for place, name in enumerate(names):

        def say(share: float, place: int = place) -> None:
            bench.channel.progress(place * seeds + int(share * seeds), total)

        if name not in known:
            known[name] = _full(bench, say) if name == "full" else _line(follow(bench, arms[name], say))
            keep.write(kept, known)
        say(1.0)
    if taught is not None and recipe.teacher is not None:
        trained = Trained(taught.theta, taught.moments, 0.0)
        known["teacher"] = row(evaluate.judged("teacher", taught.network, trained, recipe.teacher.lr, bench.real))
        names.append("teacher")
    return [known[name] for name in names]


def trained_on(bench: Bench, result: SyntheticDataset, name: str, images: Tensor, kernels: Kernels) -> Work:
    """Fresh networks on a result, of which `images` may be another version, under the recipe's protocol."""
    recipe = bench.job.recipe
    shown = images if result.views is None else Replays((Replay(images, result.views),))
    labels = result.supervision(bench.real.classes)
    protocol = replace(evaluate.on_result(recipe, result), temperature=result.temperature)
    keys = _keys(bench.key.fold("evaluate"), recipe.evaluation.seeds)
    return evaluate.evaluate(name, kernels, shown, labels, bench.real, protocol, keys)


def _line(result: Result) -> Row:
    """A line, that of the images themselves with what is taken for what."""
    return row(result) | ({"confusion": result.confusion} if result.name == "distilled" else {})


def _full(bench: Bench, say: Callable[[float], None]) -> Row:
    """The full training set under its own protocol; the same for every job on the same data and network."""
    recipe, real = bench.job.recipe, bench.real
    assert recipe.evaluation.full is not None, "asked for only when the recipe has it"
    path = bench.cache.path(bench.names.reference(), ".json")
    known: Row | None = keep.read(path, None)
    if known is not None:
        return known
    labels = F.one_hot(real.train.labels, real.classes).float()
    protocol = evaluate.on_full(recipe.evaluation.full, recipe.augment)
    keys = _keys(Key(0).fold("full"), recipe.evaluation.seeds)
    line = row(follow(bench, evaluate.evaluate("full", bench.kernels, real.train, labels, real, protocol, keys), say))
    bench.cache.write(path, json.dumps(line).encode(), bench.channel.log)
    return line


def _keys(key: Key, seeds: int) -> list[Key]:
    return [key.fold("seed", seed) for seed in range(seeds)]
