"""Whether jobs end within the time they were given, and what they are worth: datasets x sizes x times x methods.

Run: python -m benchmarks.budgets --home DIR --methods mtt dm random --times 1m 3m [--datasets NAME ...] [--write]

A service of the benchmark's own runs one job after the other. It measures its machine first. Its state is kept in
--home: a job that has finished is found again, so that a run goes on where it was interrupted. Datasets other than
digits are npz bundles in --data. With --write the rows are also kept where the page of a new job finds them:
core/measured_jobs.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby, product
from pathlib import Path
from typing import Any, Final

from benchmarks import machine, sections
from benchmarks.demo import service
from benchmarks.rows import table
from core import measured_jobs
from core.data import Catalogue
from core.durations import seconds_of
from core.hardware import processor
from core.measured_jobs import LATE, MeasuredJob
from core.settings import Settings
from stillhouse import Client, Job, JobFailed, Problem

_MEASURING: Final = 900.0  # seconds to wait for the worker's measurement of its machine
_HEAD: Final = (
    "dataset, images a class, method",
    "given",
    "foreseen, s",
    "taken, s",
    "steps",
    "width",
    "networks",
    "distilled",
    "random",
    "ended early",
)


@dataclass(frozen=True)
class Case:
    """A job to be had within a time."""

    dataset: str
    ipc: int
    method: str
    within: str
    seed: int = 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the cases and print the table, or write it into CLAIMS.md."""
    options = _options().parse_args(arguments)
    with _serving(options) as client:
        client.forecast("digits", ipc=1, method="random", wait=_MEASURING)
        _measured(options.home)
        cases = [
            Case(*case)
            for case in product(options.datasets, options.ipcs, options.methods, options.times, options.seeds)
        ]
        rows, late, none, ended = [], 0, 0, list[tuple[Case, Job]]()
        for case in cases:
            job = _run(client, case)
            if job is None:
                none += 1
                continue
            late += _taken(job) > LATE * seconds_of(case.within)
            rows.append(_row(client, case, job))
            ended.append((case, job))
            print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
        if options.write:
            measured_jobs.write(_kept(client, ended))
    told = (
        f"{len(rows) - late} of {len(rows)} jobs ended within the time they were given and a tenth more, evaluation "
        f"included; {none} ended without an artifact. Seconds are of the attempt; what was foreseen is the forecast's "
        "likeliest number. Accuracies: mean ± standard deviation over the networks that judge one set."
    )
    said = "\n\n".join([told, table(_HEAD, rows), machine.describe(options.home, options.data)])
    if options.write:
        sections.write("budgets", "Whether jobs end in the time they are given", said)
    else:
        print(said)


def _measured(home: Path) -> None:
    """Wait until the worker knows what compiling gains here: it measures that last, and not while a job runs.

    Before, an outer step is foreseen to take up to three times as long, and recipes are cut for it.
    """
    end = time.monotonic() + _MEASURING
    while time.monotonic() < end:
        files = [json.loads(path.read_text()) for path in (home / "calibration").glob("*.json")]
        known = [each for each in files if "kernels" in each]
        if known and all((each["compiled"] and each["verdict"]) or each["kernels"] != "compiled" for each in known):
            return
        time.sleep(1)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True, help="state of the service; keep it to go on later")
    parser.add_argument("--data", type=Path, help="folder of npz bundles")
    parser.add_argument("--datasets", nargs="+", default=["digits"])
    parser.add_argument("--ipcs", nargs="+", type=int, default=[1, 10])
    parser.add_argument("--methods", nargs="+", default=["mtt", "dm", "dsa", "frepo", "random", "k-means"])
    parser.add_argument("--times", nargs="+", default=["3m", "10m", "30m"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--write", action="store_true", help="write benchmarks/CLAIMS.md")
    return parser


@contextmanager
def _serving(options: argparse.Namespace) -> Iterator[Client]:
    options.home.mkdir(parents=True, exist_ok=True)
    if options.data is not None:
        os.environ["STILLHOUSE_DATA_DIR"] = str(options.data.resolve())
    with service(options.home) as url, Client(url) as client:
        yield client


def _run(client: Client, case: Case) -> Job | None:
    """The job of a case once it has ended; None where it has no artifact."""
    try:
        job = client.submit(case.dataset, ipc=case.ipc, method=case.method, within=case.within, seed=case.seed)
        return client.wait(job.id)
    except (JobFailed, Problem) as error:
        print(f"{case}: {error}", file=sys.stderr, flush=True)
        return None


def _row(client: Client, case: Case, job: Job) -> tuple[str, ...]:
    report, recipe = client.report(job.id), job.raw["recipe"]
    lines: dict[str, Any] = {line["name"]: line for line in report["results"]}
    ended = report.get("ended")
    expected = job.forecast.seconds.expected if job.forecast and job.forecast.seconds else None
    return (
        f"{case.dataset}, {case.ipc}, {case.method}",
        case.within,
        "-" if expected is None else f"{expected:.0f}",
        f"{_taken(job):.0f}",
        f"{recipe['schedule']['steps']:,}",
        str(recipe["network"]["width"]),
        str(lines["distilled"]["n_seeds"]),
        _accuracy(lines["distilled"]),
        _accuracy(lines["random"]),
        f"step {ended['step']:,} of {ended['steps']:,}" if ended else "no",
    )


def _kept(client: Client, ended: Sequence[tuple[Case, Job]]) -> Iterator[MeasuredJob]:
    """The rows that are kept, each of the jobs that differ in their seeds alone."""
    catalogue = Catalogue(Settings().datasets)
    for asked, group in groupby(ended, key=lambda each: replace(each[0], seed=0)):
        runs, won = [], []
        for _, job in group:
            report = client.report(job.id)
            lines: dict[str, Any] = {line["name"]: line for line in report["results"]}
            distilled = lines.get("distilled_8bit", lines["distilled"])
            runs.append((distilled["accuracy_mean"], lines["random"]["accuracy_mean"], round(_taken(job), 1)))
            won += [report["race"]["winner"]] if report.get("race") else []
        where = processor(), machine.commit(), datetime.now(UTC).date()
        yield MeasuredJob.of(catalogue.facts(asked.dataset), (asked.ipc, asked.within, asked.method), runs, won, where)


def _accuracy(line: dict[str, Any]) -> str:
    return f"{100 * line['accuracy_mean']:.1f} ± {100 * line['accuracy_std']:.1f} %"


def _taken(job: Job) -> float:
    started, finished = (datetime.fromisoformat(job.raw[name]) for name in ("started_at", "finished_at"))
    return (finished - started).total_seconds()


if __name__ == "__main__":
    main()
