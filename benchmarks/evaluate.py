"""Judging a synthetic set: fresh networks one after another against all of them together, and against the reference.

    python -m benchmarks.evaluate [--peer PATH] [--seeds 5] [--epochs 40] [--ipc 10] [--width 128] [--arms eager ...]

The set is `--ipc` images a class. Every network starts from its own initialisation (the same in all arms), is trained
for `--epochs` passes with DSA, momentum 0.9 and a rate that is divided by ten half way, and is tested on the same
images. `one-by-one` and `stacked` are our training loop with one key or all of them; `job` lets the engine choose, as a
job does. With `--peer`, the reference's own `evaluate_synset` does the same, one network after another: its DataLoader,
its DSA, its ConvNet, its test on the test set (it always trains one pass more than it is asked, so it is asked for one
less). Each measurement is a process of its own, arms in turn; seconds are those of all seeds, training and testing,
after one pass of warming up, in which compilation falls.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import statistics
from collections import deque
from collections.abc import Callable, Generator
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.arms import ARMS, OURS, PEER, PEER_TUNED, PEERS
from benchmarks.instruments import Gauge, seconds
from benchmarks.machine import describe
from benchmarks.peer import Peer, loader, missing
from benchmarks.processes import Found, Measurement, Runs, Spec, add_options, answer
from benchmarks.rows import ratio, spread, table
from benchmarks.setting import pictures
from core.engine import evaluate
from core.engine.keys import Key
from core.engine.networks import ConvNet, build
from core.engine.real import Labelled
from core.engine.train import Protocol, TrainState, sgd, shared
from core.recipe import Augment, Network

WAYS = ("one-by-one", "stacked", "job")


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    options = _options(arguments)
    if answer(options, measure):
        return
    runs = Runs.open("benchmarks.evaluate", options)
    names = ("device", "ipc", "seeds", "epochs", "batch", "width", "lr", "test_images")
    spec = {name: getattr(options, name) for name in names}
    spec |= {"peer": str(options.peer), "data": str(options.data) if options.data else None}
    arms = {}
    for name in options.arms:
        if name in PEERS:
            arms[name] = Measurement({**spec, "arm": name, "way": WAYS[0]}, tuned=name != PEER)
        else:
            arms |= {f"{name}, {way}": Measurement({**spec, "arm": name, "way": way}) for way in options.ways}
    _print(options, runs.interleave(arms, options.repeats))


def measure(spec: Spec) -> Found:
    """Seconds, memory and test accuracies of one arm, in this process."""
    data, device = Path(spec["data"]) if spec["data"] else None, torch.device(spec["device"])
    kind = pictures(data, 10 * spec["ipc"], Key(0))
    if kind.classes != 10:
        kind = pictures(data, kind.classes * spec["ipc"], Key(0))
    test = pictures(data, spec["test_images"], Key(0), test=True)
    c, h, w = kind.pixels.shape[1:]
    network = build(Network(width=spec["width"]), (c, h, w), kind.classes)
    images, labels = kind.images.to(device), kind.labels.to(device)
    judged = Labelled(kind.transform.forward(test.pixels).to(device), test.labels.to(device), None)
    keys = [Key(1000 * spec["round"] + seed) for seed in range(spec["seeds"])]
    stubbed: list[str] = []
    if spec["arm"] in PEERS:
        peer = Peer(Path(spec["peer"]))
        run = _theirs(spec, peer, network, images, labels, judged)
        stubbed = peer.stubbed
    else:
        run = _ours(spec, network, images, labels, judged)
    first, gauge = seconds(lambda: run(keys, 1), device), Gauge(device)
    accuracies: list[float] = []
    took = seconds(lambda: accuracies.extend(run(keys, spec["epochs"])), device)
    memory = {"rise": gauge.rise(), "whole": gauge.whole()}
    return {"seconds": took, "first": first, "accuracies": accuracies, "stubbed": stubbed, **memory}


_Run = Callable[[list[Key], int], list[float]]
"""(keys, epochs) -> test accuracy of a network a key."""


def _ours(spec: Spec, network: ConvNet, images: Tensor, labels: Tensor, judged: Labelled) -> _Run:
    kernels = cache(
        lambda: ARMS[spec["arm"]].kernels(network, spec["folder"], min(len(images), spec["batch"]), spec["seeds"])
    )
    targets = F.one_hot(labels, network.classes).float()

    def run(keys: list[Key], epochs: int) -> list[float]:
        protocol = Protocol(epochs, spec["batch"], spec["lr"], 0.9, 5e-4, "step", Augment())
        thetas: list[Tensor] = []
        if spec["way"] == "job":
            training = evaluate.train(kernels(), images, targets, protocol, keys)
            thetas = [trained.theta for trained in _returned(training)]
        else:
            for part in [keys] if spec["way"] == "stacked" else [[key] for key in keys]:
                end: deque[TrainState] = deque(sgd(kernels(), shared(images), targets, protocol, part), maxlen=1)
                thetas += end[0].theta.unbind()
        trained = [evaluate.Trained(theta, None, 0.0) for theta in thetas]
        return [evaluate.accuracy(kernels(), each, judged)[0] for each in trained]

    return run


def _theirs(spec: Spec, peer: Peer, network: ConvNet, images: Tensor, labels: Tensor, judged: Labelled) -> _Run:
    utils = peer.module("utils")
    tested = loader(peer, judged.stored.cpu(), judged.labels.cpu(), 128, shuffle=False)  # 128: the script's own

    def run(keys: list[Key], epochs: int) -> list[float]:
        arguments = peer.arguments(
            images.device, lr_net=spec["lr"], epoch_eval_train=epochs - 1, batch_train=spec["batch"]
        )
        accuracies = []
        for i, key in enumerate(keys):
            torch.manual_seed(key.value)
            fresh = peer.network(network, network.init(key.fold("init")))
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                accuracies.append(float(utils.evaluate_synset(i, fresh, images, labels, tested, arguments)[2]))
        return accuracies

    return run


def _returned(training: Generator[float, None, list[evaluate.Trained]]) -> list[evaluate.Trained]:
    """The value that a generator returns at its end."""
    while True:
        try:
            next(training)
        except StopIteration as end:
            trained: list[evaluate.Trained] = end.value
            return trained


def _print(options: argparse.Namespace, found: dict[str, list[Found]]) -> None:
    times = {name: [run["seconds"] for run in runs] for name, runs in found.items()}
    theirs = [name for name in PEERS if name in found]
    alone = [name for name in found if name.endswith(WAYS[0])]
    compared = [*theirs, *alone]
    base = compared[0] if compared else next(iter(found))
    data = "images of the given bundle" if options.data else "made-up images, 3x32x32"
    print(describe(options.peer, options.data, options.runs))
    print(
        f"\nConvNet W{options.width}, {options.seeds} networks, {options.epochs} epochs on {options.ipc} a class of "
        f"{data}, batch {options.batch}, DSA, tested on {options.test_images}, {options.device}; median of "
        f"{options.repeats} processes (min-max)."
        + missing(sorted({stub for name in theirs for run in found[name] for stub in run["stubbed"]}))
        + "\n"
    )
    head = ["arm", "seconds for all", *(f"times as fast as {name}" for name in compared)]
    head += ["one pass, cold / warm cache, s", "peak MiB above start", "peak MiB in all"]
    head += ["test accuracy, %", f"less that of {base}", "n"]
    rows = [
        [
            name,
            spread(times[name]),
            *(ratio(times[other], times[name]) for other in compared),
            f"{runs[0]['first']:.1f} / {spread([run['first'] for run in runs[1:]], 1)}",
            spread([run["rise"] for run in runs], 0),
            spread([run["whole"] for run in runs], 0),
            *_accuracy(runs, found[base]),
            str(len(runs)),
        ]
        for name, runs in found.items()
    ]
    print(table(head, rows))


def _accuracy(runs: list[Found], base: list[Found]) -> tuple[str, str]:
    """Mean ± deviation over all networks of all rounds, and its difference from another arm's ± standard error."""
    ours, theirs = ([100 * a for run in each for a in run["accuracies"]] for each in (runs, base))
    if len(ours) < 2:
        return f"{ours[0]:.1f}", "-"
    error = math.sqrt(statistics.variance(ours) / len(ours) + statistics.variance(theirs) / len(theirs))
    difference = statistics.fmean(ours) - statistics.fmean(theirs)
    return f"{statistics.fmean(ours):.1f} ± {statistics.stdev(ours):.1f}", f"{difference:+.2f} ± {error:.2f}"


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--peer", type=Path, metavar="PATH", help="your checkout of the MTT reference (left out)")
    parser.add_argument("--arms", nargs="+", choices=[*PEERS, *OURS], help="all, the reference's with --peer")
    parser.add_argument("--ways", nargs="+", default=list(WAYS[:2]), choices=WAYS, help="of ours (%(default)s)")
    parser.add_argument("--seeds", type=int, default=5, help="fresh networks (%(default)s)")
    parser.add_argument("--epochs", type=int, default=40, help="passes over the set, even (%(default)s)")
    parser.add_argument("--ipc", type=int, default=10, help="images a class (%(default)s)")
    parser.add_argument("--batch", type=int, default=256, help="images a step (%(default)s)")
    parser.add_argument("--width", type=int, default=128, help="of the ConvNet (%(default)s)")
    parser.add_argument("--lr", type=float, default=0.01, help="initial learning rate (%(default)s)")
    parser.add_argument("--data", type=Path, metavar="NPZ", help="bundle with x_train, x_test, ... (made-up images)")
    parser.add_argument("--test-images", type=int, default=2000, help="(%(default)s)")
    options = parser.parse_args(arguments)
    options.arms = options.arms or [*([PEER, PEER_TUNED] if options.peer else []), *OURS]
    if options.measure is None and options.peer is None and set(options.arms) & set(PEERS):
        parser.error("--peer PATH is needed: a checkout of github.com/GeorgeCazenavette/mtt-distillation")
    return options


if __name__ == "__main__":
    main()
