"""One job on two workers that share a database and a store and nothing else: each goes on with what the other left."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from core import doorbell
from core.artifacts import verify
from core.data import Catalogue
from core.ledger import Job, Status
from core.ledger.models import PartRow
from core.request import JobRequest, resolve
from tests.artifacts.s3 import credentials, s3_server
from tests.worker.double import state_after
from tests.worker.service import Service, until
from tests.worker.test_engine import SMALL, Run, here
from worker.protocol import JobFolder

EXPERTS = 8
ORDER: dict[str, Any] = {
    "dataset": "digits",
    "ipc": 1,
    "method": "mtt",
    "overrides": SMALL
    | {"network.width": 128, "network.depth": 2, "schedule.steps": 3}
    | {"experts.count": EXPERTS, "experts.batch_size": 512},
}
"""Experts so wide that each is trained alone."""


def submit(service: Service) -> Job:
    """Queue the order, and ring."""
    request = JobRequest.model_validate(ORDER)
    recipe = resolve(request, Catalogue(Path("nowhere")).facts("digits")).model_dump(mode="json")
    asked = request.model_dump(mode="json", exclude_unset=True)
    job = service.ledger.submit(asked, recipe, dataset="digits", method="mtt", ipc=1, seed=0).job
    doorbell.ring(service.settings)
    return job


def parts(service: Service) -> list[PartRow]:
    """The parts of jobs as they stand."""
    with service.ledger.database.read() as session:
        return list(session.scalars(select(PartRow)))


def test_a_job_goes_on_from_its_checkpoint_under_another_home(
    new_service: Callable[..., Service], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_server() as endpoint:
        for name, value in credentials(endpoint).items():
            monkeypatch.setenv(name, value)
        service = new_service("poller", "postgresql", store_url="s3://bucket/house", checkpoint_interval=0.05)
        first = service.start_worker(home=tmp_path / "first")
        play = service.submit(steps=12, checkpoint_every=4, hold_at=7)
        play.wait_for_step(1, 6)
        until(lambda: service.ledger.sharing.checkpoint(play.job_id)[1], "the checkpoint is in the store")
        first.kill()
        play.open_gate()
        service.start_worker(home=tmp_path / "second")
        assert play.wait_for_end().status is Status.SUCCEEDED
        assert play.steps(attempt=2) == list(range(4, 12))
        assert play.state() == state_after(12)
        until(lambda: not service.ledger.sharing.checkpoint(play.job_id)[1], "nobody keeps it any longer")


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same job by one engine."""
    return here(tmp_path_factory.mktemp("alone") / "job", **ORDER)


@pytest.mark.parametrize("killed", ["helper", "own"])
def test_a_job_on_two_workers_survives_either_and_has_the_same_bits(
    new_service: Callable[..., Service], tmp_path: Path, alone: Run, killed: str
) -> None:
    shared = {"store_url": f"file://{tmp_path}/store", "calibrate": "never", "help_above": 0.0}
    service = new_service("celery", "postgresql", **shared)
    first = service.start_worker("worker.engine", home=tmp_path / "first")
    job = submit(service)
    until(lambda: service.ledger.job(job.id).status is Status.RUNNING, "the job runs")
    mine = service.ledger.job(job.id).worker_id
    until(lambda: parts(service), "parts are offered")
    (engine,) = children(first.pid)
    os.kill(engine, signal.SIGSTOP)  # so that there is something to help with, however slow the other one starts
    second = service.start_worker("worker.engine", home=tmp_path / "second")

    def helped() -> bool:
        others = [part.state for part in parts(service) if part.worker_id not in (None, mine)]
        return {"made", "held"} <= set(others)

    until(helped, "the other worker has made a part and makes another one")
    (second if killed == "helper" else first).kill()
    if killed == "helper":
        os.kill(engine, signal.SIGCONT)
    else:
        os.kill(engine, signal.SIGKILL)  # which would end itself if it were not stopped
    until(lambda: service.ledger.job(job.id).status is Status.SUCCEEDED, "the job has succeeded")
    files = service.ledger.files(job.id)
    made = Run(JobFolder(tmp_path / "made", 1))
    for file in files:
        service.store.fetch(file.sha256, made.folder.staging / file.name)
    assert verify(made.folder.staging) == []
    assert made.tensors().keys() == alone.tensors().keys()
    for name, array in alone.tensors().items():
        assert (array == made.tensors()[name]).all(), name
    told = [event.data["message"] for event in service.ledger.events(job.id, kinds=["log"])]
    if killed == "helper":
        assert any("Other workers made" in message for message in told), told
    else:
        assert service.ledger.job(job.id).attempt == 2
        assert any(f"of {EXPERTS} expert trajectories were in the cache" in message for message in told), told
