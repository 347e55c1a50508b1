"""The ways to multiply out a convolution, against each other on this machine.

    python -m benchmarks.convolutions [--widths 32 128] [--sides 8 16] [--batches 10 100] [--turns 7] [--verdict]

A row is a shape and a precision of the factors. The ways are the backend's own convolution (as tensors lie, and
channels-last), the products of tiles F(2x2, 3x3) and F(4x4, 3x3), and the latter as a grouped 1x1 convolution. Each is
timed in turn, turn after turn in one process, forward and then back to activations and weights. Rates are operations of
the direct convolution a second, so ways compare by their seconds. The transforms of tiles are left out, which count
more the fewer channels there are. With `--verdict` the engine measures as a worker does, by the busiest thread's
processor time and with the memory that transforms move: milliseconds of a step's gradient and adjoint, convolutions
alone, which are nine forward passes, and the choice; then the rate of square matrix products by the same clock.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from collections.abc import Callable, Mapping
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.instruments import seconds
from benchmarks.machine import describe
from benchmarks.rows import table
from core.engine.kernels import measurement
from core.engine.kernels.compiled import multiplies_bfloat16
from core.plan.ways import Factors, Kind, Pick, Way

Ways = Mapping[str, tuple[Callable[[], Tensor], Callable[[], object]]]
"""Name of a way to its forward and its backward pass."""

_CPU = torch.device("cpu")
_SIDE, _PRODUCTS = 2048, 5  # of the square products whose rate is the peak
_PATIENT = 60.0  # seconds that a verdict may take here
_DIRECT, _LAST, _SMALL, _TILES, _GROUPED = "direct", "direct, channels-last", "F(2)", "F(4)", "F(4), grouped"
_NAMES = (_DIRECT, _LAST, _SMALL, _TILES, _GROUPED)


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    options = _options(arguments)
    print(f"{describe()}\n")
    shapes = list(itertools.product(options.widths, options.sides, options.batches))
    if options.verdict:
        _judge(shapes)
        return
    head = ["width, side, batch, factors", *(f"{way}: forward, backward, G/s" for way in _NAMES), "fastest in all"]
    rows = []
    for (width, side, batch), dtype in itertools.product(shapes, (torch.float32, torch.bfloat16)):
        taken = race(ways(width, side, batch, dtype), options.turns)
        work = 2 * 9 * width**2 * side**2 * batch / 1e9
        rates = [f"{work / taken[way][0]:,.0f}, {2 * work / taken[way][1]:,.0f}" for way in _NAMES]
        label = f"{width}, {side}, {batch}, {str(dtype).removeprefix('torch.')}"
        rows.append([label, *rates, min(_NAMES, key=lambda way: sum(taken[way]))])
    print(table(head, rows))


def _judge(kinds: list[Kind]) -> None:
    """Print what the engine would choose here, rule or not."""
    ways: list[Way] = ["direct", "F(2)", "F(4)", "F(4) by BLAS"]
    head = ["width, side, batch, factors", *(f"{way} from then on" for way in ways), "chosen"]
    rows = []
    for finding in measurement.measure(kinds, seconds=_PATIENT).findings:
        factors: list[Factors] = ["float32"] if finding.precision == "float32" else ["bfloat16", "rounded"]
        for kind in factors:
            picks = (Pick(forward=finding.rule.forward, rest=way, factors=kind) for way in ways)
            found = (finding.seconds.get(str(pick)) for pick in picks)
            taken = ["-" if seconds is None else f"{1e3 * seconds:,.3g}" for seconds in found]
            rows.append([f"{finding.channels}, {finding.side}, {finding.batch}, {kind}", *taken, str(finding.pick)])
    print(table(head, rows))
    print()
    # without instructions for bfloat16 a product of this side takes minutes
    for dtype in (torch.float32, torch.bfloat16) if multiplies_bfloat16() else (torch.float32,):
        a, b = (torch.randn(_SIDE, _SIDE).to(dtype) for _ in range(2))
        best = min(measurement.spent_by(partial(torch.mm, a, b), 1) for _ in range(_PRODUCTS))
        print(f"Square products of {str(dtype).removeprefix('torch.')}: {2 * _SIDE**3 / best / 1e9:,.0f} G/s")


def ways(width: int, side: int, batch: int, dtype: torch.dtype) -> Ways:
    """Every way to compute a 3x3 convolution of so many channels on maps of `side` pixels."""
    x, w = torch.randn(batch, width, side, side).to(dtype), torch.randn(width, width, 3, 3).to(dtype)
    last_x, last_w = (tensor.contiguous(memory_format=torch.channels_last) for tensor in (x, w))
    found = {_DIRECT: _convolution(x, w, 1, 1), _LAST: _convolution(last_x, last_w, 1, 1)}
    for name, m in ((_SMALL, 2), (_TILES, 4)):
        tiles, products = batch * (-(-side // m)) ** 2, (m + 2) ** 2
        lifted, kernel = torch.randn(products, tiles, width).to(dtype), torch.randn(products, width, width).to(dtype)
        found[name] = _products(lifted, kernel)
    side_by_side = lifted.permute(0, 2, 1).reshape(1, products * width, tiles, 1)
    grouped = side_by_side.contiguous(memory_format=torch.channels_last)
    found[_GROUPED] = _convolution(grouped, kernel.mT.reshape(products * width, width, 1, 1), 0, products)
    return found


def race(contestants: Ways, turns: int) -> dict[str, tuple[float, float]]:
    """Median seconds of both passes of each, after one that is not counted."""
    taken: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in contestants}
    with torch.no_grad():
        for turn, (name, both) in itertools.product(range(turns + 1), contestants.items()):
            for into, run in zip(taken[name], both, strict=True):
                spent = seconds(run, _CPU)
                if turn:
                    into.append(spent)
    return {name: (statistics.median(there), statistics.median(back)) for name, (there, back) in taken.items()}


def _products(x: Tensor, w: Tensor) -> tuple[Callable[[], Tensor], Callable[[], object]]:
    return lambda: x @ w, lambda: (x @ w.mT, x.mT @ x)


def _convolution(x: Tensor, w: Tensor, padding: int, groups: int) -> tuple[Callable[[], Tensor], Callable[[], object]]:
    one, pad, wanted = [1, 1], [padding, padding], [True, True, False]

    def back() -> object:
        return torch.ops.aten.convolution_backward(x, x, w, None, one, pad, one, False, [0, 0], groups, wanted)

    return lambda: F.conv2d(x, w, padding=padding, groups=groups), back


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", type=int, nargs="+", default=[32, 128], help="channels (%(default)s)")
    parser.add_argument("--sides", type=int, nargs="+", default=[8, 16], help="pixels of a map's side (%(default)s)")
    parser.add_argument("--batches", type=int, nargs="+", default=[10, 100], help="images a step (%(default)s)")
    parser.add_argument("--turns", type=int, default=7, help="times that each is timed (%(default)s)")
    parser.add_argument("--verdict", action="store_true", help="what a worker would measure, and the choice")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
