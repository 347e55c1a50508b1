"""The training_experts phase: the trajectories a job matches, trained once and shared by every job on the same data.

Of stages also the networks that later ones begin with, and experts that go on from those.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from core.engine import experts, finite, kept, stored, trajectories
from core.engine.context import JobContext
from core.engine.kept import Contents, Making
from core.engine.keys import Key
from core.engine.synthetic import SyntheticDataset
from core.engine.trajectories import Trajectories
from core.plan.steps import Kept, PrepareNetworks, TrainExperts
from core.recipe import search


def gather(
    context: JobContext, step: TrainExperts, before: SyntheticDataset | None = None, start: Tensor | None = None
) -> Trajectories:
    """Train the experts the cache does not hold, several at once where that pays; a search needs only `some` of them.

    They do not depend on the job's seed, so that jobs can share them; those of a later stage go on from networks that
    were prepared on what the stages `before` made: `start` [count, P], if they were needed when this began. Each is
    mapped as soon as it is there: from then on nobody can take it away. Once no time is left for more, those that are
    there are all there are.

    Raises:
        Diverged: an expert's parameters became no numbers.
    """
    recipe, real, needed = context.recipe, context.real, step.snapshots
    asked = recipe.experts
    assert asked is not None, "a recipe that matches trajectories has experts"
    wanted = search.experts(asked.count, kept.together(context, asked.batch_size)) if step.some else asked.count
    files = _files(context, step, before)

    def make(indices: list[int]) -> Contents:
        nonlocal start
        if before is not None and start is None:  # all were there, and another engine has made room since
            start = prepared(context, PrepareNetworks(step.stage, asked.count), before)
        snapshots = []
        keys = [Key(0).fold("expert", index) for index in indices]
        begin = None if start is None else start[indices]
        work = experts.train(context.kernels, real.train, real.classes, asked, recipe.augment, needed.end, keys, begin)
        for moment in work:
            if moment.step == 0:
                finite.expect(moment.theta, "an expert", "experts.lr")
            if moment.step == 0 and needed.holds(moment.epoch):
                snapshots.append(moment.theta.cpu())
            yield moment.epochs / needed.end
        return [
            trajectories.pack([theta[place] for theta in snapshots], needed.first, needed.final)
            for place in range(len(indices))
        ]

    making = Making(
        make,
        lambda source: trajectories.read(source, needed, real.device),
        units=needed.end * -(-len(real.train) // asked.batch_size),
        said=lambda found: f"{found} of {wanted} expert trajectories were in the cache.",
        together=kept.stacks(asked.count, kept.together(context, asked.batch_size)),
    )
    known = kept.gather(context, files, making, "training_experts", most=wanted, enough=1, helped=before is None)
    if len(known) < wanted:
        said = f"There was time for {len(known)} of {wanted} expert trajectories."
        context.journal.log(said, level="warning")
    return Trajectories(known)


def are_there(context: JobContext, step: TrainExperts, before: SyntheticDataset) -> bool:
    """Whether the cache holds all experts of a later stage, so that what they go on from is not needed."""
    sources = map(context.workspace.find, _files(context, step, before))
    return all(trajectories.read(source, step.snapshots, context.real.device) is not None for source in sources)


def _files(context: JobContext, step: TrainExperts, before: SyntheticDataset | None) -> Sequence[str]:
    """The names of the experts; those of a later stage depend on what the stages before made."""
    if step.kept is not None:
        return step.kept.files
    assert before is not None, "only experts of later stages have no names beforehand"
    identity = context.names.expert() | experts.beginning(context.recipe, before)
    return Kept.several(identity, step.count).files


def prepared(context: JobContext, step: PrepareNetworks, before: SyntheticDataset) -> Tensor:
    """So many networks [count, P] trained on what the stages `before` made: those of the cache, and the missing ones.

    They depend on the job's seed by those images alone.

    Raises:
        Diverged: a network's parameters became no numbers.
    """
    recipe, device, count = context.recipe, context.real.device, step.count
    batch = min(recipe.evaluation.batch_size, len(before.labels))

    def make(indices: list[int]) -> Contents:
        keys = [Key(0).fold("prepare", index) for index in indices]
        thetas = yield from experts.prepare(context.kernels, recipe, before, context.real.classes, keys)
        rate = "step_size.lr" if recipe.evaluation.lr is None else "evaluation.lr"
        finite.expect(thetas, "a network on the images of earlier stages", rate)
        return [stored.packed({"theta": theta}) for theta in thetas]

    making = Making(
        make,
        lambda source: stored.read(source, device),
        said=lambda found: f"{found} of {count} networks of earlier stages were in the cache.",
        together=kept.stacks(count, kept.together(context, batch)),
    )
    files = Kept.several(context.names.after_stages(experts.beginning(recipe, before)), count).files
    return torch.stack([known["theta"] for known in kept.gather(context, files, making, "training_experts")])
