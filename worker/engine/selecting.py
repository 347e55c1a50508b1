"""The selecting phase: what the initial images are chosen by, learned once and shared by every job on the same data."""

from __future__ import annotations

from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from core.engine import scores
from core.engine.init import Learned
from core.engine.keys import Key
from core.recipe import Ranked, Score, Window
from worker.engine.bench import Bench
from worker.engine.follow import follow
from worker.engine.teachers import stacks


def learned(bench: Bench) -> Learned | None:
    """What the recipe's init chooses real images by; None if it chooses by nothing."""
    match bench.job.recipe.init:
        case Ranked(score=score) | Window(score=score):
            known = _difficulty(bench, score)
            return lambda index: known[index]
        case _:
            return None


def _difficulty(bench: Bench, score: Score) -> Tensor:
    """The mean score [n] of the training images, over the networks the cache holds and those it does not.

    The networks do not depend on the job's seed, so that jobs can share what they say; each says it in a file.
    """
    real, recipe = bench.real.train, bench.job.recipe
    training = score.model_dump(mode="json", exclude={"networks"})
    identity = bench.identity("difficulty of the training images", score=training)
    paths = [bench.cache.path({**identity, "index": index}, ".safetensors") for index in range(score.networks)]
    found = {i: tensor for i, path in enumerate(paths) if (tensor := _read(path, bench.real.device)) is not None}
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
            content = safetensors.torch.save({"score": row.cpu().contiguous()})
            bench.cache.write(paths[index], content, bench.channel.log, keep=frozenset(paths))
        done += own
    bench.channel.progress(total, total)
    return torch.stack([found[index] for index in range(score.networks)]).mean(0)


def _read(path: Path, device: torch.device) -> Tensor | None:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            tensor: Tensor = file.get_tensor("score")
    except (OSError, safetensors.SafetensorError):
        return None
    return tensor.to(device)
