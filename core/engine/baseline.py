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
from core.engine.synthetic import SyntheticDataset
from core.engine.train import stack_for
from core.plan.steps import Kept

Row = dict[str, Any]


def line(
    name: str,
    context: JobContext,
    result: SyntheticDataset,
    say: Callable[[float], None],
) -> Row:
    """Networks on random images labelled with their classes, as many as a result has: those there are, and the missing.

    `say` is told the share of those that is made.

    Raises:
        Drained: the job was told to stop.
        TimeUp: no time is left, and the context is `hurried`.
    """
    chosen, counts = lines.draws(context, result), list(result.counts(context.real.classes))
    key, seeds, tried = context.key.fold("evaluate").fold("random"), len(chosen), lines.tries(context.recipe)
    identity = context.names.baseline(context.ipc, context.key.value, result.stages)

    rates: list[float] = []  # the one that was chosen on the validation split, once any of the networks is there

    def make(places: list[int]) -> Contents:
        share = 0.0 if rates else tried / (tried + len(places))
        if not rates:
            first = Drawn.of(context, chosen[:1], key, stages=result.stages)
            rates.append((yield from lines.part(first.rate(context, key), 0, share)))
        arm = Drawn.of(context, chosen[places], key, stages=result.stages)
        scored = yield from lines.part(arm.scored(name, context, key, rates[0], places), share, 1)
        return [stored.written({"counts": counts, "line": row(each)}) for each in scored.each]

    def read(source: Source) -> Row | None:
        found = stored.document(source, None)
        if not isinstance(found, dict) or found.get("counts") != counts:
            return None
        rates.append(found["line"]["lr"])
        known: Row = found["line"]
        return known

    size = stack_for(context.network, min(chosen.shape[1], context.recipe.evaluation.batch_size), context.real.device)
    making = Making(make, read, together=kept.stacks(seeds, size))
    found = kept.gather(context, Kept.several(identity, seeds, ".json").files, making, say=say)
    return merged(found) | {"name": name}
