"""The training_experts phase: the trajectories a job matches, trained once and shared by every job on the same data.

Of stages also the networks that later ones begin with, and experts that go on from those.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from core.engine import experts, stored, trajectories
from core.engine.context import JobContext, follow
from core.engine.keys import Key
from core.engine.synthetic import SyntheticDataset
from core.engine.train import stack_for
from core.engine.trajectories import Trajectories
from core.plan.cache_names import file_name
from core.recipe import Trajectory


def gather(
    context: JobContext, objective: Trajectory, before: SyntheticDataset | None = None, most: int | None = None
) -> Trajectories:
    """Train the experts the cache does not hold, several at once where that pays; `most` of them, if given.

    They do not depend on the job's seed, so that jobs can share them; those of a later stage go on from what the stages
    `before` made. Each is mapped as soon as it is there: from then on nobody can take it away.
    """
    recipe, workspace, device = context.recipe, context.workspace, context.real.device
    assert recipe.experts is not None, "a recipe that matches trajectories has experts"
    identity, count = context.names.expert(), recipe.experts.count
    if before is not None:
        identity |= experts.beginning(recipe, before)
    names = [file_name({**identity, "index": index}, ".safetensors") for index in range(count)]
    sources = [workspace.find(name) for name in names]
    wanted = range(count if most is None else min(most, count))
    needed = experts.window(objective, None if before else recipe.judging_epoch)  # the first stage's judge images
    found = {index: expert for index in wanted if (expert := trajectories.read(sources[index], needed, device))}
    missing = [index for index in wanted if index not in found]
    start = prepared(context, before, count) if before and missing else None
    steps = needed.end * -(-len(context.real.train) // recipe.experts.batch_size)  # of one expert
    done, total = len(found) * steps, len(wanted) * steps
    context.journal.enter("training_experts", total, skipped=done)
    context.journal.log(f"{len(found)} of {len(wanted)} expert trajectories were in the cache.")
    for indices in stacks(context, count, recipe.experts.batch_size, missing):
        kept = []
        for moment in experts.train(
            context.kernels,
            context.real.train,
            context.real.classes,
            recipe.experts,
            recipe.augment,
            needed.end,
            [Key(0).fold("expert", index) for index in indices],
            None if start is None else start[indices],
        ):
            context.raise_if_draining()
            context.journal.progress(done + len(indices) * (moment.epoch * moment.steps + moment.step), total)
            if moment.step == 0 and needed.holds(moment.epoch):
                kept.append(moment.theta.cpu())
        for place, index in enumerate(indices):
            content = trajectories.pack([theta[place] for theta in kept], needed.first, needed.final)
            # more than once only if another engine, which must make room too, was quicker to delete than we to map
            while (expert := trajectories.read(workspace.find(names[index]), needed, device)) is None:
                workspace.keep(names[index], content, beside=names)
            found[index] = expert
        done += len(indices) * steps
    context.journal.progress(total, total)
    return Trajectories([found[index] for index in wanted])


def together(context: JobContext, batch_size: int) -> int:
    """How many networks are trained at once."""
    return stack_for(context.network, min(batch_size, len(context.real.train)), context.real.device)


def prepared(context: JobContext, before: SyntheticDataset, count: int) -> Tensor:
    """So many networks [count, P] trained on what the stages `before` made: those of the cache, and the missing ones.

    They depend on the job's seed by those images alone.
    """
    recipe, batch = context.recipe, context.recipe.evaluation.batch_size
    workspace, device = context.workspace, context.real.device
    identity = context.names.after_stages(experts.beginning(recipe, before))
    names = [file_name({**identity, "index": index}, ".safetensors") for index in range(count)]
    sources = [workspace.find(name) for name in names]
    found = {i: known["theta"] for i, source in enumerate(sources) if (known := stored.read(source, device))}
    done = len(found)
    context.journal.enter("training_experts", count, skipped=done)
    context.journal.log(f"{done} of {count} networks of earlier stages were in the cache.")
    missing = [index for index in range(count) if index not in found]
    for indices in stacks(context, count, min(batch, len(before.labels)), missing):

        def say(share: float, behind: int = done, own: int = len(indices)) -> None:
            context.journal.progress(behind + int(share * own), count)

        keys = [Key(0).fold("prepare", index) for index in indices]
        thetas = follow(context, experts.prepare(context.kernels, recipe, before, context.real.classes, keys), say)
        for index, theta in zip(indices, thetas, strict=True):
            found[index] = theta
            workspace.keep(names[index], stored.packed({"theta": theta}), beside=names)
        done += len(indices)
    context.journal.progress(count, count)
    return torch.stack([found[index] for index in range(count)])


def stacks(context: JobContext, count: int, batch_size: int, missing: Sequence[int]) -> Iterator[list[int]]:
    """The numbers of experts that are trained together: they alone decide, so that a job done again has the same."""
    size = together(context, batch_size)
    for first in range(0, count, size):
        if indices := [index for index in missing if first <= index < first + size]:
            yield indices
