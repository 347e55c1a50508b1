"""Lines of the report for labels that are targets: ridge regression on the set itself, without any training."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine import init, ridge
from core.engine.context import JobContext
from core.engine.evaluate import Result, Score, score
from core.engine.keys import Key
from core.engine.lines import Work
from core.engine.real import Labelled
from core.engine.ridge import Featurizer
from core.engine.synthetic import SyntheticDataset
from core.plan import limits
from core.recipe import Solved


def arms(context: JobContext, result: SyntheticDataset, key: Key) -> dict[str, Work]:
    """`ridge`, `ridge_random` (as many random images, one-hot) and, on pixels, `ridge_full`; none for other labels.

    Where features are those of networks, each seed has a fresh network of its own, none of which the labels were solved
    for. On pixels there is nothing to draw but the random images.
    """
    if not context.recipe.regresses or result.targets is None:
        return {}
    seeds = context.recipe.evaluation.seeds
    seen = [_featurizer(context, key.fold("network", seed)) for seed in range(seeds)]
    seen = seen if seen[0].network else seen[:1]
    own = [(result.images, result.targets)] * len(seen)
    hot = F.one_hot(result.labels, context.real.classes).float()
    counts = result.counts(context.real.classes)
    chosen = [init.chosen(context.real, counts, key.fold("draw", seed)) for seed in range(seeds)]
    others = [(context.real.train.take(index), ridge.centred(hot)) for index in chosen]
    found = {
        "ridge": _on_sets(context, "ridge", seen, own),
        "ridge_random": _on_sets(context, "ridge_random", seen if len(seen) == seeds else seen * seeds, others),
    }
    return found if seen[0].network else found | {"ridge_full": _full(context, result)}


def _featurizer(context: JobContext, key: Key) -> Featurizer:
    labels = context.recipe.labels
    if labels.for_pixels:
        return ridge.PIXELS
    return ridge.of_networks(context.network, [key], context.real.device)


def _on_sets(context: JobContext, name: str, seen: list[Featurizer], sets: list[tuple[Tensor, Tensor]]) -> Work:
    scores: list[Score] = []
    for featurize, (images, answers) in zip(seen, sets, strict=True):
        started = time.perf_counter()
        w = ridge.weights(featurize(images), answers)
        scores.append(_score(context, featurize, w, started))
        yield len(scores) / len(seen)
    return _result(context, name, seen[0], len(sets[0][0]), scores)


def _full(context: JobContext, result: SyntheticDataset) -> Work:
    """The classifier of the full training set, and in a curve how far the synthetic set's is from it."""
    labels, started = context.recipe.labels, time.perf_counter()
    assert isinstance(labels, Solved), "labels solved for pixels"
    assert result.targets is not None, "solved labels are targets"

    def known() -> Iterator[tuple[Tensor, Tensor]]:
        for pair in ridge.pairs(ridge.PIXELS, context.real.train, context.real.classes):
            context.raise_if_draining()
            yield pair

    w = ridge.classifier(known(), labels.ridge)
    difference = float((w - ridge.weights(ridge.PIXELS(result.images), result.targets)).abs().max())
    context.journal.metric("classifier_difference", 0, difference)
    context.journal.log(
        f"No weight of the set's own ridge classifier is further than {difference:.1e} from the full set's."
    )
    yield 0.5
    return _result(
        context, "ridge_full", ridge.PIXELS, len(context.real.train), [_score(context, ridge.PIXELS, w, started)]
    )


def _score(context: JobContext, featurize: Featurizer, w: Tensor, started: float) -> Score:
    guesses, labels, classes = (
        _guesses(context, featurize, w, context.real.test),
        context.real.test.labels,
        context.real.classes,
    )
    right = _guesses(context, featurize, w, context.real.validation) == context.real.validation.labels
    return score(guesses, labels, classes, float(right.float().mean()), time.perf_counter() - started)


def _guesses(context: JobContext, featurize: Featurizer, w: Tensor, data: Labelled) -> Tensor:
    guesses = []
    for images in data.batches(limits.TESTED):
        context.raise_if_draining()
        guesses.append((featurize(images) @ w).argmax(1))
    return torch.cat(guesses)


def _result(context: JobContext, name: str, seen: Featurizer, images: int, scores: list[Score]) -> Result:
    what = f"features of a fresh {context.network.name}" if seen.network else "pixels"
    return Result(name, images, f"ridge regression on {what}", 0.0, tuple(scores))
