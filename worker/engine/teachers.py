"""The training_experts phase: the trajectories a job matches, trained once and shared by every job on the same data."""

from __future__ import annotations

import torch

from core.engine import experts
from core.engine.keys import Key
from core.recipe import Trajectory
from worker.engine.bench import Bench


def trajectories(bench: Bench, objective: Trajectory) -> experts.Trajectories:
    """Train the experts the cache does not hold. They do not depend on the job's seed, so that jobs can share them."""
    recipe = bench.job.recipe
    assert recipe.experts is not None, "a recipe that matches trajectories has experts"
    needed = experts.window(objective)
    training = recipe.experts.model_dump(mode="json", exclude={"count", "epochs"})
    identity, count = bench.identity("expert trajectory", experts=training), recipe.experts.count
    paths = [bench.cache.path({**identity, "index": index}, ".safetensors") for index in range(count)]
    missing = [index for index in range(count) if not experts.covers(paths[index], needed)]
    each = needed.last * -(-len(bench.real.train.labels) // recipe.experts.batch_size)  # SGD steps of one expert
    done, total = (count - len(missing)) * each, count * each
    bench.channel.enter("training_experts", total)
    bench.channel.log(f"{count - len(missing)} of {count} expert trajectories were in the cache.")
    for index in missing:
        moments = experts.train(
            bench.kernels,
            bench.real.train,
            bench.real.classes,
            recipe.experts,
            recipe.augment,
            needed.last,
            Key(0).fold("expert", index),
        )
        kept: list[torch.Tensor] = []
        for moment in moments:
            bench.breathe()
            bench.channel.progress(done + moment.epoch * moment.steps + moment.step, total)
            if moment.step == 0 and moment.epoch >= needed.first:
                kept.append(moment.theta)
        experts.save(paths[index], kept, needed.first)
        done += each
    bench.cache.trim(keep=frozenset(paths))
    bench.channel.progress(total, total)
    return experts.Trajectories(paths, bench.real.train.images.device)
