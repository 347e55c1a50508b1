"""The adjoint's activation memory does not grow with the number of steps; the plain unroll's does."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, resource, sys
import torch, torch.nn.functional as F
from core.engine import unroll
from core.engine.keys import Key
from core.engine.networks import ConvNet

torch.set_num_threads(1)
network = ConvNet((3, 32, 32), 10, 32, 3, "instance")
key, steps = Key(0), int(sys.argv[2])
segment = unroll.Segment(
    loss=lambda theta, x, y: F.cross_entropy(network.apply(theta, x), y),
    theta=network.init(key), images=key.normal(50, 3, 32, 32), labels=torch.full((50, 10), 0.1),
    step_size=torch.tensor(0.01), batches=[torch.arange(50)] * steps, views=[lambda x: x] * steps,
)
def terminal(path):
    return path[-1].square().sum(), {len(path) - 1: 2 * path[-1]}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
getattr(unroll, sys.argv[1])(segment, terminal)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"mib": (after - before) / 1024, "parameters": network.size}))
"""


def peak(strategy: str, steps: int) -> tuple[float, float]:
    """MiB that a gradient through `steps` steps adds to a fresh process, and MiB of one parameter vector."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, strategy, str(steps)], capture_output=True, text=True, check=True, timeout=120
    )
    measured = json.loads(done.stdout.splitlines()[-1])
    return measured["mib"], measured["parameters"] * 4 / 2**20


@pytest.mark.slow
def test_peak_memory_is_flat_in_the_number_of_steps() -> None:
    short, vector = peak("adjoint", 3)
    long, _ = peak("adjoint", 15)
    allowance = 12 * 4 * vector  # twelve more steps, a few parameter vectors each
    assert long - short < max(allowance, 0.3 * short), f"{short:.0f} MiB at 3 steps, {long:.0f} MiB at 15"
    unrolled, _ = peak("plain", 15)
    assert unrolled > 4 * long, f"plain {unrolled:.0f} MiB, adjoint {long:.0f} MiB"
