"""Training an expert on the real data: the MTT reference against the engine, images a second, side by side.

    python -m benchmarks.peer_experts --peer PATH [--steps 20] [--batch 256] [--width 128] [--arms peer eager ...]

PATH is your checkout of the reference (GeorgeCazenavette/mtt-distillation). Its own `epoch` function trains its own
ConvNet as its buffer script does: its TensorDataset in a DataLoader, its DSA, SGD without momentum at 0.01. Ours is
`core.engine.experts.train` on the same images from the same start, with our DSA. Each measurement is a process of its
own, arms in turn (ABAB), and times one epoch of `--steps` batches after two batches of warming up; compilation shows in
the column of the first steps (the compile cache is empty in round 1 and kept thereafter). The reference's script tests
the network on all test images after every epoch; that is left out of its rate, and added in a row of its own with
`--with-test` (a fifth as many images as are trained on, as in CIFAR-10). `peer-tuned` is the reference in the
environment our worker gives its engine, which every arm but `peer` has. `plain` and `plain-bf16` are plain PyTorch of
the same network, compiled in one line and under autocast in another, without augmentation and without a DataLoader
(`benchmarks.plain`): nobody needs an engine that is slower. The loss at the end, on the same images, shows that the
same work was done.
"""

from __future__ import annotations

import argparse
from collections import deque
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.arms import ARMS, OURS, PEER, PEERS
from benchmarks.instruments import Gauge, seconds
from benchmarks.machine import describe
from benchmarks.peer import Peer, loader, missing
from benchmarks.plain import PLAINS, module, trainer
from benchmarks.processes import Found, Measurement, Runs, Spec, add_options, answer
from benchmarks.rows import ratio, spread, table
from benchmarks.setting import Pictures, pictures
from core.engine import experts
from core.engine.keys import Key
from core.engine.networks import ConvNet, build
from core.engine.preprocess import Transform
from core.engine.real import Labelled
from core.engine.train import TrainState
from core.recipe import Augment, Experts, Network

_WARM = 2  # batches
_JUDGED = 512  # images whose loss is told
_ARMS = [*PEERS, *PLAINS, *OURS]


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    options = _options(arguments)
    if answer(options, measure):
        return
    runs = Runs.open("benchmarks.peer_experts", options)
    spec = {
        name: getattr(options, name) for name in ("device", "steps", "batch", "width", "seed", "with_test", "together")
    }
    spec |= {"peer": str(options.peer), "data": str(options.data) if options.data else None}
    arms = {name: Measurement({**spec, "arm": name}, tuned=name != PEER) for name in options.arms}
    _print(options, runs.interleave(arms, options.repeats))


def measure(spec: Spec) -> Found:
    """Images a second, memory and the loss at the end of one arm, in this process."""
    data = Path(spec["data"]) if spec["data"] else None
    key, device = Key(spec["seed"]), torch.device(spec["device"])
    seen = pictures(data, spec["steps"] * spec["batch"], key)
    c, h, w = seen.pixels.shape[1:]
    network = build(Network(width=spec["width"]), (c, h, w), seen.classes)
    arm = _theirs if spec["arm"] in PEERS else _plainly if spec["arm"] in PLAINS else _ours
    found, theta = arm(spec, seen, network, device)
    few = slice(_JUDGED)
    with torch.no_grad():
        logits = network.apply(theta.cpu(), seen.transform.forward(seen.pixels[few]))
        loss = float(F.cross_entropy(logits, seen.labels[few]))
    return {**found, "loss": loss}


def _theirs(spec: Spec, seen: Pictures, network: ConvNet, device: torch.device) -> tuple[Found, Tensor]:
    torch.manual_seed(spec["round"])
    peer, shown = Peer(Path(spec["peer"])), seen.images
    epoch, arguments = peer.module("utils").epoch, peer.arguments(device)
    student = peer.network(network, _start(spec, network)).to(device)
    descent = torch.optim.SGD(student.parameters(), lr=0.01, momentum=0, weight_decay=0)
    criterion = nn.CrossEntropyLoss().to(device)

    def run(mode: str, n: int, batch: int) -> float:
        images = loader(peer, shown[:n], seen.labels[:n], batch, shuffle=mode == "train")
        train = mode == "train"
        return seconds(
            lambda: epoch(
                mode, images, student, descent if train else None, criterion=criterion, args=arguments, aug=train
            ),
            device,
        )

    first, gauge = run("train", _WARM * spec["batch"], spec["batch"]), Gauge(device)
    start = peer.network(network, _start(spec, network)).to(device).state_dict()
    student.load_state_dict(start)
    trained = run("train", len(shown), spec["batch"])
    memory = {"rise": gauge.rise(), "whole": gauge.whole()}
    theta = torch.cat([p.detach().reshape(-1) for p in student.parameters()])
    tested = run("test", len(shown) // 5, 128) if spec["with_test"] else None  # 128: the script's test batches
    rates = {"rate": len(shown) / trained, "first": first, "stubbed": peer.stubbed, **memory}
    return rates | ({"with_test": len(shown) / (trained + tested)} if tested else {}), theta


def _plainly(spec: Spec, seen: Pictures, network: ConvNet, device: torch.device) -> tuple[Found, Tensor]:
    student = module(network, _start(spec, network)).to(device)
    step = trainer(student, spec["arm"], 0.01, device)
    images, labels = seen.images.to(device), seen.labels.to(device)

    def run(n: int) -> float:
        def epoch() -> None:
            for batch in torch.randperm(n, device=device).split(spec["batch"]):
                step(images[batch], labels[batch])

        return seconds(epoch, device)

    torch.manual_seed(spec["round"])
    first, gauge = run(_WARM * spec["batch"]), Gauge(device)
    nn.utils.vector_to_parameters(_start(spec, network).to(device), student.parameters())
    rate = len(images) / run(len(images))
    memory = {"rise": gauge.rise(), "whole": gauge.whole()}
    theta = nn.utils.parameters_to_vector(student.parameters()).detach()
    return {"first": first, "rate": rate, "stubbed": [], **memory}, theta


def _ours(spec: Spec, seen: Pictures, network: ConvNet, device: torch.device) -> tuple[Found, Tensor]:
    kernels = cache(
        lambda: ARMS[spec["arm"]].kernels(network, spec["folder"], spec["batch"], spec["together"])
    )  # a part of the first steps
    recipe = Experts(batch_size=spec["batch"])
    transform = Transform(seen.transform.kind, {name: a.to(device) for name, a in seen.transform.arrays.items()})
    real = Labelled(seen.pixels.to(device), seen.labels.to(device), transform)
    keys = [Key(spec["seed"] + expert) for expert in range(spec["together"])]
    last: deque[TrainState] = deque(maxlen=1)

    def run(n: int) -> float:
        epoch = experts.train(
            kernels(), Labelled(real.stored[:n], real.labels[:n], transform), seen.classes, recipe, Augment(), 1, keys
        )
        return seconds(lambda: last.extend(epoch), device)

    first, gauge = run(_WARM * spec["batch"]), Gauge(device)
    rate = len(keys) * len(real) / run(len(real))
    memory = {"rise": gauge.rise(), "whole": gauge.whole()}
    return {"first": first, "rate": rate, "stubbed": [], **memory}, last[0].theta[0]


def _start(spec: Spec, network: ConvNet) -> Tensor:
    """The parameters that `experts.train` starts from."""
    return network.init(Key(spec["seed"]).fold("init"))


def _print(options: argparse.Namespace, found: dict[str, list[Found]]) -> None:
    rates = {name: [run["rate"] for run in runs] for name, runs in found.items()}
    rows_of = dict(found)
    for name in [name for name in PEERS if name in found and options.with_test]:
        label = f"{name} and its test epoch"
        rates[label], rows_of[label] = [run["with_test"] for run in found[name]], found[name]
    theirs = [name for name in PEERS if name in found]
    others = [name for name in (*PEERS, *PLAINS) if name in found]
    data = "images of the given bundle" if options.data else "made-up images, 3x32x32"
    print(describe(options.peer, options.data, options.runs))
    print(
        f"\nConvNet W{options.width}, one epoch of {options.steps} batches of {options.batch}, {data}, DSA (none in "
        f"the plain arms), {options.device}, {options.together} of our experts at once; median of {options.repeats} "
        "processes (min-max)."
        + missing(sorted({stub for name in theirs for run in found[name] for stub in run["stubbed"]}))
        + "\n"
    )
    head = ["arm", "images a second", *(f"times as fast as {name}" for name in others)]
    head += [f"first {_WARM} batches, cold / warm cache, s", "peak MiB above start", "peak MiB in all"]
    head += [f"loss after, on {_JUDGED} images", "n"]
    rows = [
        [
            name,
            spread(rates[name], 0),
            *(ratio(rates[name], rates[other]) for other in others),
            f"{runs[0]['first']:.1f} / {spread([run['first'] for run in runs[1:]], 1)}",
            spread([run["rise"] for run in runs], 0),
            spread([run["whole"] for run in runs], 0),
            spread([run["loss"] for run in runs], 4),
            str(len(runs)),
        ]
        for name, runs in rows_of.items()
    ]
    print(table(head, rows))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--peer", type=Path, metavar="PATH", help="your checkout of the MTT reference")
    parser.add_argument("--arms", nargs="+", default=_ARMS, choices=_ARMS)
    parser.add_argument("--steps", type=int, default=20, help="batches that are timed (%(default)s)")
    parser.add_argument("--batch", type=int, default=256, help="images a step (%(default)s)")
    parser.add_argument("--width", type=int, default=128, help="of the ConvNet (%(default)s)")
    parser.add_argument("--data", type=Path, metavar="NPZ", help="bundle with x_train and y_train (made-up images)")
    parser.add_argument("--together", type=int, default=1, help="experts we train at once (%(default)s)")
    parser.add_argument("--with-test", action="store_true", help="a row with the reference's test epoch, too")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.measure is None and options.peer is None and set(options.arms) & set(PEERS):
        parser.error("--peer PATH is needed: a checkout of github.com/GeorgeCazenavette/mtt-distillation")
    return options


if __name__ == "__main__":
    main()
