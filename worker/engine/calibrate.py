"""Measure this hardware for a version of the engine: a few seconds of the kernels on images of two sizes.

Then, where there is a compiler, seconds for the ways to multiply out convolutions, whose verdict lies beside compiled
programs, and a minute for what compiling costs and gains.

    python -m worker.engine.calibrate --job-dir D --channel FD

It is started like the engine and lives like it. `D/order.json` says on which device, and whether to measure `again`
what D has; the measurement is kept in D and said on the channel: `{"type": "calibration", ...}`, the fields of
`core.forecast.Calibration`; a second time when it knows the compiled kernels too. Compiled programs are kept beside D,
in `kernels`.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from core import lifeline
from core.data import Catalogue
from core.engine.augment import dsa_each
from core.engine.kernels import Compiled, Eager, Kernels, Shape, environment, measurement, missing_compiler
from core.engine.keys import Key
from core.engine.memory import free_bytes, peak_mib
from core.engine.networks import build, convnet
from core.engine.preprocess import fit
from core.engine.real import Labelled
from core.engine.stored import document
from core.files import write_atomic
from core.forecast import QUIET, Calibration, Point
from core.plan.cost.passes import Kernel
from core.plan.packing import PROGRAMS
from core.recipe import Augment, MeanStd, Network
from core.request import ENGINE_VERSION, canonical_json
from worker import processors
from worker.engine.job import device as device_of
from worker.engine.job import hardware, use_threads

_TURNS = 3  # of which the best counts, for each point: what others do in between makes it slower, never faster
_ENOUGH = 0.05  # seconds a point is measured for, each turn
_AT_LEAST, _AT_MOST = 2, 20  # times
_LONG = 0.3  # seconds after which a point is known well enough, however few its calls
_CLASSES = 10


@dataclass(frozen=True)
class Site:
    """Where a point is measured."""

    shape: tuple[int, int, int]
    network: Network
    batch: int
    networks: int = 1


_SMALL = [
    *(Site((1, 8, 8), Network(width=width, depth=2), batch) for width, batch in ((32, 10), (32, 128), (64, 64))),
    Site((1, 8, 8), Network(width=32, depth=2), 32, networks=8),
]
_LARGE = [
    *(Site((3, 32, 32), Network(width=width), batch) for width, batch in ((32, 8), (32, 64), (128, 8), (128, 32))),
    Site((3, 32, 32), Network(width=32), 16, networks=4),
]
_WIDE = [*_LARGE, *(Site((3, 32, 32), Network(width=width), batch) for width, batch in ((128, 256), (256, 256)))]
_LOADED = ("worker.engine.__main__", "pyarrow.parquet")
"""The modules that a job's process loads sooner or later."""
_COMPILED = Site((3, 32, 32), Network(width=32), 64)
Again = Literal["better", "anew"]
_RATIOS: tuple[Literal["gradient", "adjoint"], ...] = ("gradient", "adjoint")


def calibrate(
    device: torch.device, folder: Path, *, compiles: bool = True, again: Again | None = None
) -> Iterator[Calibration]:
    """Measurements of this hardware by this engine, from before or made now; at last with compiled kernels.

    Each is kept in `folder` as soon as it is known, and compiled programs beside it where jobs look for them, so that
    whatever ends this loses little.

    Args:
        again: measure also what was measured before, and take the better of both, or the new one if nothing disturbed
            it.
    """
    began = time.process_time()
    compiles = compiles and missing_compiler(device) is None
    identity = {
        "hardware": hardware(device),
        "engine": ENGINE_VERSION,
        "kernels": "compiled" if compiles else "eager",
        "torch": torch.__version__,
    }
    # how fast the same hardware is depends on what is used of it
    name = hashlib.sha256(canonical_json([identity, *environment(device)]).encode()).hexdigest()[:16]
    path = folder / f"{name}.json"
    found = before = Calibration.model_validate_json(path.read_bytes()) if path.exists() else None
    if found is None or again:
        found = _chosen(before, _eager(device, folder, began, identity), again)
        write_atomic(path, found.model_dump_json().encode())
    yield found
    if not compiles:
        return
    programs = folder.with_name("kernels")
    if device.type == "cpu" and (found.verdict is None or again):
        known, since = before.verdict if before else None, processors.read()
        verdict = measurement.measure(before=known, folder=programs)
        taken = processors.others(since, processors.read())
        if taken is None or taken <= QUIET:
            known = verdict
        found = found.model_copy(update={"verdict": known})
        write_atomic(path, found.model_dump_json().encode())
    if found.verdict is not None:
        measurement.write(programs, device, found.verdict)
    if found.compiled is None or again:
        found = _chosen(before, with_compiled(found, device, programs), again)
        write_atomic(path, found.model_dump_json().encode())
        yield found


def _chosen(before: Calibration | None, new: Calibration, again: Again | None) -> Calibration:
    if before is None:
        return new
    if again == "anew":
        if not new.quiet:
            return before.model_copy(update={"verdict": new.verdict or before.verdict})
        return new.model_copy(update={"compiling": new.compiling or before.compiling})
    return before.better_of(new)


def _eager(device: torch.device, folder: Path, startup: float, identity: dict[str, str]) -> Calibration:
    """`startup`: seconds of processor time this process took to load what it has loaded."""
    began = time.perf_counter()
    for module in _LOADED:
        importlib.import_module(module)
    Catalogue(folder / "nowhere").load("digits")
    startup += time.perf_counter() - began
    calls = [call for site in _SMALL for call in _sites(site, device)]
    turns = [_turn(calls, device)]
    baseline = round(peak_mib(device), 1)  # now that everything is loaded and every kernel has run
    calls += [call for site in (_WIDE if device.type == "cuda" else _LARGE) for call in _sites(site, device)]
    turns[0] |= _turn(calls[len(turns[0]) :], device)
    since = processors.read()
    shares = []
    for _ in range(_TURNS - 1):
        turns.append(_turn(calls, device, warm=True))
        now = processors.read()
        shares.append(processors.others(since, now))
        since = now
    return Calibration(
        **identity,
        device_bytes=_memory(device),
        baseline_mib=baseline,
        startup=round(startup, 3),
        seconds=round(time.perf_counter() - began, 3),
        points=tuple(point.model_copy(update={"seconds": min(t[point] for t in turns)}) for point, _ in calls),
        free_bytes=free_bytes(device),
        others=_least(shares),
    )


def with_compiled(eager: Calibration, device: torch.device, folder: Path) -> Calibration:
    """The calibration with how much faster compiled kernels are, at one site, and how long compiling takes.

    Programs are looked for, and kept, in `folder`.
    """
    began = time.perf_counter()
    network, shape = convnet(_COMPILED.network, _COMPILED.shape, _CLASSES), Shape(1, _COMPILED.batch)
    kernels = Compiled(network, frozenset({shape}), folder=folder, verdict=eager.verdict)
    programs = PROGRAMS["gradient"] | PROGRAMS["adjoint"]
    anew = sum(not kernels.stored(program, shape, device) for program in programs)
    slow, quick = _calls(_COMPILED, device, Eager(network)), _calls(_COMPILED, device, kernels)
    compiling = sum(_once(quick[kernel], device) for kernel in _RATIOS)
    taken: dict[Literal["gradient", "adjoint"], list[tuple[float, float]]] = {kernel: [] for kernel in _RATIOS}
    since, shares = processors.read(), []
    for _ in range(_TURNS):
        for kernel, both in taken.items():
            both.append((_seconds(quick[kernel], device), _seconds(slow[kernel], device)))
        now = processors.read()
        shares.append(processors.others(since, now))
        since = now
    ratios = {kernel: min(q for q, _ in both) / min(s for _, s in both) for kernel, both in taken.items()}
    others = [share for share in (eager.others, _least(shares)) if share is not None]
    return eager.model_copy(
        update={
            "compiled": {kernel: round(ratio, 4) for kernel, ratio in ratios.items()},
            "compiling": round(compiling / anew, 3) if anew else None,
            "seconds": round(eager.seconds + time.perf_counter() - began, 3),
            "others": max(others, default=None),
        }
    )


def _least(shares: Iterable[float | None]) -> float | None:
    return min((share for share in shares if share is not None), default=None)


Timed = tuple[Point, Callable[[int], object]]
"""A point whose seconds are not known yet, and the call that takes them."""


def _sites(site: Site, device: torch.device) -> Iterator[Timed]:
    """Every kernel there."""
    kernels = Eager(build(site.network, site.shape, _CLASSES))
    for kernel, call in _calls(site, device, kernels).items():
        place = {"network": site.network, "shape": site.shape, "batch": site.batch, "networks": site.networks}
        yield Point(kernel=kernel, classes=_CLASSES, seconds=1, **place), call


def _turn(calls: Sequence[Timed], device: torch.device, *, warm: bool = False) -> dict[Point, float]:
    """Seconds of each; `warm` where each was called before."""
    threads, found = torch.get_num_threads(), {}
    try:
        for point, call in calls:
            torch.set_num_threads(threads)
            use_threads(point.shape)
            found[point] = _seconds(call, device, warm=warm)
    finally:
        torch.set_num_threads(threads)
    return found


def _calls(site: Site, device: torch.device, kernels: Kernels) -> dict[Kernel, Callable[[int], object]]:
    """The kernels as functions of the repetition; those of one network alone where there is one."""
    network = kernels.network
    key, lead = Key(0), (site.networks,)
    theta = torch.stack([network.init(key.fold("theta", s)) for s in range(site.networks)]).to(device)
    u = key.fold("u").normal(*theta.shape).to(device)
    labels = torch.arange(site.batch, device=device) % _CLASSES
    pixels = (256 * key.fold("pixels").uniform(site.batch, *site.shape)).to(device, torch.uint8)
    source = Labelled(pixels, labels, fit(MeanStd(), pixels))
    targets = F.one_hot(labels, _CLASSES).float().expand(*lead, -1, -1).contiguous()
    order = torch.stack([key.fold("order", s).permutation(site.batch) for s in range(site.networks)]).to(device)
    images = source.take(order)

    def data(repetition: int) -> Tensor:
        """The work around a gradient: a batch picked and augmented, theta moved."""
        keys = [key.fold("view", repetition, s) for s in range(site.networks)]
        view = dsa_each(source.take(order), Augment(), keys)
        velocity = 0.9 * u + (theta + 5e-4 * theta)
        return theta - 0.01 * velocity * view[0, 0, 0, 0, 0]

    if site.networks > 1:
        return {"gradient": lambda _: kernels.gradient(theta, images, targets), "data": data}

    def forward(_: int) -> Tensor:
        with torch.no_grad():
            return network.apply(theta[0], images[0])

    return {
        "forward": forward,
        "gradient": lambda _: kernels.gradient(theta[0], images[0], targets[0]),
        "adjoint": lambda _: kernels.adjoint(theta[0], images[0], targets[0], u[0]),
        "data": data,
    }


def _seconds(call: Callable[[int], object], device: torch.device, *, warm: bool = False) -> float:
    """Mean of one call, the first one aside; a mean, because an augmentation is another one each time.

    Where everything is loaded, a first call that takes long is as good as another.
    """
    first = _once(call, device)
    if warm and first >= _LONG:
        return first
    began, done = time.perf_counter(), 0
    while True:
        done += 1
        call(done)
        _settle(device)
        spent = time.perf_counter() - began
        if spent >= _LONG or done >= _AT_MOST or (done >= _AT_LEAST and spent >= _ENOUGH):
            return spent / done


def _once(call: Callable[[int], object], device: torch.device) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    call(0)
    _settle(device)
    return time.perf_counter() - began


def _memory(device: torch.device) -> int | None:
    return torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else None


def _settle(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main() -> None:
    """Calibrate, and say so."""
    parser = argparse.ArgumentParser(prog="python -m worker.engine.calibrate", description=__doc__)
    parser.add_argument("--job-dir", type=Path, required=True)
    parser.add_argument("--channel", type=int, required=True, help="file descriptor the JSON line is written to")
    options = parser.parse_args()
    lifeline.hold()
    order: dict[str, Any] = document(options.job_dir / "order.json", {"device": "auto"})
    with os.fdopen(options.channel, "w") as channel:
        for found in calibrate(
            device_of(order["device"]),
            options.job_dir,
            compiles=order.get("compile", "auto") == "auto",
            again=order.get("again"),
        ):
            message = {"type": "calibration", **found.model_dump(mode="json")}
            print(canonical_json(message), file=channel, flush=True)


if __name__ == "__main__":
    main()
