"""Jobs of a service of a benchmark's own, whose state is kept: a job that has finished is found again, not repeated."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.demo import service
from benchmarks.subsets import DATASETS
from core.data.bundle import Bundle, read_bundle, write_bundle
from stillhouse import Client, Job, JobFailed


@dataclass(frozen=True)
class Order:
    """A job to be had; `told` names it on standard error while it runs."""

    told: str
    dataset: str
    ipc: int
    method: str
    seed: int = 0
    overrides: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Setting:
    """The part that all orders of a benchmark share; `changes`: fields of recipes by method, "" for every method."""

    dataset: str
    seeds: int
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def told(self) -> str:
        """The dataset and its network, for a table."""
        return DATASETS[self.dataset].told

    def order(self, told: str, method: str, ipc: int, seed: int, overrides: Mapping[str, Any] | None = None) -> Order:
        """The order of an arm's job; the claims' of the same arm is the same job.

        An arm is what it is: `changes` are of what it leaves open, and of parts that it does not replace.
        """
        own = overrides or {}
        changes = {**self.changes.get("", {}), **self.changes.get(method, {})}
        changes = {path: value for path, value in changes.items() if path.partition(".")[0] not in own}
        return Order(told, self.dataset, ipc, method, seed, {**DATASETS[self.dataset].overrides, **changes, **own})


@dataclass(frozen=True)
class Finished:
    """A job that succeeded.

    wall: seconds from when it was submitted to its end. log: asks for what its engine said. artifact: asks for the
    folder of its files.
    """

    report: Mapping[str, Any]
    wall: float
    log: Callable[[], list[str]]
    artifact: Callable[[], Path]

    @property
    def phases(self) -> Mapping[str, float]:
        """Seconds of the engine by phase."""
        return dict(self.report["phases"])

    @property
    def seconds(self) -> float:
        """The seconds of all its phases."""
        return sum(self.phases.values())

    @property
    def making(self) -> float:
        """The seconds of the phases that make the set: all but its evaluation."""
        return self.seconds - self.phases.get("evaluating", 0.0)

    def accuracy(self, line: str = "distilled") -> float:
        """The mean accuracy of a line of the report, or over unseen architectures (`across`, `across_random`)."""
        lines = {known["name"]: known for known in self.report["results"]}
        if self.report["across"]:
            means = self.report["across"]["mean"]
            lines |= {"across": means["distilled"], "across_random": means["random"]}
        return float(lines[line]["accuracy_mean"])


Ask = Callable[[Order], Finished | None]
"""The finished job of an order; None where there was no time left to begin it, or where it failed."""


def collect(ask: Ask, orders: Iterable[Order]) -> list[Finished]:
    """Those of the orders that finished."""
    return [job for order in orders if (job := ask(order)) is not None]


@contextmanager
def serving(options: argparse.Namespace, datasets: Collection[str]) -> Iterator[Ask]:
    """A service that knows these of `subsets.DATASETS`, from the options of `add_options`."""
    options.home.mkdir(parents=True, exist_ok=True)
    bundles(datasets, options.data, options.home / "datasets")
    until = time.monotonic() + 3600 * options.budget
    with _service(options.home) as url, Client(url) as client:

        def ask(order: Order) -> Finished | None:
            if time.monotonic() > until:
                return None
            return _finished(client, order, options.home / "artifacts")

        yield ask


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of every benchmark that asks a service."""
    parser.add_argument("--data", type=Path, help="folder of npz bundles")
    parser.add_argument("--home", type=Path, required=True, help="state of the service; keep it to go on later")
    parser.add_argument("--seeds", type=int, default=5, help="jobs an arm, each with a seed (%(default)s)")
    parser.add_argument("--budget", type=float, default=8.0, help="hours after which no job is begun (%(default)s)")
    parser.add_argument("--write", action="store_true", help="write benchmarks/CLAIMS.md")


def bundles(names: Collection[str], source: Path | None, folder: Path) -> None:
    """The subsets of `subsets.DATASETS`, cut from whole bundles: the first images of each class, in their order."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted(names):
        known, path = DATASETS[name], folder / f"{name}.npz"
        if known.source is None or path.exists():
            continue
        if source is None:
            raise SystemExit(f"Jobs on {name} need {known.source}.npz: say where it lies with --data DIR.")
        write_bundle(path, subset(read_bundle(source / f"{known.source}.npz"), known.train, known.test, known.classes))


def subset(bundle: Bundle, train: int, test: int, classes: int | None = None) -> dict[str, Any]:
    """The arrays of a bundle with so many images of each of the first classes, the first ones, in their order."""
    arrays: dict[str, Any] = {"class_names": np.array(bundle.class_names[:classes])}
    for split, part, each in (("train", bundle.train, train), ("test", bundle.test, test)):
        chosen = np.sort(
            np.concatenate([np.flatnonzero(part.labels == c)[:each] for c in np.unique(part.labels)[:classes]])
        )
        planes = part.images[chosen].transpose(0, 2, 3, 1)  # bundles hold [N, H, W, C]
        arrays |= {f"x_{split}": np.ascontiguousarray(planes), f"y_{split}": part.labels[chosen]}
    return arrays


def _finished(client: Client, order: Order, folder: Path) -> Finished | None:
    job = client.submit(
        order.dataset, ipc=order.ipc, method=order.method, seed=order.seed, overrides=dict(order.overrides)
    )
    if not job.ended:
        print(f"{order.told}, seed {order.seed}: {job.id}", file=sys.stderr, flush=True)
    try:
        job = client.wait(job.id)
    except JobFailed as error:
        print(f"{order.told}, seed {order.seed} failed: {error}", file=sys.stderr, flush=True)
        return None

    def log() -> list[str]:
        return [str(event.data.get("message")) for event in client.events(job.id) if event.type == "log"]

    def artifact() -> Path:
        if not (folder / job.id / "manifest.json").exists():
            client.download(job.id, folder / job.id)
        return folder / job.id

    return Finished(client.report(job.id), _wall(job), log, artifact)


def _wall(job: Job) -> float:
    created, finished = (datetime.fromisoformat(job.raw[name]) for name in ("created_at", "finished_at"))
    return (finished - created).total_seconds()


@contextmanager
def _service(home: Path) -> Iterator[str]:
    known: Mapping[str, str] = {"STILLHOUSE_DATA_DIR": str(home / "datasets")}
    before = {name: os.environ.get(name) for name in known}
    os.environ.update(known)
    try:
        with service(home) as url:
            yield url
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
