"""Lines of the report for labels that are targets: ridge regression on the set itself, without any training."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine import init, ridge
from core.engine.evaluate import Result, Score, score
from core.engine.keys import Key
from core.engine.real import Labelled
from core.engine.ridge import Featurizer
from core.engine.synthetic import SyntheticDataset
from core.recipe import Solved
from worker.engine.baseline import Work
from worker.engine.bench import Bench


def arms(bench: Bench, result: SyntheticDataset, key: Key) -> dict[str, Work]:
    """`ridge`, `ridge_random` (as many random images, one-hot) and, on pixels, `ridge_full`; none for other labels.

    Where features are those of networks, each seed has a fresh network of its own, none of which the labels were solved
    for. On pixels there is nothing to draw but the random images.
    """
    if not bench.job.recipe.regresses or result.targets is None:
        return {}
    seeds = bench.job.recipe.evaluation.seeds
    seen = [_featurizer(bench, key.fold("network", seed)) for seed in range(seeds)]
    seen = seen if seen[0].network else seen[:1]
    own = [(result.images, result.targets)] * len(seen)
    ipc = len(result.images) // bench.real.classes
    hot = F.one_hot(init.classes(bench.real, ipc), bench.real.classes).float()
    chosen = [init.chosen(bench.real, ipc, key.fold("draw", seed)) for seed in range(seeds)]
    others = [(bench.real.train.take(index), ridge.centred(hot)) for index in chosen]
    found = {
        "ridge": _on_sets(bench, "ridge", seen, own),
        "ridge_random": _on_sets(bench, "ridge_random", seen if len(seen) == seeds else seen * seeds, others),
    }
    return found if seen[0].network else found | {"ridge_full": _full(bench, result)}


def _featurizer(bench: Bench, key: Key) -> Featurizer:
    labels = bench.job.recipe.labels
    if isinstance(labels, Solved) and labels.features == "pixels":
        return ridge.PIXELS
    return ridge.of_networks(bench.network, [key], bench.real.device)


def _on_sets(bench: Bench, name: str, seen: list[Featurizer], sets: list[tuple[Tensor, Tensor]]) -> Work:
    scores: list[Score] = []
    for featurize, (images, answers) in zip(seen, sets, strict=True):
        started = time.perf_counter()
        w = ridge.weights(featurize(images), answers)
        scores.append(_score(bench, featurize, w, started))
        yield len(scores) / len(seen)
    return _result(bench, name, seen[0], len(sets[0][0]), scores)


def _full(bench: Bench, result: SyntheticDataset) -> Work:
    """The classifier of the full training set, and in a curve how far the synthetic set's is from it."""
    labels, started = bench.job.recipe.labels, time.perf_counter()
    assert isinstance(labels, Solved), "labels solved for pixels"
    assert result.targets is not None, "solved labels are targets"

    def known() -> Iterator[tuple[Tensor, Tensor]]:
        for pair in ridge.pairs(ridge.PIXELS, bench.real.train, bench.real.classes):
            bench.breathe()
            yield pair

    w = ridge.classifier(known(), labels.ridge)
    difference = float((w - ridge.weights(ridge.PIXELS(result.images), result.targets)).abs().max())
    bench.channel.metric("classifier_difference", 0, difference)
    bench.channel.log(
        f"No weight of the set's own ridge classifier is further than {difference:.1e} from the full set's."
    )
    yield 0.5
    return _result(bench, "ridge_full", ridge.PIXELS, len(bench.real.train), [_score(bench, ridge.PIXELS, w, started)])


def _score(bench: Bench, featurize: Featurizer, w: Tensor, started: float) -> Score:
    guesses, labels, classes = (
        _guesses(bench, featurize, w, bench.real.test),
        bench.real.test.labels,
        bench.real.classes,
    )
    right = _guesses(bench, featurize, w, bench.real.validation) == bench.real.validation.labels
    return score(guesses, labels, classes, float(right.float().mean()), time.perf_counter() - started)


def _guesses(bench: Bench, featurize: Featurizer, w: Tensor, data: Labelled) -> Tensor:
    guesses = []
    for images in data.batches(ridge.BATCH):
        bench.breathe()
        guesses.append((featurize(images) @ w).argmax(1))
    return torch.cat(guesses)


def _result(bench: Bench, name: str, seen: Featurizer, images: int, scores: list[Score]) -> Result:
    what = f"features of a fresh {bench.network.name}" if seen.network else "pixels"
    return Result(name, images, f"ridge regression on {what}", 0.0, tuple(scores))
