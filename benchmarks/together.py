"""One job on several workers of one core each, against one such worker; and what the loss of a helper costs.

    python -m benchmarks.together --workers 1 2 --kill
    python -m benchmarks.together --workers 1 2 4 --paper FOLDER
    python -m benchmarks.together --workers 1 4 --steps experts:9:228 distilled:5:195 --alone 1973 --late 83

Each run is a service of its own on SQLite in a fresh HOME: the workers are processes of `python -m worker`, pinned to
a core each, that make experts of 8x8 images. Seconds are those of the phase in which experts are trained, as the job
tells them. With `--kill` the last run is made again, and a helper is killed in the middle of a part; the cost is what
the job took longer than its own worker alone needs for the parts that it made, and the seconds of a part are beside it.

On paper it reckons how long a job would take with so many workers from the seconds that its steps took with one: those
of the artifact in a folder, or those that are said. Experts and the networks of each line of the report are made by
whoever is free; helpers come `--late` to the first of these steps, as late as the job's own preparing takes, and a
second late to the others; the rest has one worker. Nothing is measured then.

Before each run the load of the machine is printed: others on the same cores make a ratio worthless.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from sqlalchemy import select

from benchmarks.rows import table
from core.artifacts.layout import RECIPE, REPORT
from core.data import Catalogue
from core.hardware import described
from core.ledger import ENDED, Ledger
from core.ledger.models import PartRow
from core.request import JobRequest, resolve

_LIMIT: Final = 3600.0
_TICK: Final = 0.1
_AT_ONCE: Final = 1.0
"""Seconds after which an engine that has the job's data looks for parts of the next step."""
_SOLVED: Final = "ridge"
"""Lines so called are solved, and train no network."""
_MIDDLE: Final = 10.0
"""Seconds after its beginning at which a part is lost: its engine has computed for some."""


@dataclass(frozen=True)
class Step:
    """Results that workers share, each of which takes so many seconds."""

    name: str
    count: int
    seconds: float

    @classmethod
    def said(cls, text: str) -> Self:
        """The step of NAME:COUNT:SECONDS."""
        name, count, seconds = text.split(":")
        return cls(name, int(count), float(seconds))

    def takes(self, workers: int, late: float) -> float:
        """Seconds with so many workers, of which all but the job's own come late."""
        free, end = [0.0] + [late] * (workers - 1), 0.0
        for _ in range(self.count):
            ends = heapq.heappop(free) + self.seconds
            heapq.heappush(free, ends)
            end = max(end, ends)
        return end


def steps_of(folder: Path) -> tuple[list[Step], float, float]:
    """The steps of an artifact's job that workers share, the seconds of everything else, and those of its preparing."""
    report, recipe = (json.loads((folder / name).read_text()) for name in (REPORT, RECIPE))
    phases, steps = report["phases"], list[Step]()
    if recipe.get("experts") and phases.get("training_experts"):
        count = recipe["experts"]["count"]
        steps.append(Step("experts", count, phases["training_experts"] / count))
    for line in report["results"]:
        if line["seconds"] and line["n_seeds"] > 1 and not line["name"].startswith(_SOLVED):
            steps.append(Step(line["name"], line["n_seeds"], line["seconds"] / line["n_seeds"]))
    shared = sum(step.count * step.seconds for step in steps)
    return steps, max(0.0, sum(phases.values()) - shared), phases.get("preparing", 0.0)


def on_paper(steps: Sequence[Step], alone: float, late: float, workers: int) -> float:
    """Seconds of a job with so many workers."""
    return alone + sum(step.takes(workers, _AT_ONCE if place else late) for place, step in enumerate(steps))


def order(experts: int, epochs: int, width: int) -> dict[str, Any]:
    """A job of little but experts, each so wide that it is trained alone."""
    overrides = {
        "network.width": width,
        "network.depth": 2,
        "experts.count": experts,
        "experts.batch_size": 256,
        "experts.epochs": max(epochs, 20),
        "objective.expert_epochs": 1,
        "objective.max_start_epoch": epochs - 1,
        "objective.syn_steps": 1,
        "schedule.steps": 1,
        "evaluation.epochs": 1,
        "evaluation.seeds": 2,
        "evaluation.full": None,
        "evaluation.baseline_lrs": [0.01],
    }
    return {"dataset": "digits", "ipc": 1, "method": "mtt", "overrides": overrides}


def run(workers: int, asked: dict[str, Any], *, kill: bool = False) -> tuple[float, int]:
    """Seconds of the experts, and how many of them others made."""
    with tempfile.TemporaryDirectory(prefix="together-") as name:
        home = Path(name)
        ledger = Ledger(f"sqlite:///{home / 'stillhouse.db'}")
        ledger.migrate()
        environment = {
            **os.environ,
            "STILLHOUSE_HOME": name,
            "STILLHOUSE_CALIBRATE": "never",
            "STILLHOUSE_COMPILE": "never",
            "STILLHOUSE_LOG_FORMAT": "json",
            "OMP_NUM_THREADS": "1",
        }
        cores = sorted(os.sched_getaffinity(0))
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", "worker"],
                env=environment,
                stderr=(home / f"{number}.log").open("wb"),
                start_new_session=True,
                preexec_fn=_pin(cores[number % len(cores)]),
            )
            for number in range(workers)
        ]
        try:
            _until(lambda: len(ledger.workers()) == workers)
            request = JobRequest.model_validate(asked)
            recipe = resolve(request, Catalogue(home / "datasets").facts("digits")).model_dump(mode="json")
            said = request.model_dump(mode="json", exclude_unset=True)
            job = ledger.submit(said, recipe, dataset="digits", method="mtt", ipc=1, seed=0).job
            if kill:
                _kill_helper(ledger, job.id)
            _until(lambda: ledger.job(job.id).status in ENDED)
            ended = ledger.job(job.id)
            assert ended.progress is not None, ended.error
            told = (event.data["message"] for event in ledger.events(job.id, kinds=["log"]))
            others = (int(line.split()[3]) for line in told if line.startswith("Other workers made"))
            return ended.progress["phases"]["training_experts"]["seconds"], next(others, 0)
        finally:
            for process in processes:
                process.kill()
                process.wait()
            ledger.close()


def _kill_helper(ledger: Ledger, job_id: str) -> None:
    """Kill a worker in the middle of its second part."""

    def second() -> int | None:
        own = ledger.job(job_id).worker_id
        with ledger.database.read() as session:
            rows = session.scalars(select(PartRow).where(PartRow.worker_id != own)).all()
        held = [row.worker_id for row in rows if row.state == "held"]
        return int(str(held[0]).split(":")[1]) if held and any(row.state == "made" for row in rows) else None

    _until(lambda: second() is not None)
    process, over = second(), time.monotonic() + _MIDDLE
    _until(lambda: time.monotonic() > over)
    assert process is not None
    os.kill(process, signal.SIGKILL)


def _pin(core: int) -> Callable[[], None]:
    return lambda: os.sched_setaffinity(0, {core})


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _LIMIT
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(_TICK)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.together", description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--experts", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--paper", type=Path, metavar="FOLDER", help="an artifact")
    parser.add_argument("--steps", type=Step.said, nargs="+", metavar="NAME:COUNT:SECONDS")
    parser.add_argument("--alone", type=float, default=0.0, help="seconds of everything else, with --steps")
    parser.add_argument("--late", type=float, help="seconds; by default those of the job's preparing")
    options = parser.parse_args(arguments)
    if options.paper or options.steps:
        given = options.steps, options.alone, 0.0
        steps, alone, preparing = steps_of(options.paper) if options.paper else given
        late = preparing if options.late is None else options.late
        whole = on_paper(steps, alone, late, 1)
        reckoned = {workers: on_paper(steps, alone, late, workers) for workers in options.workers}
        lines = [[str(workers), f"{spent:.0f}", f"{whole / spent:.2f}"] for workers, spent in reckoned.items()]
        print(table(["workers", "seconds on paper", "times as fast"], lines))
        return
    asked = order(options.experts, options.epochs, options.width)
    print(described(1, None), flush=True)
    rows, each = list[list[str]](), 0.0
    plans = [(number, False) for number in options.workers] + [(options.workers[-1], True)] * options.kill
    for workers, kill in plans:
        seconds, others = list[float](), 0
        for _ in range(options.repeats):
            print(f"load {', '.join(f'{load:.1f}' for load in os.getloadavg())}", flush=True)
            spent, others = run(workers, asked, kill=kill)
            seconds.append(spent)
            print(f"{workers} workers{', one killed' * kill}: {spent:.1f} s, {others} made by others", flush=True)
        mean = statistics.mean(seconds)
        each = each or mean / options.experts
        cost = f"{mean - (options.experts - others) * each:.1f} of {each:.1f}" if kill else ""
        faster = f"{options.experts * each / mean:.2f}"
        rows.append([f"{workers}{', one killed' * kill}", f"{mean:.1f}", faster, cost, str(len(seconds))])
    print(table(["workers", "seconds of experts", "times as fast", "cost of the loss, seconds", "n"], rows))


if __name__ == "__main__":
    main()
