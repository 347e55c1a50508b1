"""The audit: what must hold once all is over, read from the database and the store alone."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.chaos.customer import Memory
from benchmarks.chaos.house import House
from core.artifacts import verify
from worker.protocol import parts_of, staging_of

ENDED: Final = ("succeeded", "failed", "cancelled")
_MOVES: Final[Mapping[str, tuple[set[str], str]]] = {
    "job.started": ({"queued"}, "running"),
    "job.requeued": ({"running", "paused", "cancelled", "failed"}, "queued"),
    "job.succeeded": ({"running", "pausing"}, "succeeded"),
    "job.failed": ({"running", "pausing"}, "failed"),
    "job.cancel_requested": ({"running", "pausing"}, "cancelling"),
    "job.cancelled": ({"queued", "paused", "cancelling"}, "cancelled"),
    "job.pause_requested": ({"running"}, "pausing"),
    "job.paused": ({"queued", "pausing"}, "paused"),
    "job.resumed": ({"pausing"}, "running"),
}
"""The changes of a job's status that are right: from where, and to where."""


@dataclass
class Found:
    """The violations, one line each, and some figures."""

    violations: list[str] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    events: int = 0
    interrupted: list[dict[str, Any]] = field(default_factory=list)
    """Rows of jobs that succeeded although something had come in between."""
    unneeded: int = 0
    """Objects of the store that are nobody's any more: they are removed after a day."""


def audit(house: House, memory: Memory) -> Found:
    """Look at everything."""
    found = Found()
    jobs = {row["id"]: row for row in house.rows("SELECT * FROM jobs")}
    events: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in house.rows("SELECT job_id, seq, type, data FROM job_events ORDER BY job_id, seq"):
        events[event["job_id"]].append(event)
    files: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for file in house.rows("SELECT * FROM job_files ORDER BY job_id, name"):
        files[file["job_id"]].append(file)
    found.violations += [f"{job_id} was accepted and is not there" for job_id in sorted(memory.jobs - jobs.keys())]
    for job_id, job in jobs.items():
        found.statuses[job["status"]] += 1
        found.attempts += job["attempt"]
        found.events += len(events[job_id])
        wrong = [*_ending(job, memory), *_history(job, events[job_id]), *_files(house, job, files[job_id])]
        found.violations += [f"{job_id}: {fault}" for fault in wrong]
        if job["status"] == "succeeded" and job["attempt"] > 1:
            found.interrupted.append(job)
    found.violations += _twins(jobs.values())
    found.violations += _left(house, jobs)
    found.unneeded = _unneeded(house)
    return found


def _ending(job: Mapping[str, Any], memory: Memory) -> Iterable[str]:
    if job["status"] not in ENDED:
        yield f"it is {job['status']} and has not ended"
    if job["status"] == "failed":
        yield f"it failed: {job['error']}"
    if job["status"] == "cancelled" and job["id"] not in memory.cancelled:
        yield "it is cancelled, and nobody asked for that"
    if job["worker_id"] is not None and job["lease_expires_at"] is not None:
        yield "a worker still holds it"


def _history(job: Mapping[str, Any], events: list[dict[str, Any]]) -> Iterable[str]:
    numbers = [event["seq"] for event in events]
    if numbers != list(range(1, len(numbers) + 1)) or len(numbers) != job["last_seq"]:
        yield f"its events have gaps: {len(numbers)} of them, the last one is {job['last_seq']}"
    status, attempt, ends = "queued", 0, 0
    for event in events:
        if event["type"] not in _MOVES:
            continue
        sources, target = _MOVES[event["type"]]
        if status not in sources or event["data"]["status"] != target:
            yield f"event {event['seq']} is {event['type']} to {event['data']['status']} of one that is {status}"
        status = event["data"]["status"]
        ends += status == "succeeded"
        if event["type"] == "job.started":
            if event["data"]["attempt"] != attempt + 1:
                yield f"attempt {event['data']['attempt']} came after attempt {attempt}"
            attempt = event["data"]["attempt"]
    if status != job["status"]:
        yield f"its events end with {status}, and it is {job['status']}"
    if ends != (job["status"] == "succeeded"):
        yield f"it is {job['status']} and was published {ends} times"


def _files(house: House, job: Mapping[str, Any], files: list[dict[str, Any]]) -> Iterable[str]:
    if job["status"] != "succeeded":
        if files:
            yield f"it is {job['status']} and has {len(files)} files"
        return
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            address = house.store / "sha256" / file["sha256"][:2] / file["sha256"]
            content = address.read_bytes() if address.exists() else None
            if content is None or hashlib.sha256(content).hexdigest() != file["sha256"]:
                yield f"{file['name']} is {'not in the store' if content is None else 'damaged'}"
                continue
            if len(content) != file["bytes"]:
                yield f"{file['name']} has {len(content)} bytes and should have {file['bytes']}"
            place = Path(folder, file["name"])
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        if not Path(folder, "manifest.json").exists():
            yield "it has no manifest"
            return
        yield from verify(Path(folder))


def _twins(jobs: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    done = Counter(job["fingerprint"] for job in jobs if job["status"] == "succeeded" and job["fingerprint"])
    return [f"{count} jobs have made the result of {name}" for name, count in done.items() if count > 1]


def _left(house: House, jobs: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    for part in house.rows("SELECT job_id, name, state FROM job_parts"):
        yield f"{part['job_id']} has ended, and its part {part['name'][:12]} is {part['state']}"
    for row in house.rows(
        "SELECT DISTINCT job_id FROM checkpoints JOIN jobs ON id = job_id WHERE status = 'succeeded'"
    ):
        yield f"{row['job_id']} has succeeded, and the store still has its checkpoint"
    for home in house.folder.glob("worker-*/jobs/*"):
        status = jobs.get(home.name, {}).get("status", "not there")
        if status == "succeeded" or status not in ENDED:
            kept = sorted(path.name for path in home.iterdir())
            yield f"{home.name} is {status}, and {home.parent.parent.name} has its folder with {kept}"
        else:  # kept for a retry: checkpoints, and nothing that is half done
            stale = [*staging_of(home).glob("*"), *parts_of(home).glob("*")]
            if stale:
                yield f"{home.name} is {status}, and {home.parent.parent.name} has its {[p.name for p in stale]}"


def _unneeded(house: House) -> int:
    needed = {row["sha256"] for table in ("job_files", "results", "checkpoints") for row in _addresses(house, table)}
    for event in house.rows("SELECT data FROM job_events WHERE type IN ('preview', 'neighbours')"):
        needed.add(event["data"].get("sha256"))
    stored = {path.name for path in (house.store / "sha256").glob("*/*")}
    return len(stored - needed) + len(list((house.store / "tmp").glob("*")))


def _addresses(house: House, table: str) -> list[dict[str, Any]]:
    return house.rows(f"SELECT DISTINCT sha256 FROM {table}")
