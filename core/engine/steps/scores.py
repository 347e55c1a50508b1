"""The selecting phase: what the initial images are chosen by, learned once and shared by every job on the same data."""

from __future__ import annotations

from collections.abc import Generator, Mapping

import torch
from torch import Tensor

from core.engine import features, finite, kept, scores, stored
from core.engine.context import JobContext
from core.engine.evaluate import Trained
from core.engine.init import Learned
from core.engine.kept import Contents, Making
from core.engine.keys import Key
from core.plan.steps import RankImages, ScoreImages, TrainEmbedder
from core.recipe import BetaDraw, CScore, Score, Scored
from core.recipe.start import Init


def given(context: JobContext) -> Learned | None:
    """1 - C-score of the training images, of the file beside the dataset; None where nothing asks for it."""
    init = context.recipe.init
    if not isinstance(init, Scored) or not isinstance(init.score, CScore):
        return None
    found = context.dataset.c_scores
    assert found is not None, "a dataset whose images are ranked by C-scores is loaded with them"
    return _said(init, init.score, {"score": torch.from_numpy(1 - found).to(context.real.device)})


def difficulty(context: JobContext, step: ScoreImages) -> Learned:
    """The function by which the init chooses: the mean score of training images."""
    return _said(context.recipe.init, step.score, _means(context, step))


def hardness(context: JobContext, step: RankImages) -> Tensor:
    """How hard training images are, between 0 and 1, [n]."""
    return 1 - scores.ease(step.score, _means(context, step))


def _means(context: JobContext, step: ScoreImages | RankImages) -> Mapping[str, Tensor]:
    """The mean figures of training images, over the networks the cache holds and those it does not.

    The networks do not depend on the job's seed, so that jobs can share what they say; each says it in a file.

    Raises:
        Diverged: what a network says are no numbers.
    """
    real, recipe, score = context.real.train, context.recipe, step.score
    path = "rounds.score" if isinstance(step, RankImages) else "init.score"

    def make(indices: list[int]) -> Contents:
        keys = [Key(0).fold("score", index) for index in indices]
        rows = yield from scores.difficulty(score, context.kernels, real, recipe.augment, keys)
        for row in rows.values():
            finite.expect(row, "a network that says how hard images are", f"{path}.lr")
        return [stored.packed({name: row[place] for name, row in rows.items()}) for place in range(len(keys))]

    making = Making(
        make,
        lambda source: stored.read(source, context.real.device),
        units=score.epochs * -(-len(real) // score.batch_size),
        said=lambda found: f"The scores of {found} of {score.networks} networks were in the cache.",
        together=kept.stacks(score.networks, kept.together(context, score.batch_size)),
    )
    found = kept.gather(context, step.kept.files, making, "selecting", helped=True)
    return {name: torch.stack([known[name] for known in found]).mean(0) for name in found[0]}


def _said(init: Init, score: Score, known: Mapping[str, Tensor]) -> Learned:
    """The function by which the init chooses: difficulty, and for a draw ease as well."""
    told = known["score"]
    if isinstance(init, BetaDraw):
        told = torch.stack([told, scores.ease(score, known)], 1)
    return lambda index: told[index]


def embedder(context: JobContext, step: TrainEmbedder) -> Trained:
    """The network that embeds the training images, of the cache or trained now; it does not depend on the job.

    Raises:
        Diverged: its parameters are no numbers.
    """
    real, embedding = context.real.train, step.embedding
    part = "objective.judge" if context.recipe.objective.draws_images else "init.embedding"

    def work() -> Generator[float, None, Trained]:
        found = yield from features.train(embedding, context.kernels, real, Key(0).fold("embedding"))
        finite.expect(found.theta, "the network that embeds the images", f"{part}.lr")
        return found

    steps = embedding.epochs * -(-len(real) // embedding.batch_size)
    return kept.network(context, step.kept, work(), "selecting", steps, "The network that embeds the images")


def embedding(context: JobContext, trained: Trained) -> Learned:
    """The features of training images, computed as they are asked for."""

    def embed(index: Tensor) -> Tensor:
        context.raise_if_draining()
        return features.embed(context.network, trained, context.real.train, index)

    return embed
