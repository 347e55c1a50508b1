"""The evaluating phase: the distilled set beside its baselines, one line of the report at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine import evaluate, init
from core.engine.evaluate import Draws, Result
from core.engine.keys import Key
from core.engine.report import row
from core.engine.synthetic import SyntheticDataset
from worker.engine import keep
from worker.engine.bench import Bench
from worker.engine.follow import follow

Row = dict[str, Any]
Work = Generator[float, None, Result]

T = TypeVar("T")


def rows(bench: Bench, result: SyntheticDataset) -> list[Row]:
    """The lines `distilled`, `distilled_8bit`, `random` and, unless left out, `full` of the report.

    Each line is kept in the checkpoint once it is known, so that an attempt that follows repeats one of them at most;
    the reference on the full set is kept in the cache, since it does not depend on the job.
    """
    recipe, seeds = bench.job.recipe, bench.job.recipe.evaluation.seeds
    key = bench.key.fold("evaluate")
    labels = result.probabilities(bench.real.classes)
    protocol = evaluate.on_result(recipe, result)
    rounded = result.transform.forward(result.transform.inverse(result.images))
    keys = _keys(key, seeds)
    arms: dict[str, Work] = {
        "distilled": evaluate.evaluate("distilled", bench.kernels, result.images, labels, bench.real, protocol, keys),
        "distilled_8bit": evaluate.evaluate(
            "distilled_8bit", bench.kernels, rounded, labels, bench.real, protocol, keys
        ),
        "random": _random(bench, draws(bench, len(result.images)), key.fold("random")),
    }
    kept = bench.folder.checkpoint / "rows.json"
    known: dict[str, Row] = keep.read(kept, {})
    names = [*arms, *(["full"] if recipe.evaluation.full else [])]
    total = len(names) * seeds + (recipe.evaluation.coverage is not None)
    bench.channel.enter("evaluating", total)
    for place, name in enumerate(names):

        def say(share: float, place: int = place) -> None:
            bench.channel.progress(place * seeds + int(share * seeds), total)

        if name not in known:
            known[name] = _full(bench, say) if name == "full" else row(follow(bench, arms[name], say))
            keep.write(kept, known)
        say(1.0)
    return [known[name] for name in names]


def draws(bench: Bench, n: int) -> Tensor:
    """Random real images, as many as the n of a result: training indices, a fresh draw for each seed, [S, n]."""
    real, key = bench.real, bench.key.fold("evaluate").fold("random")
    seeds = range(bench.job.recipe.evaluation.seeds)
    return torch.stack([init.chosen(real, n // real.classes, key.fold("draw", seed)) for seed in seeds])


def _random(bench: Bench, chosen: Tensor, key: Key) -> Work:
    """Random real images, a fresh draw for each seed, at the rate that is best on the validation split.

    Beside a result in stages they are trained on all at once, for as many epochs as all its stages together.

    Where the policy is "combined" they get the views of real images, the simple ones, as in the paper.
    """
    recipe, real = bench.job.recipe, bench.real
    (seeds, n), rates = chosen.shape, recipe.evaluation.baseline_lrs
    labels = F.one_hot(init.classes(real, n // real.classes), real.classes).float()
    every = torch.ones(n, dtype=torch.bool, device=real.device)
    protocol = evaluate.on_synthetic(recipe.evaluation, recipe.augment, rates[0], every)
    protocol = replace(protocol, epochs=protocol.epochs * recipe.schedule.stages.count)
    tried = 0 if len(rates) == 1 else len(rates)
    if tried:
        looks = evaluate.tune(
            bench.kernels, real.train.take(chosen[0]), labels, real, protocol, rates, key.fold("look")
        )
        found = yield from _part(looks, 0, tried / (tried + seeds))
        protocol = replace(protocol, lr=rates[found.index(max(found))])
    keys = [key.fold("seed", seed).fold("seed", 0) for seed in range(seeds)]
    images = Draws(real.train, chosen)
    arm = evaluate.evaluate("random", bench.kernels, images, labels, real, protocol, keys)
    return (yield from _part(arm, tried / (tried + seeds), 1))


def _part(work: Generator[float, None, T], start: float, end: float) -> Generator[float, None, T]:
    """Work that is the part from `start` to `end` of a larger one."""
    while True:
        try:
            yield start + (end - start) * next(work)
        except StopIteration as done:
            result: T = done.value
            return result


def _full(bench: Bench, say: Callable[[float], None]) -> Row:
    """The full training set under its own protocol; the same for every job on the same data and network."""
    recipe, real = bench.job.recipe, bench.real
    assert recipe.evaluation.full is not None, "asked for only when the recipe has it"
    training = recipe.evaluation.full.model_dump(mode="json")
    identity = bench.identity("reference on the full set", training=training, seeds=recipe.evaluation.seeds)
    path = bench.cache.path(identity, ".json")
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
