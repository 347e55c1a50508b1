"""Two classes, one rare and the other nine things: digits as "eight or not", 1 : 9, as there are and balanced.

    python -m benchmarks.unequal --out FILE [--ipc 1 10] [--methods dm mtt frepo] [--seeds 5]

Each line of the file is a job of `core.engine.run.distil` and is done once: what is there is not run again. Every job
has the line of as many random real images beside its own. Balanced accuracy is on the test split, over `--seeds` fresh
networks; the recipe is the preset of digits, its classes as there are or each counting alike (`balance`).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe
from benchmarks.rows import table
from core import methods
from core.data import Catalogue, Dataset, Images
from core.engine.run import distil
from core.overrides import override
from core.recipe import Recipe

RARE = 8
"""The digit that is a class of its own."""


def eight_or_not() -> Dataset:
    """Digits in two classes: `eight`, and `other`, which has nine times as many images."""
    whole = Catalogue(Path("nowhere")).load("digits")

    def two(part: Images) -> Images:
        return Images(part.images, (part.labels != RARE).astype(np.int64))

    facts = replace(whole.facts, title="eight or not", classes=2, class_names=("eight", "other"))
    return Dataset(facts, two(whole.train), two(whole.validation), two(whole.test))


def recipe(name: str, ipc: int, alike: bool, seeds: int, dataset: Dataset) -> Recipe:
    """The preset of digits, for classes that count alike or as there are."""
    facts = dataset.facts
    task = methods.Task(facts.name, ipc, facts.shape, facts.classes, facts.mirroring.allowed, alike)
    changes: dict[str, Any] = {"evaluation.seeds": seeds, "evaluation.full": None}
    if name == "mtt":  # a preset that is far from its ipc leaves these to probes, which take longer than the job
        changes |= {"objective.max_start_epoch": 10, "schedule.image_lr": 30.0}
    return override(methods.method(name).recipe(task), changes)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the file lacks, and print its table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="JSON lines of the jobs that are done")
    parser.add_argument("--methods", nargs="+", default=["dm", "mtt", "frepo"])
    parser.add_argument("--ipc", nargs="+", type=int, default=[1, 10])
    parser.add_argument("--seeds", type=int, default=5, help="fresh networks a line (%(default)s)")
    options = parser.parse_args(arguments)
    known = [json.loads(line) for line in options.out.read_text("utf-8").splitlines()] if options.out.exists() else []
    dataset = eight_or_not()
    for ipc in options.ipc:
        for name in options.methods:
            for alike in (False, True):
                asked = {"method": name, "ipc": ipc, "alike": alike, "seeds": options.seeds}
                if any(asked.items() <= each.items() for each in known):
                    continue
                started = time.perf_counter()
                done = distil(recipe(name, ipc, alike, options.seeds, dataset), dataset, ipc, 0)
                keep = ("accuracy_mean", "accuracy_std", "balanced_accuracy_mean", "balanced_accuracy_std")
                lines = {row["name"]: {field: row[field] for field in keep} for row in done.rows}
                known.append(
                    asked
                    | {"step_size": done.result.step_size, "seconds": time.perf_counter() - started}
                    | {"lines": {each: lines[each] for each in ("distilled", "random")}}
                )
                with options.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(known[-1]) + "\n")
    print(table(_HEAD, [_row(each) for each in known]))
    print(f"\n{describe(options.out)}")


_HEAD = ("method", "ipc", "classes", "accuracy", "balanced", "random, balanced", "step size", "n", "seconds")


def _row(job: dict[str, Any]) -> tuple[str, ...]:
    own, random = job["lines"]["distilled"], job["lines"]["random"]
    return (
        job["method"],
        str(job["ipc"]),
        "alike" if job["alike"] else "as there are",
        _percent(own, "accuracy"),
        _percent(own, "balanced_accuracy"),
        _percent(random, "balanced_accuracy"),
        "" if job["step_size"] is None else f"{job['step_size']:.4f}",
        str(job["seeds"]),
        f"{job['seconds']:,.0f}",
    )


def _percent(line: dict[str, float], figure: str) -> str:
    return f"{100 * line[f'{figure}_mean']:.1f} ± {100 * line[f'{figure}_std']:.1f} %"


if __name__ == "__main__":
    main()
