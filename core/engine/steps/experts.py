"""The training_experts phase: the trajectories a job matches, trained once and shared by every job on the same data.

Of stages also the networks that later ones begin with, and experts that go on from those.
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.engine import experts, kept, stored, trajectories
from core.engine.context import JobContext
from core.engine.kept import Contents, Making
from core.engine.keys import Key
from core.engine.stored import Source
from core.engine.synthetic import SyntheticDataset
from core.engine.trajectories import Expert, Trajectories
from core.plan.steps import Kept, Snapshots
from core.recipe import Trajectory


def gather(
    context: JobContext, objective: Trajectory, before: SyntheticDataset | None = None, most: int | None = None
) -> Trajectories:
    """Train the experts the cache does not hold, several at once where that pays; `most` of them, if given.

    They do not depend on the job's seed, so that jobs can share them; those of a later stage go on from what the stages
    `before` made. Each is mapped as soon as it is there: from then on nobody can take it away. Once no time is left for
    more, those that are there are all there are.
    """
    recipe, real = context.recipe, context.real
    asked = recipe.experts
    assert asked is not None, "a recipe that matches trajectories has experts"
    identity = context.names.expert() | ({} if before is None else experts.beginning(recipe, before))
    needed = Snapshots.of(objective, None if before else recipe.judging_epoch)  # the first stage's judge images
    wanted = asked.count if most is None else min(most, asked.count)

    files = Kept.several(identity, asked.count).files

    def read(source: Source) -> Expert | None:
        return trajectories.read(source, needed, real.device)

    start = None
    if before is not None and not all((found := context.workspace.find(name)) and read(found) for name in files):
        start = prepared(context, before, asked.count)

    def make(indices: list[int]) -> Contents:
        nonlocal start
        if before is not None and start is None:  # all were there, and another engine has made room since
            start = prepared(context, before, asked.count)
        snapshots = []
        keys = [Key(0).fold("expert", index) for index in indices]
        begin = None if start is None else start[indices]
        work = experts.train(context.kernels, real.train, real.classes, asked, recipe.augment, needed.end, keys, begin)
        for moment in work:
            if moment.step == 0 and needed.holds(moment.epoch):
                snapshots.append(moment.theta.cpu())
            yield moment.epochs / needed.end
        return [
            trajectories.pack([theta[place] for theta in snapshots], needed.first, needed.final)
            for place in range(len(indices))
        ]

    making = Making(
        make,
        read,
        units=needed.end * -(-len(real.train) // asked.batch_size),
        said=lambda found: f"{found} of {wanted} expert trajectories were in the cache.",
        together=kept.stacks(context, asked.count, asked.batch_size),
    )
    known = kept.gather(context, files, making, "training_experts", most=most, enough=1)
    if len(known) < wanted:
        said = f"There was time for {len(known)} of {wanted} expert trajectories."
        context.journal.log(said, level="warning")
    return Trajectories(known)


def prepared(context: JobContext, before: SyntheticDataset, count: int) -> Tensor:
    """So many networks [count, P] trained on what the stages `before` made: those of the cache, and the missing ones.

    They depend on the job's seed by those images alone.
    """
    recipe, device = context.recipe, context.real.device
    batch = min(recipe.evaluation.batch_size, len(before.labels))

    def make(indices: list[int]) -> Contents:
        keys = [Key(0).fold("prepare", index) for index in indices]
        thetas = yield from experts.prepare(context.kernels, recipe, before, context.real.classes, keys)
        return [stored.packed({"theta": theta}) for theta in thetas]

    making = Making(
        make,
        lambda source: stored.read(source, device),
        said=lambda found: f"{found} of {count} networks of earlier stages were in the cache.",
        together=kept.stacks(context, count, batch),
    )
    files = Kept.several(context.names.after_stages(experts.beginning(recipe, before)), count).files
    return torch.stack([known["theta"] for known in kept.gather(context, files, making, "training_experts")])
