"""The time of the service: answers on a kept connection, mixed reads, open streams, and the memory they take.

    python -m benchmarks.service [--jobs 10000] [--streams 300] [--requests 50000] [--ledger URL]

A real job of digits goes through a real service first, in a home of its own. Its rows are copied until there are
`--jobs` of them, files and events included; then the API alone is started on that ledger, SQLite or the one at
`--ledger`, and asked over real sockets. `CPU` is the API's processor time a request, which other load changes little.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import insert, select, text

from benchmarks.machine import describe
from benchmarks.rows import table
from core.ledger import Ledger, Status
from core.ledger.models import Base, EventRow, FileRow, JobRow

_TICK: Final = os.sysconf("SC_CLK_TCK")
_JOB: Final = {
    "dataset": "digits",
    "method": "random",
    "ipc": 1,
    "evaluation": {"full": None, "seeds": 2, "epochs": 20},
}
_CHUNK: Final = 500
_PATIENCE: Final = 300.0


@contextmanager
def served(command: Sequence[str], variables: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """The address and the process id of a service that runs meanwhile."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", *command],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = next(line for line in process.stdout if line.startswith("Stillhouse API: "))
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield line[line.index("http://") :].split()[0].rstrip("."), process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


class Caller:
    """One kept connection."""

    def __init__(self, url: str) -> None:
        at = urlsplit(url)
        self._connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=_PATIENCE)

    def ask(self, path: str, body: Any = None) -> tuple[float, bytes]:
        """Seconds that an answer took, and the answer.

        Raises:
            AssertionError: it is none of success.
        """
        began = time.perf_counter()
        if body is None:
            self._connection.request("GET", path)
        else:
            self._connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        found = answer.read()
        assert answer.status < 400, (path, answer.status, found[:500])
        return time.perf_counter() - began, found


def cpu(pid: int) -> float:
    """Seconds of processor time that a process has had."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / _TICK


def resident(pid: int) -> float:
    """MB of memory that a process holds."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def first_job(home: Path, variables: Mapping[str, str]) -> str:
    """The id of a job that a whole service has done."""
    with served(["stillhouse", "serve", "--port", "0"], variables) as (url, _):
        caller = Caller(url)
        job: dict[str, Any] = json.loads(caller.ask("/v1/jobs", _JOB)[1])
        end = time.monotonic() + _PATIENCE
        while job["status"] != "succeeded":
            assert time.monotonic() < end, job
            job = json.loads(caller.ask(f"/v1/jobs/{job['id']}?wait=20")[1])
    assert home.exists()
    return str(job["id"])


def crowd(ledger: Ledger, job_id: str, jobs: int) -> list[str]:
    """The ids of copies of a job, with its files and events; every tenth has failed, every hundredth waits."""
    with ledger.database.write() as session:

        def rows(model: type[Base], key: Any) -> list[dict[str, Any]]:
            found = session.scalars(select(model).where(key == job_id)).all()
            return [{column.name: getattr(row, column.name) for column in model.__table__.columns} for row in found]

        job, files, events = rows(JobRow, JobRow.id)[0], rows(FileRow, FileRow.job_id), rows(EventRow, EventRow.job_id)
    ids = [f"{job_id[:-6]}{place:06}" for place in range(jobs)]
    for first in range(0, jobs, _CHUNK):
        chunk = ids[first : first + _CHUNK]
        with ledger.database.write() as session:
            for place, own in enumerate(chunk, first):
                changed = {"id": own, "fingerprint": None, "created_at": job["created_at"] + timedelta(seconds=place)}
                changed |= {"searched": job["searched"].replace(job_id.casefold(), own.casefold())}
                if place % 100 == 99:
                    ended = dict.fromkeys(("finished_at", "started_at", "metrics", "worker_id"))
                    changed |= {"status": Status.QUEUED, "attempt": 0, **ended}
                elif place % 10 == 9:
                    changed |= {"status": Status.FAILED, "error": {"code": "engine_error", "message": "It failed."}}
                session.execute(insert(JobRow), [{**job, **changed}])
            session.execute(insert(FileRow), [{**each, "job_id": own} for own in chunk for each in files])
            session.execute(insert(EventRow), [{**each, "job_id": own} for own in chunk for each in events])
    with ledger.database.write() as session:
        session.execute(text("ANALYZE"))
    return [own for place, own in enumerate(ids) if place % 10 != 9]


def answers(url: str, pid: int, paths: Mapping[str, tuple[str, Any]], count: int) -> list[list[str]]:
    """A row for each kind of request: p50 and p99 in ms on a kept connection, and the API's CPU in ms."""
    caller, found = Caller(url), []
    for name, (path, body) in paths.items():
        for _ in range(5):
            caller.ask(path, body)
        began = cpu(pid)
        took = sorted(1000 * caller.ask(path, body)[0] for _ in range(count))
        used = 1000 * (cpu(pid) - began) / count
        found.append([name, f"{took[count // 2]:.1f}", f"{took[int(0.99 * count)]:.1f}", f"{used:.1f}"])
    return found


def mixed(url: str, paths: Sequence[str], seconds: float, callers: int) -> tuple[float, list[float]]:
    """Requests a second and their seconds, of several that ask for random ones of the paths one after the other."""
    took: list[float] = []
    end = time.monotonic() + seconds

    def ask(seed: int) -> None:
        caller, draw = Caller(url), random.Random(seed)
        while time.monotonic() < end:
            took.append(caller.ask(draw.choice(paths))[0])

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(took) / seconds, sorted(took)


async def streams(
    url: str, pid: int, path: str, count: int, seconds: float
) -> tuple[float, list[float], list[float], float]:
    """Seconds until so many event streams are open; those of /healthz till then and then; the share of a core."""
    at = urlsplit(url)

    async def one() -> None:
        reader, writer = await asyncio.open_connection(at.hostname, at.port)
        head = f"GET {path} HTTP/1.1\r\nHost: {at.netloc}\r\nAccept: text/event-stream\r\n\r\n"
        writer.write(head.encode())
        await writer.drain()
        assert b" 200 " in await reader.readline()
        opened.append(time.monotonic())
        while await reader.read(65536):
            pass

    opened: list[float] = []
    began = time.monotonic()
    open_ones = [asyncio.create_task(one()) for _ in range(count)]
    before, after = list[float](), list[float]()
    while len(opened) < count:
        before.append((await asyncio.to_thread(Caller(url).ask, "/healthz"))[0])
        assert time.monotonic() - began < _PATIENCE, f"{len(opened)} of {count} streams are open"
    opening = max(opened) - began
    used, since, caller = cpu(pid), time.monotonic(), Caller(url)
    while time.monotonic() - since < seconds:
        after.append((await asyncio.to_thread(caller.ask, "/healthz"))[0])
        await asyncio.sleep(0.05)
    share = (cpu(pid) - used) / (time.monotonic() - since)
    for task in open_ones:
        task.cancel()
    return opening, sorted(before), sorted(after), share


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print the tables."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="stillhouse-service-") as folder:
        home = Path(folder) / "home"
        variables = {"STILLHOUSE_HOME": str(home), "STILLHOUSE_CALIBRATE": "never"}
        variables |= {"STILLHOUSE_DATABASE_URL": options.ledger} if options.ledger else {}
        job = first_job(home, variables)
        ledger = Ledger(options.ledger or f"sqlite:///{home / 'stillhouse.db'}")
        ids = crowd(ledger, job, options.jobs)
        with served(["api"], {**variables, "STILLHOUSE_PORT": "0"}) as (url, pid):
            _measure(options, url, pid, ids, ledger)


def _measure(options: argparse.Namespace, url: str, pid: int, ids: list[str], ledger: Ledger) -> None:
    some = ids[len(ids) // 2]
    paths: dict[str, tuple[str, Any]] = {
        "healthz": ("/healthz", None),
        "show": (f"/v1/jobs/{some}", None),
        "list": ("/v1/jobs", None),
        "events": (f"/v1/jobs/{some}/events", None),
        "report": (f"/v1/jobs/{some}/report", None),
        "cached answer": ("/v1/jobs", _JOB),
        "page of jobs": ("/", None),
        "page of a job": (f"/jobs/{some}", None),
        "page of a new job": ("/new", None),
        "page of datasets": ("/datasets", None),
        "page of the system": ("/system", None),
        "metrics": ("/metrics", None),
    }
    backend = ledger.database.url.get_backend_name()
    print(f"{len(ids):,} jobs and more in {backend}, {os.cpu_count()} cores:\n")
    print(table(["request", "p50 ms", "p99 ms", "CPU ms"], answers(url, pid, paths, options.count)))
    draw = random.Random(0)
    kinds = [f"/v1/jobs/{own}" for own in draw.sample(ids, min(200, len(ids)))]
    kinds += ["/healthz", "/v1/jobs", "/v1/jobs?status=failed&limit=20", "/v1/methods/dm", "/v1/datasets"] * 20
    rate, took = mixed(url, kinds, options.seconds, options.callers)
    print(
        f"\nMixed reads by {options.callers} callers: {rate:,.0f} a second, p50 {1000 * statistics.median(took):.1f} "
        f"ms, p99 {1000 * took[int(0.99 * len(took))]:.1f} ms."
    )
    claim = ledger.claim("benchmark", 3600.0)
    assert claim is not None, "some of the copies wait in the queue"
    path = f"/v1/jobs/{claim.job.id}/events"
    opening, before, after, share = asyncio.run(streams(url, pid, path, options.streams, options.seconds))
    print(
        f"\n{options.streams} event streams: all open after {opening:.2f} s, /healthz till then at most "
        f"{1000 * before[-1]:.0f} ms; then p50 {1000 * statistics.median(after):.0f} ms, at most "
        f"{1000 * after[-1]:.0f} ms, while they take {share:.2f} of a core."
    )
    pages = [*kinds, "/", f"/jobs/{some}", "/datasets", "/system", "/metrics", "/new", "/methods"]
    sizes, caller = [], Caller(url)
    for place in range(options.requests + 1):
        caller.ask(draw.choice(pages))
        if place % max(1, options.requests // 10) == 0:
            sizes.append(resident(pid))
    print(f"\nMemory over {options.requests:,} mixed requests, MB: {', '.join(f'{size:.0f}' for size in sizes)}.")
    print(f"\n{describe(Path(options.ledger) if options.ledger else None)}")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=10_000, help="in the ledger (%(default)s)")
    parser.add_argument("--count", type=int, default=200, help="requests of each kind (%(default)s)")
    parser.add_argument("--callers", type=int, default=8, help="that read at once (%(default)s)")
    parser.add_argument("--seconds", type=float, default=15.0, help="of mixed reads, and of streams (%(default)s)")
    parser.add_argument("--streams", type=int, default=300, help="that are open at once (%(default)s)")
    parser.add_argument("--requests", type=int, default=50_000, help="over which memory is watched (%(default)s)")
    parser.add_argument("--ledger", metavar="URL", help="an empty database of its own (default: SQLite in a folder)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
