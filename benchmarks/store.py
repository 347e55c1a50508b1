"""Ways to store expert trajectories: bytes, faithfulness, seconds; and what they do to the distilled accuracy.

    python -m benchmarks.store [--dataset digits] [--width 32] [--window 21] [--experts 1] [--distil SEEDS]

Trains `--experts` experts for the `--window` epochs that segments read (21: start epochs below 20, two epochs each) and
stores each in every format. The reference keeps all of its 50 epochs and the initialisation in a pickle. Errors are
relative to the displacement of a segment of two epochs, ||theta_{t+2} - theta_t||: those of the displacement itself,
and of the point it starts from; mean over start epochs and experts, and the largest. Seconds are the medians over the
experts to write one, and to open it and read a segment.

With `--distil`, every format's experts are then matched from so many seeds (the same for every format) by compiled
kernels, and a fresh network is trained on each result: test accuracy, and its difference from float32's, seed by seed.
`--bfloat16` matches the experts stored in float32 once more with that precision of the kernels, as a format of its own.
`--formats` chooses some. `--images` takes the first of the training split only.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.formats import OURS, REFERENCE, Format, Read, formats
from benchmarks.machine import describe
from benchmarks.rows import table
from core.data import Catalogue
from core.engine import distill, evaluate, experts
from core.engine.kernels import Compiled, Eager, Kernels, Shape
from core.engine.keys import Key
from core.engine.networks import ConvNet, build
from core.engine.objectives import trajectory
from core.engine.real import Labelled, Real, prepare
from core.engine.trajectories import Trajectories
from core.recipe import Augment, Evaluation, Experts, MeanStd, Network, Recipe, Schedule, StepSize, Trajectory

SEGMENT = 2  # epochs
EXACT = "float32"
COARSE = "float32, matched in bfloat16"


@dataclass(frozen=True)
class Cost:
    """The effects of one format on one expert."""

    size: int
    write: float
    read: float
    displacement: list[float]
    start: list[float]


def main(arguments: list[str] | None = None) -> None:
    """Print the tables."""
    options = _options(arguments)
    torch.set_num_threads(options.threads)
    real = real_of(options)
    network = build(Network(width=options.width), real.shape, real.classes)
    assert isinstance(network, ConvNet), "the network that programs are compiled of"
    kernels = Eager(network)
    settings = Experts(lr=options.lr, batch_size=options.batch)
    keys = [Key(0).fold("expert", index) for index in range(options.experts)]
    moments = experts.train(kernels, real.train, real.classes, settings, Augment(), options.window, keys)
    thetas = torch.stack([moment.theta for moment in moments if moment.step == 0], 1)
    layout = [math.prod(shape) for _, shape in network.layout]
    known = formats(options.window, options.epochs, layout)
    chosen = {name: known[name] for name in options.formats or known}
    print(describe(options.data_dir))
    print(
        f"\n{network.name} on {options.dataset}, {len(real.train):,} images, batch {options.batch}, rate "
        f"{options.lr:g}; {network.size:,} parameters, {options.window} epochs and the initialisation of "
        f"{options.experts} expert(s).\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        readers = _costs(chosen, thetas, Path(folder), options.epochs)
        if options.distil:
            shapes, programs = frozenset({Shape(1, options.ipc * real.classes)}), Path(folder) / "kernels"
            fine = Compiled(network, shapes, "float32", programs)
            arms = {name: Arm(fine, found) for name, found in readers.items() if name != REFERENCE}
            if options.bfloat16:
                arms[COARSE] = Arm(Compiled(network, shapes, "bfloat16", programs), readers[EXACT])
            _distil(options, real, arms)


def _costs(chosen: Mapping[str, Format], thetas: Tensor, folder: Path, epochs: int) -> dict[str, list[Read]]:
    """Store every expert in every format; prints the table, returns the readers."""
    readers: dict[str, list[Read]] = {}
    reference = 4 * thetas.shape[2] * (epochs + 1)
    rows = []
    for name, kind in chosen.items():
        costs = []
        for index, expert in enumerate(thetas):
            path = folder / f"{name}-{index}"
            costs.append(_cost(kind, expert, path))
            readers.setdefault(name, []).append(kind.read(path))
        size = statistics.median(cost.size for cost in costs)
        off = [error for cost in costs for error in cost.displacement]
        started = [error for cost in costs for error in cost.start]
        rows.append(
            [
                name,
                f"{size:,.0f}",
                f"{4 * thetas.shape[1] * thetas.shape[2] / size:.1f}",
                f"{reference / size:.1f}",
                f"{100 * statistics.fmean(off):.2f} ({100 * max(off):.2f})",
                f"{100 * statistics.fmean(started):.2f} ({100 * max(started):.2f})",
                f"{1000 * statistics.median(c.write for c in costs):.1f}",
                f"{1000 * statistics.median(c.read for c in costs):.2f}",
            ]
        )
    head = ["format", "bytes an expert", "times smaller than the window in float32", "than the reference's"]
    head += ["displacement off by, % (largest)", "start off by, %", "ms to write", "ms to read a segment"]
    print(table(head, rows))
    return readers


def _cost(kind: Format, thetas: Tensor, path: Path) -> Cost:
    began = time.perf_counter()
    path.write_bytes(kind.write(thetas))
    wrote = time.perf_counter() - began
    last = len(thetas) - 1
    began = time.perf_counter()
    read = kind.read(path)
    read(last - SEGMENT), read(last)
    took = time.perf_counter() - began
    displacement, start = [], []
    for row in range(last - SEGMENT + 1):
        true = thetas[row + SEGMENT] - thetas[row]
        displacement.append(float((read(row + SEGMENT) - read(row) - true).norm() / true.norm()))
        start.append(float((read(row) - thetas[row]).norm() / true.norm()))
    return Cost(path.stat().st_size, wrote, took, displacement, start)


@dataclass(frozen=True)
class Stored:
    """One expert in any format, as `Trajectories` asks for it."""

    snapshot: Read


@dataclass(frozen=True)
class Arm:
    """One side of the comparison: kernels that match experts as they are read from a format."""

    kernels: Kernels
    readers: Sequence[Read]


def _distil(options: argparse.Namespace, real: Real, arms: Mapping[str, Arm]) -> None:
    asked = recipe(options)
    found: dict[str, list[float]] = {}
    for seed in range(options.distil):
        for name, arm in arms.items():
            stored = Trajectories([Stored(read) for read in arm.readers])  # type: ignore[misc]
            found.setdefault(name, []).append(*accuracies(asked, real, arm.kernels, stored, options.ipc, Key(seed)))
    print(
        f"\nMTT, {options.ipc} image(s) a class, {options.steps} outer steps of {options.syn_steps} student steps, "
        f"image rate {options.image_lr:g}; one network a seed, {options.evaluation_epochs} epochs; "
        f"{options.distil} seeds.\n"
    )
    head = ["format", "test accuracy, % (mean ± std)", f"less {EXACT}'s, points (mean ± standard error)", "n"]
    print(table(head, [[name, *_compared(values, found.get(EXACT))] for name, values in found.items()]))


def recipe(options: argparse.Namespace) -> Recipe:
    """Trajectory matching as the options have it."""
    objective = Trajectory(
        syn_steps=options.syn_steps, expert_epochs=SEGMENT, max_start_epoch=options.window - SEGMENT + 1
    )
    return Recipe(
        network=Network(width=options.width),
        objective=objective,
        experts=Experts(count=options.experts, epochs=max(50, options.window)),
        schedule=Schedule(steps=options.steps, image_lr=options.image_lr),
        step_size=StepSize(initial=options.step_size),
        evaluation=Evaluation(epochs=options.evaluation_epochs, full=None),
    )


def accuracies(
    recipe: Recipe, real: Real, kernels: Kernels, stored: Trajectories, ipc: int, key: Key, networks: int = 1
) -> list[float]:
    """Accuracies on the test split of networks that are trained on the images which match what is stored."""
    assert isinstance(recipe.objective, Trajectory), "a recipe that matches what is stored"
    matched = partial(trajectory.distance, recipe.objective, kernels, recipe.augment, stored, 0)
    state = distill.begin(recipe, real, ipc, key)
    for state in distill.distill(recipe, matched, state, key):  # noqa: B007, B020 (the last one is the result)
        pass
    result = distill.finish(recipe, state, real, ipc)
    assert result.step_size is not None, "trajectory matching learns one"
    protocol = evaluate.on_synthetic(recipe.evaluation, recipe.augment, result.step_size)
    labels = F.one_hot(result.labels, real.classes).float()
    found, fresh = [], key.fold("evaluate")
    for one in [fresh, *(fresh.fold(place) for place in range(1, networks))]:
        work = evaluate.train(kernels, result.images, labels, protocol, [one])
        while True:
            try:
                next(work)
            except StopIteration as end:
                found.append(evaluate.accuracy(kernels, end.value[0], real.test)[0])
                break
    return found


def _compared(values: Sequence[float], exact: Sequence[float] | None) -> list[str]:
    std = statistics.stdev(values) if len(values) > 1 else 0.0
    told = [f"{100 * statistics.fmean(values):.2f} ± {100 * std:.2f}"]
    if not exact or exact is values:
        return [*told, "-", str(len(values))]
    less = [a - b for a, b in zip(values, exact, strict=True)]
    error = statistics.stdev(less) / math.sqrt(len(less)) if len(less) > 1 else float("nan")
    return [*told, f"{100 * statistics.fmean(less):+.2f} ± {100 * error:.2f}", str(len(values))]


def real_of(options: argparse.Namespace) -> Real:
    """The dataset, of whose training split only the first `--images` are taken."""
    real = prepare(Catalogue(options.data_dir).load(options.dataset), MeanStd(), torch.device("cpu"))
    if options.images is None:
        return real
    few = Labelled(real.train.stored[: options.images], real.train.labels[: options.images], real.train.transform)
    members = tuple((few.labels == c).nonzero().flatten() for c in range(real.classes))
    return Real(few, real.validation, real.test, real.transform, real.shape, real.classes, members)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of experts, and of what is distilled from them."""
    parser.add_argument("--dataset", default="digits", help="name in the catalogue")
    parser.add_argument("--data-dir", type=Path, default=Path("datasets"), help="folder of npz bundles")
    parser.add_argument("--images", type=int, help="of the training split; default: all")
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--window", type=int, default=21)
    parser.add_argument("--experts", type=int, default=1)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--ipc", type=int, default=1)
    parser.add_argument("--steps", type=int, default=200, help="outer steps")
    parser.add_argument("--syn-steps", type=int, default=20)
    parser.add_argument("--image-lr", type=float, default=100.0)
    parser.add_argument("--step-size", type=float, default=0.02)
    parser.add_argument("--evaluation-epochs", type=int, default=500)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--epochs", type=int, default=50, help="that the reference keeps")
    parser.add_argument("--formats", nargs="+", metavar="FORMAT", help=f"default: all; '{OURS}' is the one in use")
    parser.add_argument("--distil", type=int, default=0, metavar="SEEDS")
    parser.add_argument("--bfloat16", action="store_true", help="with --distil and the format float32")
    options = parser.parse_args(arguments)
    if options.bfloat16 and options.formats and EXACT not in options.formats:
        parser.error(f"--bfloat16 is compared with the format {EXACT}: add it to --formats")
    return options


if __name__ == "__main__":
    main()
