"""One job on two workers that share a database and a store and nothing else: each goes on with what the other left."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from core import doorbell
from core.advice.measured import Measured
from core.advice.order import KIND
from core.advice.study import study
from core.artifacts import verify
from core.data import Catalogue
from core.engine.advice import measure
from core.engine.steps.advising import FILE
from core.ledger import Job, Status
from core.ledger.models import PartRow
from core.overrides import override
from core.request import JobRequest, resolve
from tests.artifacts.s3 import credentials, s3_server
from tests.worker.double import state_after
from tests.worker.service import Service, until
from tests.worker.test_engine import SMALL, Run, here
from worker.protocol import JobFolder

EXPERTS = 8
WIDE: dict[str, Any] = {"network.width": 128, "network.depth": 2}
"""Networks so wide that each is trained alone."""

OF_NETWORKS = {name: value for name, value in SMALL.items() if name.startswith(("network", "evaluation"))}
ORDERS: dict[str, dict[str, Any]] = {
    "experts": {
        "dataset": "digits",
        "ipc": 1,
        "method": "mtt",
        "overrides": SMALL | WIDE | {"schedule.steps": 3, "experts.count": EXPERTS, "experts.batch_size": 512},
    },
    "judges": {
        "dataset": "digits",
        "ipc": 1,
        "method": "dm",
        "overrides": OF_NETWORKS
        | WIDE
        | {"schedule.steps": 3, "evaluation.seeds": 6, "evaluation.epochs": 60, "evaluation.full": None},
    },
    "juries": {
        "dataset": "digits",
        "ipc": 20,
        "method": "dm",
        "overrides": OF_NETWORKS
        | WIDE
        | {"schedule.steps": 2, "evaluation.seeds": 3, "evaluation.epochs": 4, "evaluation.full": None},
    },
}
"""Jobs of little but experts, of little but networks on random images, and of little but several stacks that judge the
result."""


def submit(service: Service, order: dict[str, Any]) -> Job:
    """Queue an order, and ring."""
    request = JobRequest.model_validate(order)
    recipe = resolve(request, Catalogue(Path("nowhere")).facts("digits")).model_dump(mode="json")
    asked = request.model_dump(mode="json", exclude_unset=True)
    job = service.ledger.submit(asked, recipe, dataset="digits", method=request.method, ipc=1, seed=0).job
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
def alone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """The same jobs by one engine."""
    return cache(lambda name: here(tmp_path_factory.mktemp(name) / "job", **ORDERS[name]))


@pytest.mark.parametrize(("name", "killed"), [("experts", "helper"), ("experts", "own"), ("judges", "helper")])
def test_a_job_on_two_workers_survives_either_and_has_the_same_bits(
    new_service: Callable[..., Service], tmp_path: Path, alone: Callable[[str], Run], name: str, killed: str
) -> None:
    shared = {"store_url": f"file://{tmp_path}/store", "calibrate": "never", "help_above": 0.0}
    service = new_service("celery", "postgresql", **shared)
    first = service.start_worker("worker.engine", home=tmp_path / "first")
    job = submit(service, ORDERS[name])
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
    made, same = published(service, job.id, tmp_path / "made"), alone(name)
    assert made.tensors().keys() == same.tensors().keys()
    for field, array in same.tensors().items():
        assert (array == made.tensors()[field]).all(), field
    assert lines(made) == lines(same)
    told = [event.data["message"] for event in service.ledger.events(job.id, kinds=["log"])]
    if killed == "helper":
        assert any("Other workers made" in message for message in told), told
    else:
        assert service.ledger.job(job.id).attempt == 2
        assert any(f"of {EXPERTS} expert trajectories were in the cache" in message for message in told), told


@pytest.mark.parametrize("name", ["experts", "juries"])
def test_a_job_whose_parts_nobody_takes_makes_each_of_them_once(
    new_service: Callable[..., Service], tmp_path: Path, alone: Callable[[str], Run], name: str
) -> None:
    shared = {"store_url": f"file://{tmp_path}/store", "calibrate": "never", "help_above": 0.0}
    service = new_service("celery", "postgresql", **shared)
    service.start_worker("worker.engine", home=tmp_path / "only")
    job, begun = submit(service, ORDERS[name]), dict[str, int]()

    def ended() -> bool:
        begun.update({part.name: part.fence for part in parts(service)})
        return service.ledger.job(job.id).status is Status.SUCCEEDED

    until(ended, "the job has succeeded")
    assert begun, "parts are offered"
    assert set(begun.values()) == {1}, "each is begun once"
    assert lines(published(service, job.id, tmp_path / "made")) == lines(alone(name))


def published(service: Service, job_id: str, folder: Path) -> Run:
    """The files of a job, whole."""
    made = Run(JobFolder(folder, 1))
    for file in service.ledger.files(job_id):
        service.store.fetch(file.sha256, made.folder.staging / file.name)
    assert verify(made.folder.staging) == []
    return made


def lines(made: Run) -> list[dict[str, Any]]:
    """The table of a report but for the seconds that networks took."""
    report = json.loads((made.folder.staging / "report.json").read_text())
    return [line | {"seconds": 0} for line in report["results"]]


def test_points_of_advice_are_measured_by_two_workers(new_service: Callable[..., Service], tmp_path: Path) -> None:
    shared = {"store_url": f"file://{tmp_path}/store", "calibrate": "never", "help_above": 0.0}
    service = new_service("celery", "postgresql", **shared)
    first = service.start_worker("worker.engine", home=tmp_path / "first")
    whole = study(Catalogue(Path("nowhere")).facts("digits"), "hard", 600.0)
    cheap = {"network.width": 8, "evaluation.epochs": 60, "schedule.steps": 3, "objective.real_batch": 8}
    few = {"recipe": override(whole.recipe, cheap), "sizes": (1, 2, 4, 8), "networks": 2, "pilots": (1, 2), "runs": 2}
    asked = whole.model_copy(update={**few, "windows": ()})
    request = {"kind": KIND, "dataset": "digits", "labels": "hard"}
    recipe = asked.model_dump(mode="json")
    job = service.ledger.submit(request, recipe, dataset="digits", method=KIND, ipc=0, seed=0).job
    doorbell.ring(service.settings)
    until(lambda: parts(service), "parts are offered")
    (engine,) = children(first.pid)
    os.kill(engine, signal.SIGSTOP)
    service.start_worker("worker.engine", home=tmp_path / "second")
    until(lambda: "made" in {part.state for part in parts(service)}, "the other worker has measured a point")
    os.kill(engine, signal.SIGCONT)
    until(lambda: service.ledger.job(job.id).status is Status.SUCCEEDED, "the job has succeeded")
    service.store.fetch(next(f.sha256 for f in service.ledger.files(job.id) if f.name == FILE), tmp_path / FILE)
    measured = Measured.model_validate_json((tmp_path / FILE).read_text())
    alone = measure(asked, Catalogue(Path("nowhere")).load("digits"))
    assert [each.accuracies for each in measured.points] == [each.accuracies for each in alone.points]
    told = [event.data["message"] for event in service.ledger.events(job.id, kinds=["log"])]
    assert any("Other workers made" in message for message in told), told
