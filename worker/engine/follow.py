"""Follow the engine's generators: stop where stopping loses little, and say how far they are."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

from worker.engine.bench import Bench

T = TypeVar("T")


def follow(bench: Bench, work: Generator[float, None, T], say: Callable[[float], None] | None = None) -> T:
    """The result of work that yields the share of it that is done, told to `say`.

    Raises:
        Drained: the attempt was told to stop.
    """
    while True:
        try:
            share = next(work)
        except StopIteration as end:
            result: T = end.value
            return result
        bench.breathe()
        if say is not None:
            say(share)
