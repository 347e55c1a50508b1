"""Datasets that are gone, or others by now, when the job's turn comes: it fails, and says what would do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.artifacts.store import Store
from core.data import Catalogue
from core.ids import new_id
from core.ledger import Job, Ledger, Status
from core.request import JobRequest, fingerprint, resolve
from core.settings import Settings
from tests.data.bundles import place, sound
from tests.ledger.orders import queued
from worker.calibrator import Calibrator
from worker.drain import Drain
from worker.supervisor import Supervisor

ASKED: dict[str, Any] = {
    "dataset": "toy",
    "ipc": 1,
    "method": "random",
    "evaluation": {"seeds": 1, "epochs": 2, "full": None},
    "overrides": {"network.width": 4},
}


@pytest.fixture
def settings(sqlite_url: str, tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", database_url=sqlite_url, device="cpu", calibrate="never")


@pytest.fixture
def ledger(settings: Settings) -> Ledger:
    return Ledger(settings.ledger_url)


@pytest.fixture
def supervisor(settings: Settings, ledger: Ledger) -> Supervisor:
    """One that runs the real engine."""
    race, store = Calibrator(settings, ledger).race, Store(settings.artifacts_url)
    return Supervisor(settings, ledger, store, "worker", Drain(), race=race)


def submitted(settings: Settings, ledger: Ledger) -> Job:
    """A job on the bundle that lies there now."""
    facts, request = Catalogue(settings.datasets).facts("toy"), JobRequest.model_validate(ASKED)
    recipe = resolve(request, facts)
    assert facts.digest is not None
    return ledger.submit(
        request.model_dump(mode="json"),
        recipe.model_dump(mode="json"),
        dataset="toy",
        method="random",
        ipc=1,
        seed=0,
        fingerprint=fingerprint(request, recipe, facts.digest),
        dataset_digest=facts.digest,
    ).job


def test_a_job_runs_on_the_content_that_it_was_submitted_for_alone(
    settings: Settings, ledger: Ledger, supervisor: Supervisor
) -> None:
    """Else the result would answer whoever asks for the old content again."""
    place(settings.datasets, "toy", sound())
    job = submitted(settings, ledger)
    place(settings.datasets, "toy", sound(per_class=11))
    supervisor.look()
    failed = ledger.job(job.id)
    assert (failed.status, failed.losses) == (Status.FAILED, 0)
    assert failed.error is not None
    assert (failed.error["code"], failed.error["phase"]) == ("dataset_changed", "preparing")
    assert str(job.dataset_digest) in failed.error["message"]
    assert "retry" in failed.error["hint"]
    place(settings.datasets, "toy", sound())
    ledger.retry(job.id)
    supervisor.look()
    assert ledger.job(job.id).status is Status.SUCCEEDED


def test_a_search_whose_upload_was_deleted_fails_at_once(ledger: Ledger, supervisor: Supervisor) -> None:
    upload = new_id("ds")
    request = JobRequest(dataset=upload, ipc=1).model_dump(mode="json")
    job = queued(ledger, request=request, dataset=upload, method="auto")
    supervisor.look()
    failed = ledger.job(job.id)
    assert (failed.status, failed.attempt, failed.losses) == (Status.FAILED, 1, 0)
    assert failed.error is not None
    assert failed.error["code"] == "dataset_unavailable"
    assert upload in failed.error["message"]
