"""The evaluating phase: the distilled set beside its baselines, one line of the report at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from core.engine import evaluate, init
from core.engine.evaluate import Protocol, Result
from core.engine.keys import Key
from core.engine.report import row
from core.engine.synthetic import SyntheticDataset
from worker.engine import keep
from worker.engine.bench import Bench

Row = dict[str, Any]


def rows(bench: Bench, result: SyntheticDataset) -> list[Row]:
    """The lines `distilled`, `distilled_8bit`, `random` and, unless left out, `full` of the report.

    Each line is kept in the checkpoint once it is known; the reference on the full set is kept in the cache, since it
    does not depend on the job.
    """
    recipe, seeds = bench.job.recipe, bench.job.recipe.evaluation.seeds
    key = bench.key.fold("evaluate")
    labels = _probabilities(bench, result)
    rate = recipe.evaluation.lr or result.step_size
    assert rate is not None, "an objective that learns no step size comes with evaluation.lr"
    protocol = evaluate.on_synthetic(recipe.evaluation, recipe.augment, rate)
    rounded = result.transform.forward(result.transform.inverse(result.images))
    arms: dict[str, Callable[[], Iterator[Row]]] = {
        "distilled": lambda: _train(bench, "distilled", result.images, labels, protocol, key),
        "distilled_8bit": lambda: _train(bench, "distilled_8bit", rounded, labels, protocol, key),
        "random": lambda: _random(bench, len(result.images), key.fold("random")),
        **({"full": lambda: _full(bench)} if recipe.evaluation.full else {}),
    }
    kept = bench.folder.checkpoint / "rows.json"
    known: dict[str, Row] = keep.read(kept, {})
    total = len(arms) * seeds
    bench.channel.enter("evaluating", total)
    for place, (name, arm) in enumerate(arms.items()):
        if name in known:
            continue
        for part in arm():
            bench.channel.progress(place * seeds + part["n_seeds"], total)
            bench.breathe()
            known[name] = part
        keep.write(kept, known)
    return [known[name] for name in arms]


def _train(bench: Bench, name: str, images: Tensor, labels: Tensor, protocol: Protocol, key: Key) -> Iterator[Row]:
    seeds = bench.job.recipe.evaluation.seeds
    for result in evaluate.evaluate(name, bench.kernels, images, labels, bench.real, protocol, seeds, key):
        yield row(result)


def _random(bench: Bench, n: int, key: Key) -> Iterator[Row]:
    """Random real images, a fresh draw for each seed, at the rate that is best on the validation split."""
    recipe, real = bench.job.recipe, bench.real
    ipc = n // real.classes
    labels = F.one_hot(init.classes(real, ipc), real.classes).float()

    def draw(seed: int) -> Tensor:
        return real.train.images[init.chosen(real, ipc, key.fold("draw", seed))]

    protocols = [evaluate.on_synthetic(recipe.evaluation, recipe.augment, lr) for lr in recipe.evaluation.baseline_lrs]
    best = protocols[0]
    if len(protocols) > 1:
        looks = []
        for protocol in protocols:
            bench.breathe()
            looks.append(evaluate.look(bench.kernels, draw(0), labels, real, protocol, key.fold("look")))
        best = protocols[looks.index(max(looks))]
    so_far: Result | None = None
    for seed in range(recipe.evaluation.seeds):
        for one in evaluate.evaluate(
            "random", bench.kernels, draw(seed), labels, real, best, 1, key.fold("seed", seed)
        ):
            so_far = replace(one, scores=(*so_far.scores, *one.scores)) if so_far else one
            yield row(so_far)


def _full(bench: Bench) -> Iterator[Row]:
    """The full training set under its own protocol; the same for every job on the same data and network."""
    recipe, real = bench.job.recipe, bench.real
    assert recipe.evaluation.full is not None, "asked for only when the recipe has it"
    training = recipe.evaluation.full.model_dump(mode="json")
    identity = bench.identity("reference on the full set", training=training, seeds=recipe.evaluation.seeds)
    path = bench.cache.path(identity, ".json")
    if known := keep.read(path, None):
        yield known
        return
    labels = F.one_hot(real.train.labels, real.classes).float()
    protocol = evaluate.on_full(recipe.evaluation.full, recipe.augment)
    line: Row = {}
    for line in _train(bench, "full", real.train.images, labels, protocol, Key(0).fold("full")):
        yield line
    keep.write(path, line)


def _probabilities(bench: Bench, result: SyntheticDataset) -> Tensor:
    if result.soft_labels is not None:
        return result.soft_labels
    return F.one_hot(result.labels, bench.real.classes).float()
