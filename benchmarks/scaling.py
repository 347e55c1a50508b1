"""The cost of a job's size: seconds and peak memory against N, batch, images per class, classes and experts.

    python -m benchmarks.scaling [--arms eager ...] [--vary steps batch ipc classes experts] [--width 64]

One outer iteration of trajectory matching (3x32x32, made-up images, no augmentation), each size varied by itself around
a small base point; `experts` are students of batch 256 whose SGD step is taken at once (stacked), per step. Each
measurement is a process of its own, points in turn. The last column of the first table is how much memory one more
step takes, in vectors of parameters, between the smallest and the largest N.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F

from benchmarks.arms import ARMS, OURS
from benchmarks.instruments import Gauge, seconds
from benchmarks.machine import describe
from benchmarks.processes import Found, Measurement, Runs, Spec, add_options, answer
from benchmarks.rows import spread, table
from benchmarks.setting import outer_gradient, pictures, prepare
from core.engine.keys import Key
from core.engine.networks import build
from core.recipe import Network

_SIZES = ("steps", "batch", "ipc", "classes", "experts")
_TITLES = {
    "steps": "N",
    "batch": "batch",
    "ipc": "images per class",
    "classes": "classes",
    "experts": "experts stepped at once",
}


@dataclass(frozen=True)
class Grid:
    """Where each size lies when another is varied, and the values it is given when it is its turn."""

    base: int
    values: tuple[int, ...]


GRID = {
    "steps": Grid(10, (5, 10, 20, 40)),
    "batch": Grid(50, (10, 25, 50, 100)),
    "ipc": Grid(10, (10, 20, 50)),
    "classes": Grid(10, (10, 50, 100)),
    "experts": Grid(1, (1, 2, 4)),
}


def main(arguments: list[str] | None = None) -> None:
    """Print a table for each size."""
    options = _options(arguments)
    if answer(options, measure):
        return
    runs = Runs.open("benchmarks.scaling", options)
    base = {name: getattr(options, name)[0] for name in _SIZES}
    spec = {"device": options.device, "width": options.width, "iterations": options.iterations}
    print(describe(options.runs))
    said = ", ".join(f"{_TITLES[name]} {base[name]}" for name in _SIZES[:-1])
    print(
        f"\nConvNet-3 W{options.width}, {options.device}; {said} unless varied; "
        f"median of {options.repeats} processes (min-max)."
    )
    for name in options.vary:
        points = {
            (arm, value): Measurement({**spec, **base, name: value, "arm": arm, "varied": name})
            for arm in options.arms
            for value in getattr(options, name)[1:]
        }
        labels = {f"{arm}, {_TITLES[name]} {value}": (arm, value) for arm, value in points}
        found = runs.interleave({label: points[point] for label, point in labels.items()}, options.repeats)
        print("\n" + _table(name, {labels[label]: taken for label, taken in found.items()}))


def measure(spec: Spec) -> Found:
    """Seconds and memory of one point, in this process."""
    device, arm = torch.device(spec["device"]), ARMS[spec["arm"]]
    if spec["varied"] == "experts":
        run, parameters = _students(spec, device)
    else:
        made = prepare(
            None,
            width=spec["width"],
            steps=spec["steps"],
            batch=spec["batch"],
            images=spec["ipc"] * spec["classes"],
            classes=spec["classes"],
            expert_steps=0,
            key=Key(0),
        )
        here, parameters = made.to(device, arm.dtype), made.network.size
        kernels = cache(lambda: arm.kernels(made.network, spec["folder"], len(here.batches[0])))

        def run() -> object:
            return outer_gradient(here, kernels(), residual_bytes=arm.residual_bytes)

    gauge = Gauge(device)
    first = seconds(run, device)
    whole, gauge = gauge.whole(), Gauge(device)
    run()
    rise = gauge.rise()
    times = [seconds(run, device) for _ in range(spec["iterations"])]
    return {
        "seconds": times,
        "first": first,
        "rise": rise,
        "whole": max(whole, gauge.whole()),
        "parameters": parameters,
    }


def _students(spec: Spec, device: torch.device) -> tuple[Callable[[], object], int]:
    """One SGD step of several experts at once, and the parameters of one of them."""
    n, batch, arm = spec["experts"], 256, ARMS[spec["arm"]]
    network = build(Network(width=spec["width"]), (3, 32, 32), spec["classes"])
    theta = torch.stack([network.init(Key(expert)) for expert in range(n)]).to(device, arm.dtype)
    seen = pictures(None, n * batch, Key(0), spec["classes"])
    images = seen.images.view(n, batch, 3, 32, 32).to(device, arm.dtype)
    labels = F.one_hot(seen.labels, spec["classes"]).view(n, batch, -1).to(device, arm.dtype)
    kernels = cache(lambda: arm.kernels(network, spec["folder"], batch, n))
    return lambda: kernels().gradient(theta, images, labels), network.size


def _table(name: str, found: dict[tuple[str, int], list[Found]]) -> str:
    unit = "a step" if name == "experts" else "an outer iteration"
    head = [
        "arm",
        _TITLES[name],
        f"seconds {unit}",
        "over the second column",
        "first, s",
        "peak MiB above start",
        "peak MiB in all",
    ]
    head += ["vectors of parameters a step"] if name == "steps" else []
    rows = []
    for (arm, value), runs in found.items():
        times = [statistics.median(run["seconds"]) for run in runs]
        row = [arm, str(value), spread(times, 3), f"{statistics.median(times) / value:.4f}"]
        row.append(spread([run["first"] for run in runs], 1))
        row += [spread([run[kind] for run in runs], 0) for kind in ("rise", "whole")]
        rows.append(row + ([_growth(arm, value, found)] if name == "steps" else []))
    return table([*head, "n"], [[*row, str(len(runs))] for row, runs in zip(rows, found.values(), strict=True)])


def _growth(arm: str, at: int, found: dict[tuple[str, int], list[Found]]) -> str:
    points = {value: runs for (name, value), runs in found.items() if name == arm}
    low, high = min(points), max(points)
    if low == high or at != high:
        return "-"
    rises = [statistics.median(run["rise"] for run in points[value]) for value in (low, high)]
    vector = points[low][0]["parameters"] * 4 / 2**20
    return f"{(rises[1] - rises[0]) / (high - low) / vector:.2f}"


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--arms", nargs="+", default=list(OURS), choices=OURS)
    parser.add_argument("--vary", nargs="+", default=list(_SIZES), choices=_SIZES)
    parser.add_argument("--width", type=int, default=64, help="of the ConvNet (%(default)s)")
    parser.add_argument("--iterations", type=int, default=2, help="timed in each process (%(default)s)")
    for name, grid in GRID.items():
        value = [grid.base, *grid.values]
        parser.add_argument(f"--{name}", type=int, nargs="+", default=value, help=f"the base, then values: {value}")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
