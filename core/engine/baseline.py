"""The line of random real images: nothing in it is a method's, so its networks are kept for jobs of every method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.engine import kept, lines, stored
from core.engine.context import JobContext
from core.engine.kept import Contents, Making
from core.engine.lines import Drawn
from core.engine.report import merged, row
from core.engine.stored import Source
from core.engine.train import stack_for
from core.plan.steps import Kept
from core.recipe import Counts

Row = dict[str, Any]


def line(
    name: str,
    context: JobContext,
    counts: Counts,
    stages: int,
    say: Callable[[float], None] = lambda share: None,
    rate: float | None = None,
) -> Row:
    """Networks on random images labelled with their classes, as many as a result has: those there are, and the missing.

    `counts` are a result's images of each class, `stages` those that made it; `say` is told the share that is made.
    `rate` is the learning rate where another engine has chosen it.

    Raises:
        Drained: the job was told to stop.
        TimeUp: no time is left, and the context is `hurried`.
    """
    chosen, each = lines.draws(context, counts), list(counts)
    key, seeds, tried = context.key.fold("evaluate").fold("random"), len(chosen), lines.tries(context.recipe)
    identity = context.names.baseline(context.ipc, context.key.value, stages)

    # the one that was chosen on the validation split, once any of the networks is there
    rates = list[float]() if rate is None else [rate]
    told: dict[str, Any] = {"counts": each, "stages": stages}

    def make(places: list[int]) -> Contents:
        share = 0.0 if rates else tried / (tried + len(places))
        if not rates:
            first = Drawn.of(context, chosen[:1], key, stages=stages)
            rates.append((yield from lines.part(first.rate(context, key), 0, share)))
            told["rate"] = rates[0]
        arm = Drawn.of(context, chosen[places], key, stages=stages)
        scored = yield from lines.part(arm.scored(name, context, key, rates[0], places), share, 1)
        return [stored.written({"counts": each, "line": row(one)}) for one in scored.each]

    def read(source: Source) -> Row | None:
        found = stored.document(source, None)
        if not isinstance(found, dict) or found.get("counts") != each:
            return None
        rates.append(found["line"]["lr"])
        told["rate"] = rates[0]
        known: Row = found["line"]
        return known

    size = stack_for(context.network, min(chosen.shape[1], context.recipe.evaluation.batch_size), context.real.device)
    making = Making(make, read, together=kept.stacks(seeds, size))
    # other workers know it by the recipe, of which a job that was to end early has not made all stages
    helped = stages == context.recipe.schedule.stages.count
    files = Kept.several(identity, seeds, ".json").files
    found = kept.gather(context, files, making, say=say, helped=helped, told=told)
    return merged(found) | {"name": name}
