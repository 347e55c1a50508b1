"""The same jobs again, by an engine that nothing happens to."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.chaos.house import House
from core.artifacts.load import sha256
from worker.engine.__main__ import attempt
from worker.engine.channel import open_channel
from worker.protocol import Exit, JobFolder

_DATA = "dataset.safetensors"


def differing(house: House, jobs: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line for each of these jobs that a run without faults gives other bits, or none.

    Args:
        jobs: rows of the ledger.
    """
    wrong = []
    for job in jobs:
        folder = JobFolder(house.folder / "undisturbed" / job["id"], 1)
        folder.staging.mkdir(parents=True)
        order = {
            **{name: job[name] for name in ("request", "recipe", "fingerprint")},
            "job_id": job["id"],
            "attempt": 1,
            "data_dir": str(house.folder / "undisturbed" / "datasets"),
            "experts_dir": str(house.folder / "undisturbed" / "experts"),
            "expert_cache_bytes": 1 << 30,
            "device": "cpu",
            "compile": "never",
            "checkpoint_interval": 30.0,
        }
        folder.job.write_text(json.dumps(order))
        said = os.open(folder.root / "channel", os.O_WRONLY | os.O_CREAT)
        status = attempt(folder.root, open_channel(said), threading.Event())
        stored = house.published(job["id"], _DATA)
        if status is not Exit.DONE:
            wrong.append(f"{job['id']}: without faults it ends with {status!r}: {folder.error.read_text()}")
        elif sha256(folder.staging / _DATA) != stored:
            wrong.append(f"{job['id']}: attempt {job['attempt']} made {stored}, and a run without faults other bits")
    return wrong
