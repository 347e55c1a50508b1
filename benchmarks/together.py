"""One job on several workers of one core each, against one such worker; and what the loss of a helper costs.

    python -m benchmarks.together --workers 1 2 --kill

Each run is a service of its own on SQLite in a fresh HOME: the workers are processes of `python -m worker`, pinned to
a core each, that make experts of 8x8 images. Seconds are those of the phase in which experts are trained, as the job
tells them. With `--kill` the last run is made again, and a helper is killed in the middle of a part; the cost is what
the job took longer than its own worker alone needs for the parts that it made, and the seconds of a part are beside it.
Before each run the load of the machine is printed: others on the same cores make a ratio worthless.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select

from benchmarks.rows import table
from core.data import Catalogue
from core.hardware import described
from core.ledger import ENDED, Ledger
from core.ledger.models import PartRow
from core.request import JobRequest, resolve

_LIMIT: Final = 3600.0
_TICK: Final = 0.1
_MIDDLE: Final = 10.0
"""Seconds after its beginning at which a part is lost: its engine has computed for some."""


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
    options = parser.parse_args(arguments)
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
