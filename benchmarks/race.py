"""The search for a method beside single methods that have the same time: accuracy, spread and seconds.

    python -m benchmarks.race --dataset digits --ipc 1 --within 90s --methods auto random k-means dm mtt --seeds 3

Each run is a line of the file `--runs`, kept as soon as it is done; one that is there is not done again. With `--write`
the rows are kept, too, where the page of a new job finds them: core/measured_jobs.jsonl.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import commit
from core import measured_jobs
from core.data import Catalogue
from core.hardware import processor
from core.measured_jobs import MeasuredJob
from core.methods import AUTO
from core.settings import Settings
from stillhouse import distil

Run = dict[str, Any]

_KEY = ("dataset", "ipc", "within", "method", "seed")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do the runs that are missing, and print a line of the table for each method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--ipc", type=int, default=1)
    parser.add_argument("--within", default="90s")
    parser.add_argument("--methods", nargs="+", default=["auto", "random", "k-means", "dm", "mtt"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--runs", type=Path, default=Path("race.jsonl"))
    parser.add_argument("--write", action="store_true", help="write core/measured_jobs.jsonl")
    options = parser.parse_args(arguments)
    before = [json.loads(line) for line in options.runs.read_text().splitlines()] if options.runs.exists() else []
    done = {tuple(run[name] for name in _KEY): run for run in before}
    print("| method | 8-bit images, % | random images, % | seconds | won by | n |")
    print("| --- | ---: | ---: | ---: | --- | ---: |")
    rows = []
    for method in options.methods:
        runs = []
        for seed in range(options.seeds):
            key = (options.dataset, options.ipc, options.within, method, seed)
            if key not in done:
                done[key] = dict(zip(_KEY, key, strict=True)) | measured(*key)
                with options.runs.open("a") as file:
                    file.write(json.dumps(done[key]) + "\n")
            runs.append(done[key])
        print(row(method, runs), flush=True)
        rows.append(runs)
    if options.write:
        measured_jobs.write(map(kept, rows))
    return 0


def kept(runs: Sequence[Run]) -> MeasuredJob:
    """The row that is kept of a method's runs."""
    asked = runs[0]["ipc"], runs[0]["within"], runs[0]["method"]
    return MeasuredJob.of(
        Catalogue(Settings().datasets).facts(runs[0]["dataset"]),
        asked,
        [(run["accuracy"], run["random"], run["seconds"]) for run in runs],
        [run["winner"] for run in runs] if runs[0]["method"] == AUTO else (),
        (processor(), commit(), datetime.now(UTC).date()),
    )


def measured(dataset: str, ipc: int, within: str, method: str, seed: int) -> Run:
    """One run: mean test accuracies over its networks, the seconds of all of it, and the method that won."""
    began = time.monotonic()
    made = distil(dataset, ipc=ipc, within=within, method=method, seed=seed)
    lines = {line["name"]: line["accuracy_mean"] for line in made.rows}
    race = made.context.race
    return {
        "accuracy": lines["distilled_8bit"],
        "random": lines["random"],
        "seconds": round(time.monotonic() - began, 1),
        "winner": method if race is None else race.winner,
    }


def row(method: str, runs: Sequence[Run]) -> str:
    """The line of a method in the table: means over seeds, the standard deviation of the first."""
    accuracies = [100 * run["accuracy"] for run in runs]
    spread = f" ± {statistics.stdev(accuracies):.1f}" if len(accuracies) > 1 else ""
    random = statistics.fmean(100 * run["random"] for run in runs)
    seconds = [run["seconds"] for run in runs]
    won = ", ".join(dict.fromkeys(run["winner"] for run in runs))
    figures = f"{statistics.fmean(accuracies):.1f}{spread} | {random:.1f}"
    return (
        f"| {method} | {figures} | {statistics.fmean(seconds):.0f} (at most {max(seconds):.0f}) | {won} | {len(runs)} |"
    )


if __name__ == "__main__":
    raise SystemExit(main())
