"""A network trained once on the real data, and shared by every job on it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from core.engine import kept, stored
from core.engine.context import JobContext
from core.engine.evaluate import Trained
from core.engine.kept import Contents, Making
from core.plan.phases import Phase
from core.plan.steps import Kept


def network(
    context: JobContext,
    identity: dict[str, Any],
    work: Generator[float, None, Trained],
    phase: Phase,
    steps: int,
    name: str,
) -> Trained:
    """The network of an identity: the cache's, or what the work returns, which is kept there.

    `name` is what the log calls it, `steps` how many there are to its training.
    """
    device = context.real.device

    def make(_: list[int]) -> Contents:
        return [stored.packed(stored.of((yield from work)))]

    making = Making(
        make,
        lambda source: stored.read(source, device),
        steps,
        lambda found: f"{name} was in the cache." if found else None,
    )
    (known,) = kept.gather(context, Kept.one(identity).files, making, phase)
    return stored.trained(known)
