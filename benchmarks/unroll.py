"""Plain unroll against the adjoint: seconds and peak memory of one outer gradient, and how well the two agree.

    python -m benchmarks.unroll [--steps 5 20 80] [--batch 100] [--width 128] [--repeats 3]

One outer gradient of trajectory matching on CIFAR-10's shapes (ConvNet-3, instance norm, float32, no augmentation, the
whole synthetic set in every step). Each measurement runs in a process of its own, the two strategies in turn. Memory is
the rise of the process's peak above its level before the gradient; a plain unroll that would not fit in the machine's
free memory is said to be out of reach instead of run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from benchmarks.machine import describe
from core.engine import unroll
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.memory import peak_mib
from core.engine.networks import build
from core.recipe import Network
from worker.child import environment

_MIB_PER_IMAGE_AND_STEP = 3.6  # of the plain unroll at width 128, measured; only to foresee what can't fit


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, nargs="+", default=[5, 20, 80])
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--measure", nargs=2, metavar=("STRATEGY", "STEPS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        strategy, steps = options.measure
        print(json.dumps(measure(strategy, int(steps), options.batch, options.width)))
        return
    print(f"ConvNet-3 width {options.width}, 3x32x32, batch {options.batch}; median of {options.repeats} (min-max).")
    print(describe())
    print()
    print("| N | strategy | seconds a step | seconds | peak MiB above start |")
    print("| ---: | --- | ---: | ---: | ---: |")
    for steps in options.steps:
        runs: dict[str, list[dict[str, float]]] = {"plain": [], "adjoint": []}
        if steps * options.batch * options.width / 128 * _MIB_PER_IMAGE_AND_STEP > _free_mib():
            del runs["plain"]
            needed = steps * options.batch * options.width / 128 * _MIB_PER_IMAGE_AND_STEP / 1024
            print(f"| {steps} | plain | - | - | about {needed:.0f} GiB: does not fit this machine |")
        for _ in range(options.repeats):
            for strategy, found in runs.items():
                found.append(_in_a_process(strategy, steps, options))
        for strategy, found in runs.items():
            seconds = [run["seconds"] for run in found]
            memory = statistics.median(run["mib"] for run in found)
            print(
                f"| {steps} | {strategy} | {statistics.median(seconds) / steps:.2f} | {statistics.median(seconds):.1f} "
                f"({min(seconds):.1f}-{max(seconds):.1f}) | {memory:,.0f} |"
            )


def measure(strategy: str, steps: int, batch: int, width: int) -> dict[str, float]:
    """Seconds and peak MiB of one gradient in this process."""
    network = build(Network(width=width, depth=3), (3, 32, 32), 10)
    key = Key(0)

    def segment(n: int) -> unroll.Segment:
        return unroll.Segment(
            kernels=Eager(network),
            theta=network.init(key),
            images=key.fold("images").normal(batch, 3, 32, 32),
            labels=F.one_hot(torch.arange(batch) % 10, 10).float(),
            step_size=torch.tensor(0.01),
            batches=[torch.arange(batch)] * n,
            views=[lambda x: x] * n,
        )

    target = network.init(key.fold("target"))

    def terminal(path):  # type: ignore[no-untyped-def]
        residual = path[-1] - target
        return residual.square().sum(), {len(path) - 1: 2 * residual}

    run = {"plain": unroll.plain, "adjoint": unroll.adjoint}[strategy]
    tiny = segment(1)
    run(tiny, terminal)  # kernels are chosen and loaded
    before = peak_mib()
    started = time.perf_counter()
    run(segment(steps), terminal)
    return {"seconds": time.perf_counter() - started, "mib": peak_mib() - before}


def _in_a_process(strategy: str, steps: int, options: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.unroll", "--measure", strategy, str(steps)]
    command += ["--batch", str(options.batch), "--width", str(options.width)]
    # allocator and threads as the worker sets them for its engine
    done = subprocess.run(command, env=environment(os.environ), capture_output=True, text=True, check=True)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _free_mib() -> float:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable"):
            return int(line.split()[1]) / 1024
    return float("inf")


if __name__ == "__main__":
    main()
