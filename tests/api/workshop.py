"""A worker's part in a job, done by hand: through the real ledger, with a real artifact in the real store."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.artifacts import Distilled, Store, build, inventory
from core.data import Catalogue
from core.ledger import Claim, File, Ledger, Status
from core.report import Report

ERROR = {
    "code": "numerical_divergence",
    "type": "Diverged",
    "message": "The loss became NaN at step 12.",
    "phase": "distilling",
    "hint": "Lower schedule.image_lr.",
}
METRICS = {"accuracy": 0.87}
Client = Any
"""A TestClient, or an httpx.Client of a service in another process: relatives without a common type."""

LONG = 3600.0
"""A lease, in seconds, that no test outlives."""

ON_SQLITE = pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
"""For tests to which the database makes no difference."""

_seeds = itertools.count(1)


def request(**changes: Any) -> dict[str, Any]:
    """A job request that equals no other one, but for the changes."""
    return {"dataset": "digits", "ipc": 1, "method": "random", "seed": next(_seeds)} | changes


def key(ledger: Ledger, owner: str, *scopes: str) -> dict[str, str]:
    """The header that shows a new key of this owner."""
    _, secret = ledger.keys.create(owner, "test", scopes or ("jobs:read", "jobs:write", "datasets:write"))
    return {"Authorization": f"Bearer {secret}"}


NEAR = {"image": 7, "class": "7", "nearest": 1041, "nearest_class": "1", "distance": 0.25, "spacing": 0.5}


def make_artifact(folder: Path) -> Path:
    """A small real artifact: the first digit of each class."""
    digits = Catalogue(folder).load("digits")
    index = np.array([int(np.flatnonzero(digits.train.labels == label)[0]) for label in range(10)])
    first = digits.train.take(index)
    result = {"images": 10, "accuracy_mean": 0.64, "accuracy_std": 0.02, "accuracies": [0.62, 0.66]}
    distilled = Distilled(
        images=first.images.astype(np.float32) / np.float32(255),
        labels=first.labels,
        soft_labels=None,
        pixels=first.images,
        real=np.ones(10, dtype=bool),
        step_size=0.01,
        transform={"kind": "none"},
        facts=digits.facts,
        request=request(seed=0),
        recipe={"objective": {"kind": "nothing"}},
        report=Report.model_validate(
            {
                "schema_version": 1,
                "protocol": {"seeds": 2},
                "n_seeds": 2,
                "results": [
                    {"name": name, "validation_mean": validation, "network": "convnet-d2-w32-instance", "seconds": 1.0}
                    | result
                    for name, validation in (("distilled", None), ("random", 0.5))
                ],
                "gap_closed": None,
                "compression": {"images_before": 1257, "images_after": 10, "bytes_before": 80448, "bytes_after": 640},
                "class_names": [str(label) for label in range(10)],
                "per_class": {str(label): 0.64 for label in range(10)},
                "confusion": [[64 if to == label else 4 for to in range(10)] for label in range(10)],
                "neighbours": {"pairs": [NEAR], "words": "They are near."},
                "selection": "last iterate",
                "phases": {"preparing": 0.1},
                "peak_memory_mib": 100.0,
                "device": "cpu",
                "warnings": [],
            }
        ),
        metrics=[{"step": 0, "seconds": 0.1, "name": "loss", "value": 1.0}],
        provenance={"fingerprint": None, "seeds": [0], "versions": {}, "timings": {}},
    )
    build(folder / "artifact", distilled)
    return folder / "artifact"


@dataclass
class Workshop:
    """A client's side and a worker's side of one service."""

    client: Client
    ledger: Ledger
    store: Store
    artifact: Path
    claims: dict[str, Claim] = field(default_factory=dict)

    def submit(self, **changes: Any) -> str:
        """Ask for a job over HTTP; returns its id."""
        response = self.client.post("/v1/jobs", json=request(**changes))
        assert response.status_code == 202, response.text
        return str(response.json()["id"])

    def start(self, job_id: str) -> Claim:
        """Claim jobs until this one is held."""
        while job_id not in self.claims:
            claim = self.ledger.claim("gpu-0@here", LONG)
            assert claim is not None, f"{job_id} is not waiting"
            self.claims[claim.job.id] = claim
        return self.claims[job_id]

    def succeed(self, job_id: str) -> None:
        """Publish the artifact as this job's."""
        files = []
        for entry in inventory(self.artifact):
            sha256, size = self.store.put(self.artifact / entry.name)
            files.append(File(entry.name, size, sha256, entry.media_type))
        assert self.ledger.succeed(self.start(job_id), files, METRICS)

    def fail(self, job_id: str) -> None:
        """End the job with an error."""
        assert self.ledger.fail(self.start(job_id), ERROR)

    def job(self, status: Status, **changes: Any) -> str:
        """The id of a job in this status, which came about over HTTP and through the ledger."""
        job_id = self.submit(**changes)
        if status is Status.CANCELLED:
            self.client.post(f"/v1/jobs/{job_id}/cancel")
        if status in (Status.RUNNING, Status.PAUSING, Status.CANCELLING):
            self.start(job_id)
        if status in (Status.PAUSING, Status.PAUSED):
            self.client.post(f"/v1/jobs/{job_id}/pause")
        if status is Status.CANCELLING:
            self.client.post(f"/v1/jobs/{job_id}/cancel")
        if status is Status.SUCCEEDED:
            self.succeed(job_id)
        if status is Status.FAILED:
            self.fail(job_id)
        assert self.ledger.job(job_id).status is status
        return job_id
