"""How far TESLA's truncated gradient is from the exact one, by the number of student steps and their size.

    python -m benchmarks.tesla --data FOLDER/cifar10.npz [--runs FILE.jsonl] [--repeats 5] [--write]

One outer gradient of trajectory matching, twice: exact, and with the Hessians of the student's steps left out, as the
released code of TESLA does. Each draw has an expert of its own (ConvNet-3, trained for three epochs at a rate of 0.01),
a start epoch of 0 or 1, two expert epochs to cover, and real images of its own to start from, all of which every
student step sees under DSA. Compared are the two gradients of the images: the cosine between them, and the length of
TESLA's over that of the exact one. With `--runs FILE.jsonl` an interrupted run goes on where it was. `--write` puts the
table into benchmarks/CLAIMS.md, between marks that benchmarks.claims leaves alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks import sections
from benchmarks.machine import describe
from benchmarks.processes import Found, Measurement, Runs, Spec, add_options
from benchmarks.rows import mean_and_deviation, table
from benchmarks.setting import pictures
from core.engine import experts
from core.engine.augment import dsa
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.networks import ConvNet, build
from core.engine.real import Labelled
from core.engine.unroll import Segment, adjoint
from core.files import draft
from core.recipe import Augment, Experts, Network

_TITLE = "How far TESLA's gradient is from the exact one"
_COVERED = 2  # expert epochs
_ROOM = 1 << 30  # bytes for what student steps keep


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is missing, print the table."""
    options = _options(arguments)
    runs = Runs.open("benchmarks.tesla", options, measure)
    common = {
        "data": None if options.data is None else str(options.data.resolve()),
        "width": options.width,
        "ipc": options.ipc,
        "seen": options.seen,
        "steps": options.steps,
        "device": options.device,
    }
    arms = {f"{size:g}": Measurement(common | {"step_size": size}) for size in options.step_sizes}
    found = runs.interleave(arms, options.repeats)
    said = _said(options, found)
    print(said)
    if options.write:
        sections.write("tesla", _TITLE, said)


def measure(spec: Spec) -> Found:
    """{N: [cosine, length of TESLA's over the exact one's]} of one draw at one student step size."""
    key, device = Key(0).fold("tesla", spec["round"]), torch.device(spec["device"])
    draw = _draw(spec, key, Path(spec["folder"]) / f"draw-{spec['round']}.pt")
    snapshots, images, labels = (part.to(device) for part in (draw.snapshots, draw.images, draw.labels))
    kernels = Eager(_network(spec, images, labels.shape[1]))
    start = key.fold("start").integer(0, len(snapshots) - _COVERED)
    target, longest = snapshots[start + _COVERED], max(spec["steps"])

    def terminal(path: Sequence[Tensor]) -> tuple[Tensor, Mapping[int, Tensor]]:
        residual = path[-1] - target
        return residual.square().sum(), {len(path) - 1: 2 * residual}

    whole = Segment(
        kernels=kernels,
        theta=snapshots[start],
        images=images,
        labels=labels,
        step_size=torch.tensor(spec["step_size"], device=device),
        batches=[torch.arange(len(images), device=device)] * longest,
        views=[partial(dsa, augment=Augment(), key=key.fold("view", i)) for i in range(longest)],
        residual_bytes=_ROOM,
    )
    found: Found = {}
    for n in spec["steps"]:
        segment = replace(whole, batches=whole.batches[:n], views=whole.views[:n])
        exact, truncated = (
            adjoint(replace(segment, indirect=indirect), terminal)[1].images.flatten() for indirect in (True, False)
        )
        cosine = F.cosine_similarity(exact.double(), truncated.double(), dim=0)
        found[str(n)] = [float(cosine), float(truncated.norm() / exact.norm())]
    return found


class _Draw(NamedTuple):
    """An expert before its first epoch and after each [epochs + 1, P]; images [n, C, H, W]; labels [n, K]."""

    snapshots: Tensor
    images: Tensor
    labels: Tensor


def _draw(spec: Spec, key: Key, file: Path) -> _Draw:
    """The part that all segments of a draw share, made once."""
    if not file.exists():
        data = Path(spec["data"]) if spec["data"] else None
        own, seen = pictures(data, 10 * spec["ipc"], key.fold("synthetic")), pictures(data, spec["seen"], key)
        kernels, epochs = Eager(_network(spec, own.pixels, own.classes)), _COVERED + 1
        real = Labelled(seen.pixels, seen.labels, seen.transform)
        moments = experts.train(kernels, real, seen.classes, Experts(epochs=epochs), Augment(), epochs, [key])
        snapshots = torch.stack([moment.theta[0] for moment in moments if moment.step == 0])
        labels = F.one_hot(own.labels, own.classes).float()
        with draft(file) as out:
            torch.save([snapshots, own.images, labels], out)
    return _Draw(*torch.load(file, weights_only=True))


def _network(spec: Spec, images: Tensor, classes: int) -> ConvNet:
    c, h, w = images.shape[1:]
    return build(Network(width=spec["width"], depth=3), (c, h, w), classes)


def _said(options: argparse.Namespace, found: Mapping[str, Sequence[Found]]) -> str:
    head = ["student steps N", *(f"step size {size}" for size in found)]
    rows = [[str(n), *(_cell([draw[str(n)] for draw in draws]) for draws in found.values())] for n in options.steps]
    images = f"{10 * options.ipc} {options.data.stem if options.data else 'made-up'} images"
    return "\n\n".join(
        [
            "Cosine between TESLA's gradient of the images and the exact one, and its length over the exact one's: "
            f"mean ± standard deviation over {options.repeats} draws. ConvNet-3, width {options.width}, float32, "
            f"{images} in every student step under DSA; experts trained for three epochs on {options.seen:,} images, "
            f"{_COVERED} of which are covered.",
            describe(options.data and options.data.parent, options.runs),
            table(head, rows),
        ]
    )


def _cell(draws: Sequence[Sequence[float]]) -> str:
    cosines, lengths = zip(*draws, strict=True)
    return f"{mean_and_deviation(cosines)}, {mean_and_deviation(lengths)}"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="an npz bundle of real images; made-up ones without it")
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 2, 5, 10, 20, 40], help="student steps N")
    parser.add_argument("--step-sizes", type=float, nargs="+", default=[0.001, 0.003, 0.01, 0.03, 0.1])
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--ipc", type=int, default=1, help="synthetic images a class (%(default)s)")
    parser.add_argument("--seen", type=int, default=3_000, help="images an expert is trained on (%(default)s)")
    parser.add_argument("--write", action="store_true", help="write the section of benchmarks/CLAIMS.md")
    add_options(parser)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
