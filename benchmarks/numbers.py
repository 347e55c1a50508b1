"""Tables and series: distilled rows beside coresets, judged by networks and by classifiers that are none.

    python -m benchmarks.numbers --home DIR --tables FILE.npz [--datasets wine ...] [--ipcs 1 5 10] [--seeds 5]
    python -m benchmarks.numbers --home DIR --series FILE.whl [--datasets GunPoint ...] [--ipcs 1 10] [--seeds 5]

`--tables` names an npz with `<name>_x`, `<name>_y` and maybe `<name>_class_names`. `--series` names the wheel of `aeon`
(`pip download --no-deps aeon`), whose `.ts` files are read out of it: nothing of it is installed. Each line of
`DIR/numbers.jsonl` is a set of a seed of its own, with the test accuracy of one fresh network, trained at the rate of
four that is best on the validation split, and of three classifiers of scikit-learn; what is there is not made again.

Coresets are chosen among raw standardised rows, a class at a time: `k-means` the rows nearest to centroids, `herding`
and `kernel-herding` (Gaussian, of the median distance) those whose mean stays next to that of the class. `--write` puts
the tables into CLAIMS.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from benchmarks import changes, sections
from benchmarks.machine import describe
from benchmarks.rows import percent, table
from core.data import Catalogue, Dataset
from core.engine import distill, evaluate
from core.engine.context import JobContext, follow
from core.engine.keys import Key
from core.engine.networks import build
from core.engine.real import prepare
from core.engine.run import alone, eager, prepared, stretched
from core.engine.workspace import InMemory
from core.request import JobRequest, resolve

Made = dict[str, Any]
Floats = NDArray[np.float64]

CORESETS: Final = ("random", "k-means", "herding", "kernel-herding")
OURS: Final = ("dm", "frepo", "rat-bptt")
"""Methods that distil, by their own settings for rows and series."""
TABLES: Final = ("breast_cancer", "wine", "spambase", "digits")
SERIES: Final = ("ItalyPowerDemand", "GunPoint", "JapaneseVowels_eq", "OSULeaf")
JUDGES: Final = ("network", "logistic regression", "random forest", "gradient boosting")
_RATES: Final = (0.003, 0.01, 0.03, 0.1)
_KEY: Final = ("dataset", "method", "ipc", "seed")


def coreset(name: str, rows: Floats, count: int, seed: int) -> list[int]:
    """The places of so many rows [n, d] of a class."""
    if name == "random":
        return np.random.default_rng(seed).permutation(len(rows))[:count].tolist()
    if name == "k-means":
        centres = KMeans(min(count, len(rows)), n_init=4, random_state=seed).fit(rows).cluster_centers_
        return _nearest(rows, centres)
    if name == "herding":
        return _herded(rows @ rows.T, count)
    apart = ((rows[:, None] - rows[None]) ** 2).sum(2) if len(rows) <= 500 else _squares(rows)
    scale = float(np.median(apart[apart > 0])) or 1.0
    return _herded(np.exp(-apart / scale), count)


def _squares(rows: Floats) -> Floats:
    norms = (rows**2).sum(1)
    return np.maximum(norms[:, None] + norms[None] - 2 * rows @ rows.T, 0)


def _nearest(rows: Floats, centres: Floats) -> list[int]:
    chosen: list[int] = []
    for centre in centres:
        order = ((rows - centre) ** 2).sum(1).argsort()
        chosen.append(next(int(place) for place in order if place not in chosen))
    return chosen


def _herded(kernel: Floats, count: int) -> list[int]:
    """Rows taken one at a time, each the one that brings the mean nearest to that of all (Chen et al. 2010)."""
    mean, total, chosen = kernel.mean(1), np.zeros(len(kernel)), list[int]()
    for place in range(count):
        gain = 2 * (place + 1) * mean - 2 * total - np.diag(kernel)
        gain[chosen] = -np.inf
        chosen.append(int(gain.argmax()))
        total += kernel[chosen[-1]]
    return chosen


def measured(job: Mapping[str, Any], dataset: Dataset, overrides: Mapping[str, Any]) -> Made:
    """The accuracies of one set by its judges, and the seconds that it took to make."""
    began, method = time.perf_counter(), job["method"]
    distils = method in OURS
    asked = {"dataset": dataset.facts.name, "method": method if distils else "random", "ipc": job["ipc"]}
    recipe = resolve(JobRequest.model_validate({**asked, "overrides": dict(overrides)}), dataset.facts)
    real = prepare(dataset, recipe.preprocess, torch.device("cpu"))
    network, key = build(recipe.network, real.shape, real.classes), Key(job["seed"])
    plan = eager(recipe, dataset.facts, job["ipc"], network, real.device)
    run = json.dumps(dict(job), sort_keys=True)
    context = JobContext(recipe, job["ipc"], key, run, dataset, real, network, plan, InMemory(), alone)
    context, taught = prepared(context)
    result = distill.finish(context.recipe, stretched(context, taught), real, job["ipc"])
    train, labels = (
        real.train.take(torch.arange(len(real.train))).flatten(1).double().numpy(),
        real.train.labels.numpy(),
    )
    if not distils:
        places = [
            np.flatnonzero(labels == label)[coreset(method, train[labels == label], job["ipc"], job["seed"])]
            for label in range(real.classes)
        ]
        chosen = torch.from_numpy(np.concatenate(places))
        result = replace(result, images=real.train.take(chosen), labels=real.train.labels[chosen])
    seconds = time.perf_counter() - began
    protocol, targets = evaluate.on_result(context.recipe, result), result.supervision(real.classes)
    rates = (*_RATES, *((result.step_size,) if result.step_size else ()))
    keys = [key.fold("judge")] * len(rates)
    trained = follow(context, evaluate.train(context.judging, result.images, targets, protocol, keys, rates))
    seen = [evaluate.accuracy(context.judging, each, real.validation)[0] for each in trained]
    best = trained[seen.index(max(seen))]
    judged = {
        "network": evaluate.accuracy(context.judging, best, real.test)[0],
        **_others(result.images.flatten(1).numpy(), result.labels.numpy(), real, job["seed"]),
    }
    return {**judged, "seconds": round(seconds, 1)}


def _others(rows: NDArray[np.float32], labels: NDArray[np.int64], real: Any, seed: int) -> dict[str, float]:
    test = real.test.take(torch.arange(len(real.test))).flatten(1).numpy()
    made: dict[str, Callable[[], Any]] = {
        "logistic regression": lambda: LogisticRegression(max_iter=2000),
        "random forest": lambda: RandomForestClassifier(100, random_state=seed),
        "gradient boosting": lambda: GradientBoostingClassifier(n_estimators=50, random_state=seed),
    }
    answers = real.test.labels.numpy()
    return {name: float((make().fit(rows, labels).predict(test) == answers).mean()) for name, make in made.items()}


def report(made: Sequence[Made], judges: Sequence[str]) -> str:
    """Tables of accuracies, one a judge: a line for each dataset and size, a column for each way of making a set."""
    ways = [way for way in (*CORESETS, *OURS) if any(each["method"] == way for each in made)]
    parts = []
    for judge in judges:
        cells: dict[tuple[str, int], dict[str, list[float]]] = {}
        for each in made:
            cells.setdefault((each["dataset"], each["ipc"]), {}).setdefault(each["method"], []).append(each[judge])
        lines = [
            [
                name,
                str(ipc),
                *(percent(own[way]) if way in own else "-" for way in ways),
                str(min(map(len, own.values()))),
            ]
            for (name, ipc), own in cells.items()
        ]
        parts.append(f"Judged by {judge}:\n\n{table(['dataset', 'a class', *ways, 'n'], lines)}\n\n{verdict(cells)}")
    return "\n\n".join(parts)


def verdict(cells: Mapping[tuple[str, int], Mapping[str, Sequence[float]]]) -> str:
    """The datasets on which the best of ours, in the mean over sizes, is as good as the best coreset."""
    told, wins = [], 0
    for name in dict.fromkeys(name for name, _ in cells):
        own = [found for (other, _), found in cells.items() if other == name]
        ours, theirs = (
            max((statistics.fmean(statistics.fmean(found[way]) for found in own), way) for way in ways)
            for ways in (
                [w for w in OURS if all(w in f for f in own)],
                [w for w in CORESETS if all(w in f for f in own)],
            )
        )
        wins += ours[0] >= theirs[0]
        told.append(f"{name}: {ours[1]} {100 * (ours[0] - theirs[0]):+.1f} points to {theirs[1]}")
    return (
        f"Best of ours against the best coreset, mean over sizes: {'; '.join(told)}. As good or better on {wins} of "
        f"{len(told)}."
    )


def read_series(wheel: Path, name: str) -> dict[str, NDArray[Any]]:
    """The arrays of a bundle, of the two `.ts` files of a dataset in a wheel of aeon."""
    arrays: dict[str, NDArray[Any]] = {}
    with zipfile.ZipFile(wheel) as archive:
        folder = name.removesuffix("_eq")
        for split in ("train", "test"):
            text = archive.read(f"aeon/datasets/data/{folder}/{name}_{split.upper()}.ts").decode()
            lines = [line for line in text.partition("@data")[2].splitlines() if line.strip()]
            cases = [line.strip().split(":") for line in lines]
            arrays[f"x_{split}"] = np.array(
                [[channel.split(",") for channel in case[:-1]] for case in cases], dtype=np.float32
            )
            arrays[f"y_{split}"] = np.array([case[-1] for case in cases])
    return arrays | {"kind": np.array("series")}


def _called(name: str) -> str:
    """The name of the bundle: not that of a dataset of pictures which the service brings along."""
    return f"{name.lower()}-numbers"


def _placed(options: argparse.Namespace, name: str) -> None:
    path: Path = options.home / "datasets" / f"{_called(name)}.npz"
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if options.series:
        arrays = read_series(options.series, name)
    else:
        with np.load(options.tables) as source:
            x = source[f"{name}_x"]
            arrays = {"x": x.reshape(len(x), -1).astype(np.float32), "y": source[f"{name}_y"]}
        arrays["x"] = arrays["x"][:, np.ptp(arrays["x"], axis=0) > 0]
    np.savez(path, **arrays)


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the sets that are missing, and print the tables."""
    options = _options(arguments)
    torch.set_num_threads(1)
    path: Path = options.home / "numbers.jsonl"
    options.home.mkdir(parents=True, exist_ok=True)
    done = [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
    wanted = list(_wanted(options))
    for name in dict.fromkeys(options.datasets):
        _placed(options, name)
    catalogue, loaded = Catalogue(options.home / "datasets"), dict[str, Dataset]()
    for place, job in enumerate([] if options.as_it_is else wanted):
        if any(_same(job, each) for each in done):
            continue
        if job["dataset"] not in loaded:
            loaded[job["dataset"]] = catalogue.load(_called(job["dataset"]))
        if job["ipc"] > loaded[job["dataset"]].facts.smallest_class:
            continue
        own = changes.of(options.set, job["method"])
        done.append({**job, **measured(job, loaded[job["dataset"]], own)})
        print(f"{place + 1} of {len(wanted)}: {done[-1]}", file=sys.stderr, flush=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(done[-1]) + "\n")
    found = [each for each in done if any(_same(job, each) for job in wanted)]
    said = report(found, JUDGES[:1] if options.series else JUDGES)
    said += f"\n\n{describe(options.home, options.tables, options.series)}"
    print(said)
    if options.write:
        kind = "series" if options.series else "tables"
        sections.write(f"numbers-{kind}", f"Distilled {'series' if options.series else 'rows'} beside coresets", said)


def _wanted(options: argparse.Namespace) -> Iterable[Made]:
    for seed in range(options.seeds):  # first, so that a run that is ended early has all cells
        for dataset in options.datasets:
            for method in (*CORESETS, *options.methods):
                for ipc in options.ipcs:
                    yield dict(zip(_KEY, (dataset.lower(), method, ipc, seed), strict=True))


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one[name] == other[name] for name in _KEY)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True, help="folder of the sets that are made")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--tables", type=Path, metavar="NPZ", help="an npz of tables")
    source.add_argument("--series", type=Path, metavar="WHEEL", help="the wheel of aeon")
    parser.add_argument("--datasets", nargs="+", help="(all)")
    parser.add_argument("--ipcs", type=int, nargs="+", metavar="N", help="rows or series a class")
    parser.add_argument(
        "--methods", nargs="+", choices=list(OURS), default=list(OURS), help="that distil (%(default)s)"
    )
    parser.add_argument("--seeds", type=int, default=5, help="sets a cell of the table (%(default)s)")
    parser.add_argument("--as-it-is", action="store_true", help="make no set, and say what is there")
    parser.add_argument("--write", action="store_true", help="put the tables into CLAIMS.md")
    changes.add(parser)
    options = parser.parse_args(arguments)
    options.datasets = options.datasets or list(SERIES if options.series else TABLES)
    options.ipcs = options.ipcs or ([1, 10] if options.series else [1, 5, 10])
    return options


if __name__ == "__main__":
    main()
