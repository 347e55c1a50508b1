"""Every method's headline claim, restated as something this machine can measure, and whether it holds.

    python -m benchmarks.claims --data DIR --home DIR [--only NAME ...] [--budget HOURS] [--write]

DIR holds npz bundles (cifar10.npz, fashion-mnist.npz). Each claim of `benchmarks/claimed.py` compares two arms from
`--seeds` seeds each; a seed is a job of its own with a synthetic set of its own, and both arms of a pair share it. Jobs
go through the REST API of a service whose state is in `--home`: run again, it takes up what is there, and a finished
job is not repeated. After `--budget` hours no further job is begun. The table on standard output has a row for every
claim that has at least two whole pairs; `--write` puts it in the place of the one in
benchmarks/CLAIMS.md.

The difference is the mean over pairs, p that of the paired t-test that there is none, two-sided. "Holds" is a
difference on the claimed side with p < 0.05; a difference on the other side with p < 0.05 is "opposite", all else "not
decided". All accuracies are of the last iterate on the untouched test split.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import ttest_rel

from benchmarks.claimed import CLAIMS, DATASETS, Arm, Claim
from benchmarks.demo import service
from benchmarks.machine import describe
from benchmarks.rows import table
from client import Client, Job, JobFailed
from core.data.bundle import Bundle, read_bundle, write_bundle
from core.methods import method

_LEVEL = 0.05
_RATED = ("selection", "statistics")
_TABLE = Path(__file__).with_name("CLAIMS.md")


@dataclass(frozen=True)
class Run:
    """What one job found: a number of its report, and what it cost."""

    value: float
    seconds: float
    peak_mib: float


@dataclass(frozen=True)
class Verdict:
    """What the pairs of a claim say."""

    difference: float
    p: float
    word: str


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, print the table."""
    options = _options(arguments)
    options.home.mkdir(parents=True, exist_ok=True)
    claims = [claim for claim in CLAIMS if not options.only or claim.name in options.only]
    _bundles({claim.dataset for claim in claims}, options.data, options.home / "datasets")
    until = time.monotonic() + 3600 * options.budget
    found: dict[str, list[tuple[Run, Run]]] = {}
    with _service(options.home) as url, Client(url) as client:
        for seed in range(options.seeds):  # outermost, so that a budget that ends too soon leaves pairs of every claim
            for claim in claims:
                runs = [_run(client, claim, arm, seed, until) for arm in (claim.better, claim.than)]
                if runs[0] is not None and runs[1] is not None:  # of a pair that lost a job nothing can be said
                    found.setdefault(claim.name, []).append((runs[0], runs[1]))
    rows = [_row(claim, found[claim.name]) for claim in claims if len(found.get(claim.name, [])) > 1]
    text = "\n\n".join([describe(options.data, options.home), table(_HEAD, rows)])
    print(text)
    if options.write:
        above = _TABLE.read_text("utf-8").partition("<!-- table -->")[0] if _TABLE.exists() else "# Claims\n\n"
        _TABLE.write_text(f"{above}<!-- table -->\n\n{text}\n", "utf-8")


def overrides(claim: Claim, arm: Arm) -> dict[str, Any]:
    """The changes to the recipe of one of a claim's jobs."""
    # The rates matter to a set that was selected and to the line `random`; of other arms nothing is read that does.
    rates = {} if arm.line == "random" or method(arm.method).family in _RATED else {"evaluation.baseline_lrs": [0.01]}
    return {**DATASETS[claim.dataset].overrides, **rates, **claim.overrides, **arm.overrides}


def judge(better: Sequence[float], than: Sequence[float]) -> Verdict:
    """The paired test of two arms: value i of both comes from seed i."""
    pairs = [a - b for a, b in zip(better, than, strict=True)]
    difference = statistics.fmean(pairs)
    # of equal differences there is no spread to test against
    p = float(ttest_rel(better, than).pvalue) if len(set(pairs)) > 1 else float(difference == 0)
    if p >= _LEVEL:
        return Verdict(difference, p, "not decided")
    return Verdict(difference, p, "holds" if difference > 0 else "opposite")


def _run(client: Client, claim: Claim, arm: Arm, seed: int, until: float) -> Run | None:
    """The job of an arm and a seed; None when there is no time left to begin it."""
    if time.monotonic() > until:
        return None
    job = client.submit(claim.dataset, ipc=claim.ipc, method=arm.method, seed=seed, overrides=overrides(claim, arm))
    if not job.ended:
        print(f"{claim.name}: {arm.name}, seed {seed}: {job.id}", file=sys.stderr, flush=True)
    try:
        job = client.wait(job.id)
    except JobFailed as error:
        print(f"{claim.name}: {arm.name}, seed {seed} failed: {error}", file=sys.stderr, flush=True)
        return None
    return _read(client, job, arm)


def _read(client: Client, job: Job, arm: Arm) -> Run:
    report = client.report(job.id)
    return Run(accuracy(report, arm.line), sum(report["phases"].values()), report["peak_memory_mib"])


def accuracy(report: Mapping[str, Any], line: str) -> float:
    """Of a line of the report, or of the means over unseen architectures."""
    lines = {known["name"]: known for known in report["results"]}
    if report["across"]:
        means = report["across"]["mean"]
        lines |= {"across": means["distilled"], "across_random": means["random"]}
    return float(lines[line]["accuracy_mean"])


_HEAD = ["method", "claim of the paper", "restated", "on", "arm", "beside", "difference, points", "p", "n"]
_HEAD += ["verdict", "seconds a job", "peak MiB"]


def _row(claim: Claim, pairs: Sequence[tuple[Run, Run]]) -> list[str]:
    values, beside = ([run.value for run in arm] for arm in zip(*pairs, strict=True))
    jobs, verdict = [run for pair in pairs for run in pair], judge(values, beside)
    changed = "".join(f", {path} = {value}" for path, value in claim.overrides.items())
    return [
        claim.method,
        claim.paper,
        claim.restated,
        f"{DATASETS[claim.dataset].told}, {claim.ipc} a class{changed}",
        f"{claim.better.name} {_spread(values)}",
        f"{claim.than.name} {_spread(beside)}",
        f"{100 * verdict.difference:+.1f}",
        f"{verdict.p:.2g}",
        str(len(pairs)),
        verdict.word,
        f"{statistics.median(run.seconds for run in jobs):.0f}",
        f"{max(run.peak_mib for run in jobs):,.0f}",
    ]


def _spread(values: Sequence[float]) -> str:
    return f"{100 * statistics.fmean(values):.1f} ± {100 * statistics.stdev(values):.1f} %"


def _bundles(names: set[str], source: Path | None, folder: Path) -> None:
    """The subsets that the claims are about, cut from whole bundles: the first images of each class, in their order."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted(names):
        known, path = DATASETS[name], folder / f"{name}.npz"
        if known.source is None or path.exists():
            continue
        if source is None:
            raise SystemExit(f"The claims on {name} need {known.source}.npz: say where it lies with --data DIR.")
        write_bundle(path, subset(read_bundle(source / f"{known.source}.npz"), known.train, known.test))


def subset(bundle: Bundle, train: int, test: int) -> dict[str, Any]:
    """The arrays of a bundle with so many images of each class, the first ones, in the order they had."""
    arrays: dict[str, Any] = {"class_names": np.array(bundle.class_names)}
    for split, part, each in (("train", bundle.train, train), ("test", bundle.test, test)):
        chosen = np.sort(np.concatenate([np.flatnonzero(part.labels == c)[:each] for c in np.unique(part.labels)]))
        planes = part.images[chosen].transpose(0, 2, 3, 1)  # bundles hold [N, H, W, C]
        arrays |= {f"x_{split}": np.ascontiguousarray(planes), f"y_{split}": part.labels[chosen]}
    return arrays


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


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of npz bundles")
    parser.add_argument("--home", type=Path, required=True, help="state of the service; keep it to go on later")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=[claim.name for claim in CLAIMS])
    parser.add_argument("--seeds", type=int, default=5, help="pairs of jobs a claim (%(default)s)")
    parser.add_argument("--budget", type=float, default=8.0, help="hours after which no job is begun (%(default)s)")
    parser.add_argument("--write", action="store_true", help="write benchmarks/CLAIMS.md")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
