"""A network trained once on the real data, and shared by every job on it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from core.engine import stored
from core.engine.context import JobContext, follow
from core.engine.evaluate import Trained
from core.plan.cache_names import file_name


def network(
    context: JobContext,
    identity: dict[str, Any],
    work: Generator[float, None, Trained],
    phase: str,
    steps: int,
    name: str,
) -> Trained:
    """The network of an identity: the cache's, or what the work returns, which is kept there.

    `name` is what the log calls it, `steps` how many there are to its training.
    """
    file = file_name(identity, ".safetensors")
    known = stored.read(context.workspace.find(file), context.real.device)
    context.journal.enter(phase, steps, skipped=steps if known else 0)
    if known is None:
        found = follow(context, work, lambda share: context.journal.progress(int(share * steps), steps))
        known = stored.of(found)
        context.workspace.keep(file, stored.packed(known))
    else:
        context.journal.log(f"{name} was in the cache.")
    context.journal.progress(steps, steps)
    return stored.trained(known)
