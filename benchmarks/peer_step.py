"""One outer iteration of trajectory matching: the MTT reference against the engine, side by side.

    python -m benchmarks.peer_step --peer PATH [--steps 10] [--batch 100] [--width 128] [--arms peer eager ...]

PATH is your checkout of the reference (GeorgeCazenavette/mtt-distillation); its own ConvNet and ReparamModule unroll N
steps of SGD with a graph, measure the normalised distance to the expert and go back to images and step size. Ours is
the adjoint. Both get the same images, labels, batches, start and target parameters (their networks' logits are
compared first), and no augmentation unless `--dsa`; building the reference's network anew for every iteration, as its
script does, is left out of its time. Every measurement is a process of its own, arms in turn (ABAB): the first
iteration (compilation included; the compile cache is empty in round 1 and kept thereafter), one whose memory is gauged,
then `--iterations` that are timed. Memory is the GPU's, or what is resident of the process. `peer-tuned` is the
reference in the environment our worker gives its engine.
"""

from __future__ import annotations

import argparse
import gc
import statistics
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.arms import ARMS, KEEPING, OURS, PEER, PEER_TUNED, PEERS, TRUTH
from benchmarks.instruments import Gauge, seconds
from benchmarks.machine import describe
from benchmarks.peer import Peer, Unroll, missing
from benchmarks.processes import Found, Measurement, Runs, Spec, add_options, answer
from benchmarks.rows import ratio, spread, table
from benchmarks.setting import Setting, load, outer_gradient, prepare, save
from core.engine.keys import Key

_MIB_PER_IMAGE_AND_STEP = 4.2  # of the reference at width 128 and 32x32, measured; only to foresee what can't fit


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    options = _options(arguments)
    if answer(options, measure):
        return
    runs = Runs.open("benchmarks.peer_step", options)
    path = runs.folder / f"setting-{_name(options)}.pt"
    if not path.exists():
        save(_prepare(options), path)
        gc.collect()
    spec = {
        "setting": path.name,
        "peer": str(options.peer),
        "device": options.device,
        "iterations": options.iterations or (20 if options.device == "cuda" else 2),
        "dsa": options.dsa,
    }
    arms = {
        name: Measurement({**spec, "arm": name}, tuned=name != PEER)
        for name in options.arms
        if name in ARMS or _fits(name, options)
    }
    found = runs.interleave(arms, options.repeats)
    truth = None
    if options.truth and not options.dsa:
        truth = runs.take(Measurement({**spec, "arm": TRUTH, "iterations": 0}), 0)
    _print(options, found, truth, runs.folder)


def measure(spec: Spec) -> Found:
    """Seconds, memory and gradient of one arm, in this process."""
    folder, device = Path(spec["folder"]), torch.device(spec["device"])
    setting, stubbed = load(folder / spec["setting"]), []
    gauge = Gauge(device)
    if spec["arm"] in PEERS:
        peer = Peer(Path(spec["peer"]))
        unroll = Unroll(peer, setting, device, spec["dsa"])
        difference = _difference(unroll, setting)
        stubbed = peer.stubbed

        def run() -> tuple[Tensor, Tensor]:
            loss, images, _ = unroll()
            return loss, images
    else:
        arm, difference = ARMS[spec["arm"]], 0.0
        here = setting.to(device, arm.dtype)
        kernels = cache(lambda: arm.kernels(setting.network, str(folder), len(setting.batches[0])))
        augmented = Key(0) if spec["dsa"] else None

        def run() -> tuple[Tensor, Tensor]:
            loss, bars = outer_gradient(here, kernels(), augmented, arm.residual_bytes)
            return loss, bars.images

    got: list[tuple[Tensor, Tensor]] = []

    def begin() -> None:
        if spec["arm"] not in PEERS:
            ARMS[spec["arm"]].compile(kernels(), len(setting.batches[0]), device)
        got.append(run())

    first = seconds(begin, device)
    loss, images = got.pop()
    kept = f"gradient-{spec['setting']}-{spec['arm']}-{spec['round']}.pt"
    torch.save(images.cpu(), folder / kept)
    del images
    whole = gauge.whole()
    gauge = Gauge(device)
    if spec["iterations"]:
        run()
    return {
        "first": first,
        "rise": gauge.rise(),
        "whole": max(whole, gauge.whole()),
        "seconds": [seconds(run, device) for _ in range(spec["iterations"])],
        "loss": float(loss),
        "gradient": kept,
        "difference": difference,
        "stubbed": stubbed,
    }


def cosine(a: Tensor, b: Tensor) -> float:
    """The cosine similarity of two gradients, computed in float64."""
    return float(torch.nn.functional.cosine_similarity(a.double().flatten(), b.double().flatten(), 0))


def _difference(unroll: Unroll, setting: Setting) -> float:
    """Largest difference of the two networks' logits on a few images; stops if they are not the same function."""
    few = setting.images[:4]
    ours = setting.network.apply(setting.theta, few)
    difference = float((unroll.logits(few).cpu() - ours).abs().max())
    if difference > 1e-2 * float(ours.abs().max()):  # TF32 on a GPU leaves three digits
        raise SystemExit(f"The reference's logits differ from ours by {difference:.2g}: not the same network.")
    return difference


def _prepare(options: argparse.Namespace) -> Setting:
    made = prepare(
        options.data,
        width=options.width,
        depth=options.depth,
        steps=options.steps,
        batch=options.batch,
        images=options.images or options.batch,
        expert_steps=options.expert_steps,
        key=Key(options.seed),
    )
    return replace(made, step_size=torch.tensor(options.step_size))


def _print(options: argparse.Namespace, found: dict[str, list[Found]], truth: Found | None, folder: Path) -> None:
    times = {name: [statistics.median(run["seconds"]) for run in runs] for name, runs in found.items()}
    gradients = {name: torch.load(folder / runs[0]["gradient"], weights_only=True) for name, runs in found.items()}
    exact = torch.load(folder / truth["gradient"], weights_only=True) if truth else None
    theirs = [name for name in PEERS if name in found]
    data = "images of the given bundle" if options.data else "made-up images"
    differences = [run["difference"] for name in theirs for run in found[name]]
    print(describe(options.peer, options.data, options.runs))
    print(
        f"\nConvNet-{options.depth or 3} W{options.width}, N = {options.steps}, batch {options.batch} of "
        f"{options.images or options.batch} {data}, {'DSA' if options.dsa else 'no augmentation'}, {options.device}; "
        f"median of {options.repeats} processes (min-max)."
        + (f" Logits of both networks differ by at most {max(differences):.1e}." if differences else "")
        + missing(sorted({stub for name in theirs for run in found[name] for stub in run["stubbed"]}))
        + "\n"
    )
    rows = []
    for name, runs in found.items():
        later = [run["first"] for run in runs[1:]]
        compared = [gradients[theirs[0]] if theirs and not options.dsa else None, exact]
        rows.append(
            [
                name,
                spread(times[name], 3),
                f"{statistics.median(times[name]) / options.steps:.3f}",
                *(ratio(times[peer], times[name]) for peer in theirs),
                f"{runs[0]['first']:.1f} / {spread(later, 1)}",
                spread([run["rise"] for run in runs], 0),
                spread([run["whole"] for run in runs], 0),
                *("-" if other is None else f"{cosine(gradients[name], other):.6f}" for other in compared),
                f"{runs[0]['loss']:.6f}",
                str(len(runs)),
            ]
        )
    for name in options.arms:
        if name not in found:
            needed = _needed(options) / 1024
            note = f"about {needed:.0f} GiB foreseen: does not fit"
            rows.append([name, "-", "-", *("-" for _ in theirs), "-", note, "-", "-", "-", "-", "0"])
    head = ["arm", "seconds an outer iteration", "seconds a step", *(f"times as fast as {peer}" for peer in theirs)]
    head += ["first iteration, cold / warm cache, s", "peak MiB above start", "peak MiB in all"]
    head += ["image gradient, cosine to the reference", "to float64", "loss", "n"]
    print(table(head, rows))


def _fits(name: str, options: argparse.Namespace) -> bool:
    free = float("inf")
    if options.device == "cuda":
        free = torch.cuda.mem_get_info()[0] / 2**20
    elif Path("/proc/meminfo").exists():
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) / 1024 for line in lines if line.startswith("MemAvailable"))
    return name not in PEERS or _needed(options) < free


def _needed(options: argparse.Namespace) -> float:
    return float(_MIB_PER_IMAGE_AND_STEP * options.steps * options.batch * options.width / 128)


def _name(options: argparse.Namespace) -> str:
    said = (options.width, options.depth, options.steps, options.batch, options.images, options.seed)
    more = (options.step_size, options.expert_steps, options.data.stem if options.data else "made-up")
    return "-".join(map(str, said + more))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--peer", type=Path, metavar="PATH", help="your checkout of the MTT reference")
    parser.add_argument(
        "--arms", nargs="+", default=[PEER, PEER_TUNED, *OURS, *KEEPING], choices=[*PEERS, *OURS, *KEEPING]
    )
    parser.add_argument("--steps", type=int, default=10, help="N, SGD steps of the student (%(default)s)")
    parser.add_argument("--batch", type=int, default=100, help="synthetic images a step (%(default)s)")
    parser.add_argument("--images", type=int, help="synthetic images in all (as many as a batch)")
    parser.add_argument("--width", type=int, default=128, help="of the ConvNet (%(default)s)")
    parser.add_argument("--depth", type=int, help="of the ConvNet (3 for 32x32)")
    parser.add_argument("--data", type=Path, metavar="NPZ", help="bundle with x_train and y_train (made-up images)")
    parser.add_argument("--dsa", action="store_true", help="augment, each arm with its own draws")
    parser.add_argument("--step-size", type=float, default=0.01, help="of the student (%(default)s)")
    parser.add_argument("--expert-steps", type=int, default=20, help="SGD steps to the target (%(default)s)")
    parser.add_argument("--iterations", type=int, help="timed in each process (2; 20 on a GPU)")
    parser.add_argument("--truth", action=argparse.BooleanOptionalAction, default=True, help="compare with float64")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.measure is None and options.peer is None and set(options.arms) & set(PEERS):
        parser.error("--peer PATH is needed: a checkout of github.com/GeorgeCazenavette/mtt-distillation")
    return options


if __name__ == "__main__":
    main()
