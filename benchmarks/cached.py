"""How long an answer takes that is there already: by the command line, by its lock file, and by HTTP.

    python -m benchmarks.cached [--repeats 20]

A service of its own distils ten random images of digits first. Then the same is asked for again: by `stillhouse
distill` into a new folder, by the same with the lock file of the first, which asks no service, and by `POST /v1/jobs`
on a kept connection. Commands are processes of their own, timed from start to end.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from benchmarks.demo import service
from benchmarks.machine import describe
from benchmarks.rows import spread, table

ORDER = ("digits", "--ipc", "1", "--method", "random", "--set", "evaluation.full=null", "--set", "evaluation.seeds=1")
BODY = {"dataset": "digits", "ipc": 1, "method": "random", "evaluation": {"full": None, "seeds": 1}}


def main() -> None:
    """The measurements, as a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cached", description=__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    asked = parser.parse_args()
    command = [str(Path(sys.executable).with_name("stillhouse")), "distill", *ORDER]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "home").mkdir()
        with service(folder / "home") as url:
            variables = {**os.environ, "STILLHOUSE_URL": url}

            def run(*words: str | Path) -> tuple[float, float]:
                start, before = time.monotonic(), _busy()
                whole = [*command, *map(str, words)]
                subprocess.run(whole, cwd=folder, env=variables, check=True, capture_output=True)
                return time.monotonic() - start, _busy() - before

            pinned = ("--out", "pinned", "--lock", "stillhouse.lock")
            run(*pinned)
            new = [run("--out", folder / str(place)) for place in range(asked.repeats)]
            locked = [run(*pinned) for _ in range(asked.repeats)]
            with httpx.Client(base_url=url) as client:
                answered = [_answered(client) for _ in range(10 * asked.repeats)]
    rows = [
        ("`stillhouse distill`, into a new folder, s", str(len(new)), *map(spread, zip(*new, strict=True))),
        ("the same with its lock file and folder, s", str(len(locked)), *map(spread, zip(*locked, strict=True))),
        ("`POST /v1/jobs`, ms", str(len(answered)), spread([1000 * each for each in answered], 1), "-"),
    ]
    print(table(("the answer that is there", "n", "median (min-max)", "of a core"), rows))
    print(describe())


def _busy() -> float:
    """Seconds of a core of the commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _answered(client: httpx.Client) -> float:
    start = time.monotonic()
    answer = client.post("/v1/jobs", json=BODY)
    taken = time.monotonic() - start
    assert answer.status_code == 200, answer.text
    assert answer.json()["cached"], "it is the answer that was there"
    return taken


if __name__ == "__main__":
    main()
