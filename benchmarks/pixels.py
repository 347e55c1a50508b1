"""The accuracy that whitened images lose in 8 bits: clipped by pixel, and as the pixels nearest to a network.

    python -m benchmarks.pixels --data DIR --home DIR [--ipcs 1 10] [--seeds 5] [--budget HOURS] [--write]

DIR holds cifar10.npz. Each seed is a set of its own by `mtt`, ConvNet-3 of width 32, whitened. Three networks are
trained on each of its three forms by the files and the programs of its artifact alone (`load.py`, `student.py`), from
the same seeds, and tested on the untouched test split; their mean is what the set is worth in that form. Differences
are means over sets, p that of the paired t-test.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks import jobs, sections
from benchmarks.claims import judge
from benchmarks.jobs import Order
from benchmarks.machine import describe
from benchmarks.rows import percent, table
from benchmarks.subsets import DATASETS

_DATASET: Final = "cifar10"
_CHANGES: Final[Mapping[str, Any]] = {
    "preprocess.kind": "zca",
    "experts.count": 4,
    "experts.batch_size": 256,
    "objective.syn_steps": 20,
    "objective.expert_epochs": 2,
    "evaluation.seeds": 1,
    "evaluation.coverage": None,
    "evaluation.baseline_lrs": [0.01],
}
_OF_SIZE: Final[Mapping[int, Mapping[str, Any]]] = {
    1: {
        "experts.epochs": 6,
        "objective.max_start_epoch": 2,
        "step_size.initial": 0.025,
        "step_size.lr": 1e-7,
        "schedule.steps": 500,
        "schedule.image_lr": 100.0,
    },
    10: {
        "experts.epochs": 10,
        "objective.max_start_epoch": 8,
        "step_size.initial": 0.03,
        "schedule.steps": 300,
        "schedule.image_lr": 300.0,
    },
}
_NETWORKS: Final = 3
_JUDGED: Final = """
import json, sys
from dataclasses import replace
import numpy
import torch
from load import load
from student import accuracy, network, train

torch.set_num_threads(1)
data, test, bundle = load(), numpy.load(sys.argv[1]), numpy.load("dataset.npz")
x = data.transform(numpy.ascontiguousarray(test["x_test"].transpose(0, 3, 1, 2)))
forms = {
    "exact": data.images,
    "clipped": data.transform(data.to_pixels(data.images)),
    "nearest": data.transform(numpy.ascontiguousarray(bundle["x_train"].transpose(0, 3, 1, 2))),
}
for name, images in forms.items():
    own, found = replace(data, images=images), []
    for seed in range(int(sys.argv[2])):
        found.append(accuracy(train(network(own, seed), own, seed), x, test["y_test"]))
    print(json.dumps([name, sum(found) / len(found)]))
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table of the sets that there was time for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    jobs.add_options(parser)
    parser.add_argument("--ipcs", type=int, nargs="+", choices=list(_OF_SIZE), default=list(_OF_SIZE))
    options = parser.parse_args(arguments)
    found: dict[int, list[dict[str, float]]] = {ipc: [] for ipc in options.ipcs}
    with jobs.serving(options, {_DATASET}) as ask:
        for seed in range(options.seeds):
            for ipc in options.ipcs:
                changes = {**DATASETS[_DATASET].overrides, **_CHANGES, **_OF_SIZE[ipc]}
                job = ask(Order(f"whitened, {ipc} a class", _DATASET, ipc, "mtt", seed, changes))
                if job is not None:
                    test = options.home / "datasets" / f"{_DATASET}.npz"
                    found[ipc].append(_judged(job.artifact(), test.resolve()))
    rows = table(_HEAD, [line for ipc, sets in found.items() if len(sets) > 1 for line in _lines(ipc, sets)])
    told = f"{rows}\n\n{describe(options.data, options.home)}"
    print(told)
    if options.write:
        sections.write("pixels", "Whitened images in 8 bits", told)


def _judged(folder: Path, test: Path) -> dict[str, float]:
    """Test accuracy by form; a set that has been judged is not judged again."""
    kept = folder.with_suffix(".json")
    if not kept.exists():
        command = [sys.executable, "-B", "-c", _JUDGED, str(test), str(_NETWORKS)]
        done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
        kept.write_text(json.dumps(dict(map(json.loads, done.stdout.splitlines()))), "utf-8")
    return dict(json.loads(kept.read_text("utf-8")))


_HEAD: Final = ("images a class, form", "test accuracy", "less than exact, points", "p", "n")


def _lines(ipc: int, sets: Sequence[Mapping[str, float]]) -> list[list[str]]:
    lines = []
    for form in sets[0]:
        values, exact = ([each[name] for each in sets] for name in (form, "exact"))
        verdict = judge(exact, values)
        compared = ["", ""] if form == "exact" else [f"{100 * verdict.difference:.1f}", f"{verdict.p:.2g}"]
        lines.append([f"{ipc}, {form}", percent(values), *compared, str(len(sets))])
    return lines


if __name__ == "__main__":
    main()
