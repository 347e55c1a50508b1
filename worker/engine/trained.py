"""A network trained once on the real data, and shared by every job on it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from core.engine.evaluate import Trained
from worker.engine import tensors
from worker.engine.bench import Bench
from worker.engine.follow import follow


def network(
    bench: Bench, identity: dict[str, Any], work: Generator[float, None, Trained], phase: str, steps: int, name: str
) -> Trained:
    """The network of an identity: the cache's, or what the work returns, which is kept there.

    `name` is what the log calls it, `steps` how many there are to its training.
    """
    path = bench.cache.path(identity, ".safetensors")
    known = tensors.read(path, bench.real.device)
    bench.channel.enter(phase, steps, skipped=steps if known else 0)
    if known is None:
        found = follow(bench, work, lambda share: bench.channel.progress(int(share * steps), steps))
        known = tensors.of(found)
        bench.cache.write(path, tensors.packed(known), bench.channel.log, keep=frozenset({path}))
    else:
        bench.channel.log(f"{name} was in the cache.")
    bench.channel.progress(steps, steps)
    return tensors.trained(known)
