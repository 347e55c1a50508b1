"""Every method's headline claim, restated as something this machine can measure, and whether it holds.

    python -m benchmarks.claims --data DIR --home DIR [--only NAME ...] [--budget HOURS] [--write]

DIR holds npz bundles (cifar10.npz, fashion-mnist.npz). Each claim of `benchmarks/claimed.py` compares two arms from
`--seeds` seeds each; a seed is a job of its own with a synthetic set of its own, and both arms of a pair share it. Jobs
go through the REST API of a service whose state is in `--home`: run again, it takes up what is there, and a finished
job is not repeated. After `--budget` hours no further job is begun. The table on standard output has a row for every
claim that has at least two whole pairs; `--write` puts these rows into the table of benchmarks/CLAIMS.md, whose others
stay, and says below it why a claim may not hold.

The difference is the mean over pairs, p that of the paired t-test that there is none, two-sided. "Holds" is a
difference on the claimed side with p < 0.05; a difference on the other side with p < 0.05 is "opposite", all else "not
decided". Power is the probability that this test finds a true difference of one point, if its pairs have the spread
that these have. All accuracies are of the last iterate on the untouched test split.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import jobs, sections
from benchmarks.claim import Arm, Claim
from benchmarks.claimed import CLAIMS
from benchmarks.jobs import Ask, Order
from benchmarks.machine import commit, describe
from benchmarks.remarks import REMARKS
from benchmarks.rows import percent, table
from benchmarks.subsets import DATASETS
from core.methods import method

_LEVEL = 0.05
_POINT = 0.01
_RATED = ("selection", "statistics")


@dataclass(frozen=True)
class Run:
    """The result of one job: a number of its report, and its cost in seconds and memory."""

    value: float
    seconds: float
    peak_mib: float


@dataclass(frozen=True)
class Verdict:
    """The outcome of a claim's pairs: mean difference, p value, power for a true difference of a point, and a word."""

    difference: float
    p: float
    power: float
    word: str


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, print the table."""
    options = _options(arguments)
    claims = [claim for claim in CLAIMS if not options.only or claim.name in options.only]
    found: dict[str, list[tuple[Run, Run]]] = {}
    with jobs.serving(options, {claim.dataset for claim in claims}) as ask:
        for seed in range(options.seeds):  # outermost, so that a budget that ends too soon leaves pairs of every claim
            for claim in claims:
                runs = [_run(ask, claim, arm, seed) for arm in (claim.better, claim.than)]
                if runs[0] is not None and runs[1] is not None:  # of a pair that lost a job nothing can be said
                    found.setdefault(claim.name, []).append((runs[0], runs[1]))
    rows = {claim.name: _row(claim, found[claim.name]) for claim in claims if len(found.get(claim.name, [])) > 1}
    where = describe(options.data, options.home)
    print(said(where, rows))
    if options.write:
        sections.write_table(said(where, sections.rows() | rows))


def said(where: str, rows: Mapping[str, Sequence[str]]) -> str:
    """The table of these rows in the order of the claims, where the last were measured, and remarks on the others."""
    known = [claim for claim in CLAIMS if claim.name in rows]
    unsure = [claim for claim in known if claim.name in REMARKS and rows[claim.name][_HEAD.index("verdict")] != "holds"]
    remarks = "\n".join(f"- `{claim.name}`: {REMARKS[claim.name]}" for claim in unsure)
    told = (
        "Seconds and memory are of the whole job; seconds include waiting for what else ran on the machine. Power is "
        "the probability that the test finds a true difference of one point at the spread of these pairs; older rows "
        "have none."
    )
    parts = [f"Of the newest rows: {where}", told, table(_HEAD, [rows[claim.name] for claim in known])]
    return "\n\n".join([*parts, "Where a claim does not hold:", remarks] if remarks else parts)


def overrides(claim: Claim, arm: Arm) -> dict[str, Any]:
    """The changes to the recipe of one of a claim's jobs."""
    # The rates matter to a set that was selected and to the line `random`; of other arms nothing is read that does.
    rates = {} if arm.line == "random" or method(arm.method).family in _RATED else {"evaluation.baseline_lrs": [0.01]}
    return {**DATASETS[claim.dataset].overrides, **rates, **claim.overrides, **arm.overrides}


def judge(better: Sequence[float], than: Sequence[float]) -> Verdict:
    """The paired test of two arms: value i of both comes from seed i."""
    from scipy.stats import ttest_rel  # loads for two seconds, too long for a command that only reads a table

    pairs = [a - b for a, b in zip(better, than, strict=True)]
    difference = statistics.fmean(pairs)
    # of equal differences there is no spread to test against
    p = float(ttest_rel(better, than).pvalue) if len(set(pairs)) > 1 else float(difference == 0)
    told = "not decided" if p >= _LEVEL else "holds" if difference > 0 else "opposite"
    return Verdict(difference, p, power(pairs, _POINT), told)


def power(pairs: Sequence[float], difference: float) -> float:
    """The probability that the paired test finds a true mean difference, where pairs spread as these differences do."""
    from scipy.stats import nct, t

    spread, n = statistics.stdev(pairs), len(pairs)
    if not spread:
        return 1.0
    least, shift = t.ppf(1 - _LEVEL / 2, n - 1), difference / spread * n**0.5
    return float(nct.sf(least, n - 1, shift) + nct.cdf(-least, n - 1, shift))


def _run(ask: Ask, claim: Claim, arm: Arm, seed: int) -> Run | None:
    told = f"{claim.name}: {arm.name}"
    job = ask(Order(told, claim.dataset, claim.ipc, arm.method, seed, overrides(claim, arm)))
    return job and Run(job.accuracy(arm.line), job.seconds, job.report["peak_memory_mib"])


_HEAD = ["name", "claim of the paper", "restated", "on", "arm", "beside", "difference, points", "p", "n"]
_HEAD += ["power for a point", "verdict", "seconds a job", "peak MiB", "commit"]


def _row(claim: Claim, pairs: Sequence[tuple[Run, Run]]) -> list[str]:
    values, beside = ([run.value for run in arm] for arm in zip(*pairs, strict=True))
    both, verdict = [run for pair in pairs for run in pair], judge(values, beside)
    changed = "".join(f", {path} = {value}" for path, value in claim.overrides.items())
    return [
        claim.name,
        claim.paper,
        claim.restated,
        f"{DATASETS[claim.dataset].told}, {claim.ipc} a class{changed}",
        f"{claim.better.name} {percent(values)}",
        f"{claim.than.name} {percent(beside)}",
        f"{100 * verdict.difference:+.1f}",
        f"{verdict.p:.2g}",
        str(len(pairs)),
        f"{verdict.power:.0%}",
        verdict.word,
        f"{statistics.median(run.seconds for run in both):.0f}",
        f"{max(run.peak_mib for run in both):,.0f}",
        commit(),
    ]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    jobs.add_options(parser)
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=[claim.name for claim in CLAIMS])
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
