"""The adjoint's activation memory does not grow with the number of steps; the plain unroll's does."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
import json, sys
import torch, torch.nn.functional as F
from core.engine import unroll
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.memory import peak_mib
from core.engine.networks import ConvNet

torch.set_num_threads(1)
network = ConvNet((3, 32, 32), 10, 32, 3, "instance")
key, steps = Key(0), int(sys.argv[1])

def gradient_through(strategy, steps):
    segment = unroll.Segment(
        kernels=Eager(network),
        theta=network.init(key), images=key.normal(20, 3, 32, 32), labels=torch.full((20, 10), 0.1),
        step_size=torch.tensor(0.01), batches=[torch.arange(20)] * steps, views=[lambda x: x] * steps,
    )
    strategy(segment, lambda path: (path[-1].square().sum(), {len(path) - 1: 2 * path[-1]}))

growth = {}
for name in ("adjoint", "plain"):  # a peak only ever rises: the one that takes little comes first
    strategy = getattr(unroll, name)
    gradient_through(strategy, 2)  # code, kernels and the graph of a step
    before = peak_mib()
    gradient_through(strategy, steps)
    growth[name] = peak_mib() - before
print(json.dumps(growth | {"vector": network.size * 4 / 2**20}))
"""


def growths(steps: int) -> tuple[float, float, float]:
    """MiB the peak rises from 2 steps to `steps` in the adjoint and in the plain unroll; MiB of a parameter vector."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(steps)],
        # every tensor in a mapping of its own, given back when freed: the peak is what lives, not what glibc keeps
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"},
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    measured = json.loads(done.stdout.splitlines()[-1])
    return measured["adjoint"], measured["plain"], measured["vector"]


@pytest.mark.slow
def test_peak_memory_is_flat_in_the_number_of_steps() -> None:
    steps = 14
    adjoint, plain, vector = growths(steps)
    assert adjoint < 3 * steps * vector + 2, f"the adjoint grew by {adjoint:.1f} MiB in {steps - 2} steps"
    assert plain > 20 * adjoint, f"plain grew by {plain:.0f} MiB, the adjoint by {adjoint:.1f}"
