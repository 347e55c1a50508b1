"""The selecting phase: what the initial images are chosen by, learned once and shared by every job on the same data."""

from __future__ import annotations

import torch
from torch import Tensor

from core.engine import features, kept, scores, stored
from core.engine.context import JobContext
from core.engine.evaluate import Trained
from core.engine.init import Learned
from core.engine.kept import Contents, Making
from core.engine.keys import Key
from core.engine.steps import meta_generator
from core.plan.steps import Kept
from core.recipe import (
    CScore,
    El2n,
    Embedding,
    Forgetting,
    Generated,
    Herding,
    KCenter,
    KMeans,
    LearnedScore,
    Ranked,
    Window,
)


def learned(context: JobContext) -> Learned | None:
    """The function by which the recipe's init chooses real images; None if it needs none."""
    match context.recipe.init:
        case Ranked(score=CScore()) | Window(score=CScore()):
            return _given(context)
        case Ranked(score=Forgetting() | El2n() as score) | Window(score=Forgetting() | El2n() as score):
            known = difficulty(context, score)
            return lambda index: known[index]
        case Herding(embedding=embedding) | KCenter(embedding=embedding) | KMeans(embedding=embedding):
            trained = embedder(context, embedding)

            def embed(index: Tensor) -> Tensor:
                context.raise_if_draining()
                return features.embed(context.network, trained, context.real.train, index)

            return embed
        case Generated() as choice:
            return meta_generator.learned(context, choice)
        case _:
            return None


def _given(context: JobContext) -> Learned:
    """1 - C-score of the training images, of the file beside the dataset."""
    given = context.dataset.c_scores
    assert given is not None, "a dataset whose images are ranked by C-scores is loaded with them"
    known = torch.from_numpy(1 - given).to(context.real.device)
    return lambda index: known[index]


def difficulty(context: JobContext, score: LearnedScore) -> Tensor:
    """The mean score [n] of the training images, over the networks the cache holds and those it does not.

    The networks do not depend on the job's seed, so that jobs can share what they say; each says it in a file.
    """
    real, recipe = context.real.train, context.recipe

    def make(indices: list[int]) -> Contents:
        keys = [Key(0).fold("score", index) for index in indices]
        rows = yield from scores.difficulty(score, context.kernels, real, recipe.augment, keys)
        return [stored.packed({"score": row}) for row in rows]

    making = Making(
        make,
        lambda source: stored.read(source, context.real.device),
        units=score.epochs * -(-len(real) // score.batch_size),
        said=lambda found: f"The scores of {found} of {score.networks} networks were in the cache.",
        together=kept.stacks(context, score.networks, score.batch_size),
    )
    files = Kept.several(context.names.difficulty(score), score.networks).files
    return torch.stack([known["score"] for known in kept.gather(context, files, making, "selecting")]).mean(0)


def embedder(context: JobContext, embedding: Embedding) -> Trained:
    """The network that embeds the training images, of the cache or trained now; it does not depend on the job."""
    real = context.real.train
    work = features.train(embedding, context.kernels, real, Key(0).fold("embedding"))
    steps = embedding.epochs * -(-len(real) // embedding.batch_size)
    names = Kept.one(context.names.embedder(embedding))
    return kept.network(context, names, work, "selecting", steps, "The network that embeds the images")
