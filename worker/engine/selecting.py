"""The selecting phase: what the initial images are chosen by, learned once and shared by every job on the same data."""

from __future__ import annotations

import torch
from torch import Tensor

from core.engine import features, scores
from core.engine.evaluate import Trained
from core.engine.init import Learned
from core.engine.keys import Key
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
from worker.engine import generating, tensors
from worker.engine.bench import Bench
from worker.engine.follow import follow
from worker.engine.teachers import stacks
from worker.engine.trained import network


def learned(bench: Bench) -> Learned | None:
    """What the recipe's init chooses real images by; None if it chooses by nothing."""
    match bench.job.recipe.init:
        case Ranked(score=CScore()) | Window(score=CScore()):
            return _given(bench)
        case Ranked(score=Forgetting() | El2n() as score) | Window(score=Forgetting() | El2n() as score):
            known = _difficulty(bench, score)
            return lambda index: known[index]
        case Herding(embedding=embedding) | KCenter(embedding=embedding) | KMeans(embedding=embedding):
            trained = embedder(bench, embedding)

            def embed(index: Tensor) -> Tensor:
                bench.breathe()
                return features.embed(bench.network, trained, bench.real.train, index)

            return embed
        case Generated() as choice:
            return generating.learned(bench, choice)
        case _:
            return None


def _given(bench: Bench) -> Learned:
    """1 - C-score of the training images, of the file beside the dataset."""
    given = bench.dataset.c_scores
    assert given is not None, "a dataset whose images are ranked by C-scores is loaded with them"
    known = torch.from_numpy(1 - given).to(bench.real.device)
    return lambda index: known[index]


def _difficulty(bench: Bench, score: LearnedScore) -> Tensor:
    """The mean score [n] of the training images, over the networks the cache holds and those it does not.

    The networks do not depend on the job's seed, so that jobs can share what they say; each says it in a file.
    """
    real, recipe = bench.real.train, bench.job.recipe
    identity = bench.names.difficulty(score)
    paths = [bench.cache.path({**identity, "index": index}, ".safetensors") for index in range(score.networks)]
    found = {i: known["score"] for i, path in enumerate(paths) if (known := tensors.read(path, bench.real.device))}
    total = score.networks * score.epochs * -(-len(real) // score.batch_size)
    done = len(found) * (total // score.networks)
    bench.channel.enter("selecting", total, skipped=done)
    bench.channel.log(f"The scores of {len(found)} of {score.networks} networks were in the cache.")
    missing = [index for index in range(score.networks) if index not in found]
    for indices in stacks(bench, score.networks, score.batch_size, missing):
        behind, own = done, len(indices) * (total // score.networks)

        def say(share: float, behind: int = behind, own: int = own) -> None:
            bench.channel.progress(behind + int(share * own), total)

        keys = [Key(0).fold("score", index) for index in indices]
        rows = follow(bench, scores.difficulty(score, bench.kernels, real, recipe.augment, keys), say)
        for index, row in zip(indices, rows, strict=True):
            found[index] = row
            bench.cache.write(paths[index], tensors.packed({"score": row}), bench.channel.log, keep=frozenset(paths))
        done += own
    bench.channel.progress(total, total)
    return torch.stack([found[index] for index in range(score.networks)]).mean(0)


def embedder(bench: Bench, embedding: Embedding) -> Trained:
    """The network that embeds the training images, of the cache or trained now; it does not depend on the job."""
    real = bench.real.train
    work = features.train(embedding, bench.kernels, real, Key(0).fold("embedding"))
    steps = embedding.epochs * -(-len(real) // embedding.batch_size)
    identity = bench.names.embedder(embedding)
    return network(bench, identity, work, "selecting", steps, "The network that embeds the images")
