"""Advice against measurement: the advised number of images beside the one that jobs find, and what intervals hold.

    python -m benchmarks.advice --home DIR [--data DIR] [--datasets digits ...] [--seconds 240] [--seeds 3]

For each dataset advice is measured once, on the validation split. Then whole jobs are run as it proposes, of sizes up
to where it says something, and tested: the intervals that were advised are held against their results, and the fewest
images that reach each target against the advised ones. Everything is kept in `--home` as it comes, so that a run that
was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe
from core.advice.measured import Measured
from core.advice.model import Model
from core.advice.order import Question
from core.advice.study import study
from core.advice.verdict import answer
from core.data import Catalogue, Dataset
from core.engine.advice import measure
from core.engine.run import distil
from core.files import write_atomic
from core.overrides import override
from core.settings import Settings

SHARES = (0.25, 0.5, 0.75)
"""Targets: so far from the first to the last distilled accuracy that jobs reach."""
_LADDER = (1, 2, 3, 5, 7, 10, 14, 20, 30)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, print a table a dataset."""
    options = _options(arguments)
    for name in options.datasets:
        dataset = Catalogue(options.data).load(name)
        print(f"## {name}\n\n{table(dataset, options)}\n\n{describe(options.data, options.home)}\n", flush=True)


def table(dataset: Dataset, options: argparse.Namespace) -> str:
    """The lines of a dataset: coverage, then advised and found images by target."""
    began = time.monotonic()
    measured = _measured(dataset, options)
    model = Model.of(measured)
    assert model is not None, "too little was measured for a curve: give it more --seconds"
    rows = _jobs(dataset, measured, model, options)
    held = [
        (line, estimate.low <= row["results"][line] <= estimate.high)
        for row in rows
        for line in ("distilled", "random")
        if (estimate := model.estimate(line, row["ipc"])) is not None  # type: ignore[arg-type]
    ]
    lines = [f"Advice was measured in {measured.seconds:.0f} s, {len(rows)} jobs in {time.monotonic() - began:.0f} s."]
    for line in ("distilled", "random"):
        own = [each for name, each in held if name == line]
        lines.append(f"80 % intervals, {line} images: {sum(own)} of {len(own)} results held.")
    lines += ["", "| target | advised | found | factor |", "| --- | --- | --- | --- |"]
    curve = {ipc: statistics.fmean(each) for ipc, each in _by_ipc(rows).items()}
    first, last = min(curve.values()), max(curve.values())
    for share in SHARES:
        target = first + share * (last - first)
        needed = answer(Question(accuracy=target), measured).needed
        found = _fewest(curve, target)
        advised = f"{needed.expected} ({needed.low} to {needed.high})" if needed else "refused"
        factor = f"{max(needed.expected / found, found / needed.expected):.2f}" if needed else ""
        lines.append(f"| {100 * target:.1f} % | {advised} | {found:.1f} | {factor} |")
    return "\n".join(lines)


def _measured(dataset: Dataset, options: argparse.Namespace) -> Measured:
    file = options.home / f"{dataset.facts.name}.advice.json"
    if not file.exists():
        found = measure(study(dataset.facts, "hard", options.seconds), dataset)
        write_atomic(file, found.model_dump_json().encode())
    return Measured.model_validate_json(file.read_bytes())


def _jobs(dataset: Dataset, measured: Measured, model: Model, options: argparse.Namespace) -> list[dict[str, Any]]:
    """A job a size and seed, with its lines on the test split; those that are there are read."""
    recipe = override(measured.study.recipe, {"evaluation.full": None, "evaluation.seeds": 5})
    rows = []
    for seed in range(options.seeds):
        for ipc in (ipc for ipc in _LADDER if ipc <= model.distilled_last):
            file = options.home / f"{dataset.facts.name}-{ipc}-{seed}.json"
            if not file.exists():
                done = distil(recipe, dataset, ipc, seed=100 + seed)
                results = {line["name"]: line["accuracy_mean"] for line in done.rows}
                write_atomic(file, json.dumps({"ipc": ipc, "seed": seed, "results": results}).encode())
            rows.append(json.loads(file.read_text()))
    return rows


def _by_ipc(rows: list[dict[str, Any]]) -> dict[int, list[float]]:
    found: dict[int, list[float]] = {}
    for row in rows:
        found.setdefault(row["ipc"], []).append(row["results"]["distilled"])
    return found


def _fewest(curve: dict[int, float], target: float) -> float:
    """The size at which the means of the jobs, made monotone, reach a target."""
    sizes = sorted(curve)
    means = np.maximum.accumulate([curve[ipc] for ipc in sizes])
    return float(np.exp(np.interp(target, means, np.log(sizes))))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.advice", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="where results are kept")
    parser.add_argument("--data", type=Path, default=Settings().datasets, help="folder of datasets")
    parser.add_argument("--datasets", nargs="+", default=["digits"])
    parser.add_argument("--seconds", type=float, default=240.0, help="time that advice may measure")
    parser.add_argument("--seeds", type=int, default=3, help="jobs a size")
    options = parser.parse_args(arguments)
    options.home.mkdir(parents=True, exist_ok=True)
    return options


if __name__ == "__main__":
    main()
