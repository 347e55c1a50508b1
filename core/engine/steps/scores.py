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
from core.plan.steps import ScoreImages, TrainEmbedder
from core.recipe import CScore, Ranked, Window


def given(context: JobContext) -> Learned | None:
    """1 - C-score of the training images, of the file beside the dataset; None where nothing asks for it."""
    match context.recipe.init:
        case Ranked(score=CScore()) | Window(score=CScore()):
            found = context.dataset.c_scores
            assert found is not None, "a dataset whose images are ranked by C-scores is loaded with them"
            known = torch.from_numpy(1 - found).to(context.real.device)
            return lambda index: known[index]
        case _:
            return None


def difficulty(context: JobContext, step: ScoreImages) -> Learned:
    """The mean score of training images, over the networks the cache holds and those it does not.

    The networks do not depend on the job's seed, so that jobs can share what they say; each says it in a file.
    """
    real, recipe, score = context.real.train, context.recipe, step.score

    def make(indices: list[int]) -> Contents:
        keys = [Key(0).fold("score", index) for index in indices]
        rows = yield from scores.difficulty(score, context.kernels, real, recipe.augment, keys)
        return [stored.packed({"score": row}) for row in rows]

    making = Making(
        make,
        lambda source: stored.read(source, context.real.device),
        units=score.epochs * -(-len(real) // score.batch_size),
        said=lambda found: f"The scores of {found} of {score.networks} networks were in the cache.",
        together=kept.stacks(score.networks, kept.together(context, score.batch_size)),
    )
    found = [known["score"] for known in kept.gather(context, step.kept.files, making, "selecting")]
    mean = torch.stack(found).mean(0)
    return lambda index: mean[index]


def embedder(context: JobContext, step: TrainEmbedder) -> Trained:
    """The network that embeds the training images, of the cache or trained now; it does not depend on the job."""
    real, embedding = context.real.train, step.embedding
    work = features.train(embedding, context.kernels, real, Key(0).fold("embedding"))
    steps = embedding.epochs * -(-len(real) // embedding.batch_size)
    return kept.network(context, step.kept, work, "selecting", steps, "The network that embeds the images")


def embedding(context: JobContext, trained: Trained) -> Learned:
    """The features of training images, computed as they are asked for."""

    def embed(index: Tensor) -> Tensor:
        context.raise_if_draining()
        return features.embed(context.network, trained, context.real.train, index)

    return embed
