"""Classes of unequal size: balanced accuracy of methods that have the same time, beside as many random real images.

    python -m benchmarks.unequal --home DIR [--data DIR] [--datasets eight-or-not ...] [--ipc 1 10] \\
        [--methods dm mtt frepo auto] [--within 3m] [--seeds 5] [--set mtt:experts.lr=0.03]

Each job is a synthetic set of a seed of its own, made by `stillhouse.distil` of a dataset that the service has never
heard of, and a line of `DIR/unequal.jsonl`: a job that is there is not done again. Balanced accuracy is on the test
split, a mean over the networks of a job; the spread in the table is that of the sets.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks import changes
from benchmarks.jobs import subset
from benchmarks.machine import describe
from benchmarks.rows import percent, table
from core.data.bundle import read_bundle, write_bundle
from core.data.digits import digits
from stillhouse import distil

Job = dict[str, Any]

_KEY: Final = ("dataset", "ipc", "method", "seed", "within", "set")


@dataclass(frozen=True)
class Unequal:
    """A dataset of classes of unequal size.

    told: in the table. source: the bundle it is cut from, None for digits. train, test: images of each class. alone:
    the class beside which all others are one. thinned: the class of which a ninth of the training images is left.
    """

    told: str
    source: str | None = None
    train: int = 2000
    test: int = 500
    alone: int | None = None
    thinned: int | None = None


DATASETS: Final = {
    "eight-or-not": Unequal("digits, eight or not, 8x8", alone=8),
    "lung-ninth": Unequal(
        "lung histopathology, a ninth of squamous cells, 64x64", "lc25000-lung-64", 720, 180, thinned=2
    ),
    "shirt-or-not": Unequal("Fashion-MNIST, shirt or not, 28x28", "fashion-mnist", 500, 200, alone=6),
    "cat-ninth": Unequal("CIFAR-10, a ninth of the cats, 32x32", "cifar10", 500, 200, thinned=3),
}


def arrays(unequal: Unequal, data: Path | None) -> dict[str, Any]:
    """The arrays of the bundle.

    Raises:
        SystemExit: its source is not there.
    """
    if unequal.source is None:
        source = digits()
    elif data is None:
        raise SystemExit(f"'{unequal.told}' needs {unequal.source}.npz: say where it lies with --data DIR.")
    else:
        source = read_bundle(data / f"{unequal.source}.npz")
    found = subset(source, unequal.train, unequal.test)
    if unequal.thinned is not None:
        members = np.flatnonzero(found["y_train"] == unequal.thinned)
        left = np.setdiff1d(np.arange(len(found["y_train"])), members[-(-len(members) // 9) :])
        found |= {name: found[name][left] for name in ("x_train", "y_train")}
    if unequal.alone is not None:
        name = str(found["class_names"][unequal.alone])
        found |= {split: (found[split] != unequal.alone).astype(np.int64) for split in ("y_train", "y_test")}
        found["class_names"] = np.array([name, "other"])
    return found


def measured(job: Job, folder: Path) -> Job:
    """The figures of one job."""
    began = time.perf_counter()
    overrides: dict[str, Any] = {"evaluation.full": None, **job["set"]}
    order: dict[str, Any] = {name: job[name] for name in ("ipc", "method", "seed", "within")}
    made = distil(job["dataset"], data_dir=folder, overrides=overrides, **order)
    race, lines = made.context.race, {line["name"]: line for line in made.rows}
    return {
        "balanced": {name: lines[name]["balanced_accuracy_mean"] for name in ("distilled", "random")},
        "accuracy": lines["distilled"]["accuracy_mean"],
        "step_size": made.result.step_size,
        "selection": made.selection,
        "winner": None if race is None else race.winner,
        "seconds": round(time.perf_counter() - began, 1),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Do the jobs that are missing, and print the table."""
    options = _options(arguments)
    path: Path = options.home / "unequal.jsonl"
    folder: Path = options.home / "datasets"
    folder.mkdir(parents=True, exist_ok=True)
    done = [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
    wanted = list(_wanted(options))
    for job in wanted:
        if any(_same(job, each) for each in done):
            continue
        bundle = folder / f"{job['dataset']}.npz"
        if not bundle.exists():
            write_bundle(bundle, arrays(DATASETS[job["dataset"]], options.data))
        done.append(job | measured(job, folder))
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(done[-1]) + "\n")
    print(report([each for each in done if any(_same(job, each) for job in wanted)]))
    print(f"\n{describe(options.home, options.data)}")


def report(jobs: Sequence[Job]) -> str:
    """The table: a line for each dataset, ipc and method, in the order in which they come."""
    groups: dict[tuple[Any, ...], list[Job]] = {}
    for job in jobs:
        groups.setdefault((DATASETS[job["dataset"]].told, job["ipc"], job["method"]), []).append(job)
    return table(_HEAD, [_row(key, each) for key, each in groups.items()])


_HEAD: Final = ("dataset", "ipc", "method", "balanced", "random, balanced", "accuracy", "won by", "n", "seconds")


def _row(key: tuple[Any, ...], jobs: Sequence[Job]) -> tuple[str, ...]:
    return (
        *map(str, key),
        percent([job["balanced"]["distilled"] for job in jobs]),
        percent([job["balanced"]["random"] for job in jobs]),
        percent([job["accuracy"] for job in jobs]),
        ", ".join(dict.fromkeys(job["winner"] for job in jobs if job["winner"])),
        str(len(jobs)),
        f"{max(job['seconds'] for job in jobs):,.0f}",
    )


def _wanted(options: argparse.Namespace) -> Iterable[Job]:
    for dataset in options.datasets:
        for ipc in options.ipc:
            for method in options.methods:
                changed = changes.of(options.set, method)
                for seed in range(options.seeds):
                    key = (dataset, ipc, method, seed, options.within, changed)
                    yield dict(zip(_KEY, key, strict=True))


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one[name] == other[name] for name in _KEY)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True, help="folder of the jobs that are done")
    parser.add_argument("--data", type=Path, help="folder of npz bundles")
    parser.add_argument("--datasets", nargs="+", choices=list(DATASETS), default=["eight-or-not"])
    parser.add_argument("--ipc", nargs="+", type=int, default=[1, 10])
    parser.add_argument("--methods", nargs="+", default=["dm", "mtt", "frepo", "auto"])
    parser.add_argument("--within", help="time of a job, of which 'auto' has twenty minutes if nothing is said")
    parser.add_argument("--seeds", type=int, default=5, help="jobs a line of the table (%(default)s)")
    changes.add(parser)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
