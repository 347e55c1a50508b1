"""Experts that were trained in bfloat16 throughout, ReLUs included: what they are worth once distilled.

    python -m benchmarks.throughout [--dataset digits] [--data-dir DIR] [--images N] [--width 32] [--window 21]
                                    [--experts 3] [--seeds 5] [--ipc 1] [--steps 200] ...

Under autocast all maps are of bfloat16, and with them what decides which ReLUs are alive; the engine's own
`precision: bfloat16` keeps that in float32. For each seed `--experts` experts are trained in float32 and as many from
the same draws under autocast, and each set of them is matched in float32 from the same initial images; three networks
are trained on each result and tested on the test split. The table has the test accuracies, and the differences seed by
seed with a paired t-test, besides how far the two kinds of expert are apart at the window's end.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import torch
from torch import Tensor

from benchmarks import store
from benchmarks.claims import judge
from benchmarks.machine import describe
from benchmarks.rows import percent, table
from core.engine import evaluate, experts
from core.engine.evaluate import Trained
from core.engine.kernels import Compiled, Eager, Kernels, Shape
from core.engine.keys import Key
from core.engine.networks import ConvNet, build
from core.engine.real import Real
from core.engine.trajectories import Trajectories
from core.recipe import Augment, Experts, Network

ARMS: Final = ("float32", "bfloat16 throughout")
JUDGES: Final = 3


@final
@dataclass(frozen=True)
class Autocast(Eager):
    """Kernels whose gradient has all its maps in bfloat16; parameters and steps stay in float32."""

    def gradient(self, theta: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        """g = grad_theta loss [P] in float32, of a loss under autocast."""
        with torch.autocast("cpu", torch.bfloat16):
            return super().gradient(theta, images, labels)


@final
@dataclass(frozen=True)
class Group:
    """Snapshots of experts after each epoch, [epochs + 1, P] each, and their accuracy on the validation split."""

    snapshots: tuple[Tensor, ...]
    validation: float


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    options = _options(arguments)
    torch.set_num_threads(options.threads)
    real = store.real_of(options)
    network = build(Network(width=options.width), real.shape, real.classes)
    assert isinstance(network, ConvNet), "the network that programs are compiled of"
    shapes = frozenset({Shape(1, options.ipc * real.classes)})
    fine: Kernels = Eager(network) if options.eager else Compiled(network, shapes, "float32", options.programs)
    recipe = store.recipe(options)
    found: dict[str, list[float]] = {name: [] for name in ARMS}
    known: dict[str, list[float]] = {name: [] for name in ARMS}
    apart = []
    for seed in range(options.seeds):
        pair = {}
        for name, kernels in zip(ARMS, (Eager(network), Autocast(network)), strict=True):
            pair[name] = _experts(options, real, kernels, Key(seed))
            readers = [store.Stored(each.__getitem__) for each in pair[name].snapshots]
            stored = Trajectories(readers)  # type: ignore[arg-type]
            accuracies = store.accuracies(recipe, real, fine, stored, options.ipc, Key(seed), JUDGES)
            found[name].append(statistics.fmean(accuracies))
            known[name].append(pair[name].validation)
        ends = zip(*(each.snapshots for each in pair.values()), strict=True)
        apart += [float((one[-1] - other[-1]).norm() / (one[-1] - one[0]).norm()) for one, other in ends]
        print(
            f"seed {seed}: " + ", ".join(f"{name} {100 * each[-1]:.1f} %" for name, each in found.items()), flush=True
        )
    print(f"\n{describe(options.data_dir)}\n")
    print(
        f"{network.name} on {options.dataset}, {len(real.train):,} images; {options.experts} experts a seed of "
        f"{options.window} epochs in batches of {options.batch}, {options.ipc} image(s) a class, {options.steps} outer "
        f"steps of {options.syn_steps} student steps, {JUDGES} networks of {options.evaluation_epochs} epochs. "
        f"After the window the two kinds are {100 * statistics.fmean(apart):.1f} % of their way apart.\n"
    )
    verdict = judge(found[ARMS[1]], found[ARMS[0]])
    less = ("-", f"{100 * verdict.difference:+.2f}, p = {verdict.p:.2g}")
    head = [
        "experts trained in",
        "their validation accuracy",
        "test accuracy, distilled",
        "less float32's, points",
        "n",
    ]
    lines = [
        [name, percent(known[name]), percent(found[name]), told, str(options.seeds)]
        for name, told in zip(ARMS, less, strict=True)
    ]
    print(table(head, lines))


def _experts(options: argparse.Namespace, real: Real, kernels: Kernels, key: Key) -> Group:
    settings = Experts(lr=options.lr, batch_size=options.batch)
    keys = [key.fold("expert", index) for index in range(options.experts)]
    snapshots: list[Tensor] = []
    for one in keys:
        moments = experts.train(kernels, real.train, real.classes, settings, Augment(), options.window, [one])
        snapshots.append(torch.stack([moment.theta[0] for moment in moments if moment.step == 0]))
    right = [evaluate.accuracy(kernels, Trained(each[-1], None, 0.0), real.validation)[0] for each in snapshots]
    return Group(tuple(snapshots), statistics.fmean(right))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    store.add_options(parser)
    parser.set_defaults(experts=3)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--eager", action="store_true", help="match uncompiled")
    parser.add_argument("--programs", type=Path, default=Path("kernels"), help="folder of compiled programs")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
