"""Few images of many bits, or many of few: validation accuracy of sets that take the same bytes.

    python -m benchmarks.bytes --home DIR [--data DIR] [--datasets digits ...] [--methods random dm] \\
        [--images 1 5 10] [--bits 1 2 3 4 6 8] [--seeds 5] [--set dm:schedule.steps=100]

Each line of `DIR/bytes.jsonl` is a set of a seed of its own, distilled, rounded to what its compact file holds, and
judged on the validation split by one fresh network; a line that is there is not made again. The bytes are those of the
compact file of `--images` a class at 8 bits, and fewer bits hold as many images as fit into them. The test split is not
looked at.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch

from benchmarks import changes
from benchmarks.jobs import subset
from benchmarks.machine import describe
from benchmarks.rows import percent, table
from benchmarks.subsets import DATASETS
from core.data import Catalogue, Dataset, DatasetFacts
from core.data.bundle import read_bundle, write_bundle
from core.engine import distill, evaluate
from core.engine.context import JobContext, follow
from core.engine.keys import Key
from core.engine.networks import build
from core.engine.real import prepare
from core.engine.run import alone, eager, prepared, stretched
from core.engine.workspace import InMemory
from core.recipe import Recipe
from core.request import JobRequest, resolve
from core.weight import weight

Made = dict[str, Any]
"""A line: the set that was asked for, and its figures."""

_KEY: Final = ("dataset", "method", "images", "bits", "seed", "set")


def room(job: Mapping[str, Any], facts: DatasetFacts) -> tuple[Recipe, int, int]:
    """The recipe of a set, its images a class, and the bytes that it may take."""

    def recipe(bits: int, ipc: int) -> Recipe:
        changes = {"storage.kind": "compact", "storage.bits": bits, **job["set"]}
        asked = {"dataset": job["dataset"], "method": job["method"], "ipc": ipc, "overrides": changes}
        return resolve(JobRequest.model_validate(asked), facts)

    size = weight(recipe(8, job["images"]), facts, job["images"])
    every = range(1, facts.smallest_class + 1)
    ipc = bisect_right(every, size, key=lambda ipc: weight(recipe(job["bits"], ipc), facts, ipc))
    return recipe(job["bits"], ipc), ipc, size


def measured(job: Mapping[str, Any], dataset: Dataset) -> Made:
    """The figures of one set."""
    began = time.perf_counter()
    recipe, ipc, size = room(job, dataset.facts)
    real = prepare(dataset, recipe.preprocess, torch.device("cpu"))
    network = build(recipe.network, real.shape, real.classes)
    context = JobContext(
        recipe=recipe,
        ipc=ipc,
        key=Key(job["seed"]),
        run=json.dumps(job, sort_keys=True),
        dataset=dataset,
        real=real,
        network=network,
        plan=eager(recipe, dataset.facts, ipc, network, real.device),
        workspace=InMemory(),
        load=alone,
    )
    context, taught = prepared(context)
    result = distill.finish(context.recipe, stretched(context, taught), real, ipc)
    work = evaluate.train(
        context.judging,
        result.images,
        result.supervision(real.classes),
        evaluate.on_result(recipe, result),
        [Key(job["seed"]).fold("judge")],
    )
    ((accuracy, _),) = (evaluate.accuracy(context.judging, each, real.validation) for each in follow(context, work))
    return {"ipc": ipc, "bytes": size, "accuracy": accuracy, "seconds": round(time.perf_counter() - began, 1)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the sets that are missing, and print the table."""
    options = _options(arguments)
    torch.set_num_threads(1)  # on images this small, more threads only wait for each other
    path: Path = options.home / "bytes.jsonl"
    options.home.mkdir(parents=True, exist_ok=True)
    done = [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
    wanted, loaded = list(_wanted(options)), dict[str, Dataset]()
    for place, job in enumerate(wanted):
        if any(_same(job, each) for each in done):
            continue
        if job["dataset"] not in loaded:
            loaded[job["dataset"]] = _load(job["dataset"], options.home, options.data)
        done.append({**job, **measured(job, loaded[job["dataset"]])})
        print(f"{place + 1} of {len(wanted)}: {done[-1]}", file=sys.stderr, flush=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(done[-1]) + "\n")
    print(report([each for each in done if any(_same(job, each) for job in wanted)]))
    print(f"\n{describe(options.home, options.data)}")


def report(sets: Sequence[Made]) -> str:
    """The table: a line for each dataset, method and number of bytes, a column for each number of bits."""
    every = sorted({made["bits"] for made in sets})
    lines: dict[tuple[str, ...], dict[int, list[Made]]] = {}
    for made in sets:
        key = (DATASETS[made["dataset"]].told, made["method"], str(made["images"]), f"{made['bytes']:,}")
        lines.setdefault(key, {}).setdefault(made["bits"], []).append(made)
    head = ["dataset", "method", "images a class at 8 bits", "bytes", *(_bits(bits) for bits in every), "n"]
    return table(
        head, [[*key, *(_cell(found.get(bits, [])) for bits in every), _n(found)] for key, found in lines.items()]
    )


def _bits(bits: int) -> str:
    return f"{bits} bit" + ("s" if bits > 1 else "")


def _cell(sets: Sequence[Made]) -> str:
    return f"{percent([made['accuracy'] for made in sets])} of {sets[0]['ipc']}" if sets else "-"


def _n(found: Mapping[int, Sequence[Made]]) -> str:
    return str(min(map(len, found.values())))


def _load(name: str, home: Path, data: Path | None) -> Dataset:
    """A dataset of the claims, cut from its bundle if it is not there.

    Raises:
        SystemExit: the bundle is not known.
    """
    chosen, folder = DATASETS[name], home / "datasets"
    bundle = folder / f"{name}.npz"
    if chosen.source and not bundle.exists():
        if data is None:
            raise SystemExit(f"'{name}' needs {chosen.source}.npz: say where it lies with --data DIR.")
        folder.mkdir(exist_ok=True)
        source = read_bundle(data / f"{chosen.source}.npz")
        write_bundle(bundle, subset(source, chosen.train, chosen.test, chosen.classes))
    return Catalogue(folder).load(name)


def _wanted(options: argparse.Namespace) -> Iterable[Made]:
    for dataset in options.datasets:
        for method in options.methods:
            changed = {**_network(DATASETS[dataset].overrides), **changes.of(options.set, method)}
            for seed in range(options.seeds):  # first, so that a run that is ended early has all cells
                for images in options.images:
                    for bits in options.bits:
                        yield dict(zip(_KEY, (dataset, method, images, bits, seed, changed), strict=True))


def _network(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The changes of a dataset's recipes that are of the network and its training."""
    return {path: value for path, value in overrides.items() if path.startswith("network") or path.endswith("epochs")}


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one[name] == other[name] for name in _KEY)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    numbers: dict[str, Any] = {"type": int, "nargs": "+", "metavar": "N"}
    parser.add_argument("--home", type=Path, required=True, help="folder of the sets that are made")
    parser.add_argument("--data", type=Path, help="folder of npz bundles")
    parser.add_argument("--datasets", nargs="+", choices=list(DATASETS), default=["digits"], help="(%(default)s)")
    parser.add_argument("--methods", nargs="+", default=["random", "dm"], help="(%(default)s)")
    parser.add_argument("--images", **numbers, default=[1, 5, 10], help="a class, whose bytes at 8 bits are the budget")
    parser.add_argument("--bits", **numbers, default=[1, 2, 3, 4, 6, 8], help="(%(default)s)")
    parser.add_argument("--seeds", type=int, default=5, help="sets a cell of the table (%(default)s)")
    changes.add(parser)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
