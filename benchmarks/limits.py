"""How near the two kernels come to what the machine can do.

    python -m benchmarks.limits [--arms eager ...] [--batches 10 100] [--width 128]

Work is counted as the operations of direct convolutions: a gradient is 3 forward passes (forward, and back to the
activations and to the weights), an adjoint 8 (3 forward, 3 to the activations, 2 to the weights); what the first block
does not need, because images have no tangent and the gradient does not reach them, is left out. A kernel that
multiplies less (Winograd) also gets its rate in operations that it really does. Two peaks are measured in the same
process: of square matrix products, and of the backend's own convolutions of the same layers, batch and precision,
channels-last, each pass weighted as the kernel needs it. Above 100 % of the latter means fewer multiplications.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.arithmetic import FIRST, INNER, Layer, convolved, done, layers, work
from benchmarks.arms import ARMS, OURS
from benchmarks.instruments import seconds
from benchmarks.machine import describe
from benchmarks.processes import Found, Measurement, Runs, Spec, add_options, answer
from benchmarks.rows import spread, table
from benchmarks.setting import prepare
from core.engine.keys import Key


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    options = _options(arguments)
    if answer(options, measure):
        return
    runs = Runs.open("benchmarks.limits", options)
    spec = {name: getattr(options, name) for name in ("device", "width", "iterations")}
    arms = {
        f"{name}/{batch}": Measurement({**spec, "arm": name, "batch": batch})
        for batch in options.batches
        for name in options.arms
    }
    found = runs.interleave(arms, options.repeats)
    print(describe(options.runs))
    print(
        f"\nConvNet-3 W{options.width}, 3x32x32, {options.device}; median of {options.repeats} processes (min-max), "
        f"each the median of {options.iterations} calls. G is 10^9 operations of direct convolutions.\n"
    )
    head = ["kernel, arm, batch", "ms", "G", "G/s", "% of the matrix peak", "% of the convolution peak"]
    head += ["G/s really done", "% of the matrix peak", "matrix peak, G/s", "convolution peak, G/s", "n"]
    rows = [
        _row(kernel, label, [run[kernel] | {"matrix": run["matrix"]} for run in taken])
        for kernel in INNER
        for label, taken in found.items()
    ]
    print(table(head, rows))


def measure(spec: Spec) -> Found:
    """Both kernels of one arm, and the peaks, in this process."""
    arm, device, batch = ARMS[spec["arm"]], torch.device(spec["device"]), spec["batch"]
    made = prepare(None, width=spec["width"], steps=1, batch=batch, images=batch, expert_steps=0, key=Key(0))
    here, network = made.to(device, arm.dtype), made.network
    kernels = arm.kernels(network, spec["folder"], batch)
    labels = F.one_hot(here.labels, network.classes).to(arm.dtype)
    u = here.theta - here.target
    runs: dict[str, Callable[[], object]] = {
        "gradient": lambda: kernels.gradient(here.theta, here.images, labels),
        "adjoint": lambda: kernels.adjoint(here.theta, here.images, labels, u),
    }
    passes = [_convolve(layer, batch, arm.peak, device, spec["iterations"]) for layer in layers(network)]
    found: Found = {"matrix": _matrix_peak(arm.peak, device)}
    for kernel, run in runs.items():
        floor = sum((INNER if i else FIRST)[kernel].of(*prices) for i, prices in enumerate(passes))
        found[kernel] = {
            "seconds": _typical(run, device, spec["iterations"]),
            "work": work(kernel, network, batch),
            "done": done(kernel, kernels, here.theta, here.images, labels, u),
            "floor": floor,
            "convolution": convolved(kernel, network, batch) / floor,
        }
    return found


def _row(kernel: str, label: str, runs: list[Found]) -> list[str]:
    times = [run["seconds"] for run in runs]
    work, done = runs[0]["work"], runs[0]["done"]
    matrix = statistics.median(run["matrix"] for run in runs)
    arm, _, batch = label.partition("/")
    return [
        f"{kernel}, {arm}, {batch}",
        spread([1e3 * t for t in times], 1),
        f"{work / 1e9:,.2f}",
        spread([work / t / 1e9 for t in times], 0),
        f"{100 * work / statistics.median(times) / matrix:.0f}",
        spread([100 * run["floor"] / run["seconds"] for run in runs], 0),
        spread([done / t / 1e9 for t in times], 0),
        f"{100 * done / statistics.median(times) / matrix:.0f}",
        spread([run["matrix"] / 1e9 for run in runs], 0),
        spread([run["convolution"] / 1e9 for run in runs], 0),
        str(len(runs)),
    ]


def _convolve(layer: Layer, batch: int, dtype: torch.dtype, device: torch.device, calls: int) -> list[float]:
    """Seconds of the backend's convolution: forward, to the activations, to the weights."""

    def random(*shape: int) -> Tensor:
        return torch.randn(shape).to(device, dtype).to(memory_format=torch.channels_last)

    inner = layer.height + 2 - 2 * layer.padding, layer.side + 2 - 2 * layer.padding
    x, w = random(batch, layer.channels, *inner), random(layer.width, layer.channels, 3, 3)
    y = random(batch, layer.width, layer.height, layer.side)
    one, pad = [1, 1], [layer.padding, layer.padding]

    def back(to_x: bool, to_w: bool) -> object:
        return torch.ops.aten.convolution_backward(y, x, w, None, one, pad, one, False, [0, 0], 1, [to_x, to_w, False])

    with torch.no_grad():
        return [
            _typical(lambda: F.conv2d(x, w, padding=layer.padding), device, calls),
            _typical(lambda: back(True, False), device, calls),
            _typical(lambda: back(False, True), device, calls),
        ]


def _matrix_peak(dtype: torch.dtype, device: torch.device) -> float:
    """Operations a second of the best of several square products."""
    side = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(side, side).to(device, dtype) for _ in range(2))
    torch.mm(a, b)
    return 2 * side**3 / min(seconds(lambda: torch.mm(a, b), device) for _ in range(8))


def _typical(run: Callable[[], object], device: torch.device, calls: int) -> float:
    """Median seconds of a call, after one that is not counted and with as many in a row as last a millisecond."""
    run()
    once = seconds(run, device)
    row = max(1, math.ceil(1e-3 / once))

    def several() -> None:
        for _ in range(row):
            run()

    return statistics.median(seconds(several, device) / row for _ in range(calls))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--arms", nargs="+", default=list(OURS), choices=OURS)
    parser.add_argument("--batches", type=int, nargs="+", default=[10, 100], help="images a step (%(default)s)")
    parser.add_argument("--width", type=int, default=128, help="of the ConvNet (%(default)s)")
    parser.add_argument("--iterations", type=int, default=7, help="calls timed in each process (%(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
