"""One real service for all tests of the client, and two finished jobs in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillhouse import Job
from tests.stillhouse.running import CHEAP, Answer, Running, serving, until

EVALUATION = [word for name, value in CHEAP.items() for word in ("--set", f"evaluation.{name}={json.dumps(value)}")]
WORDS = ("--metadata", "set=second", "--metadata", "name=my run")
SECOND = ("distill", "digits", "--ipc", 2, "--method", "random", "--seed", 7, "--wait", *EVALUATION, *WORDS)
"""The command of a job that is another one than `finished`; where to put its artifact aside."""


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """API, worker and engine, started by `stillhouse serve`; advice measures as little as it can."""
    little = {"STILLHOUSE_ADVICE_SECONDS": "12", "STILLHOUSE_WEBHOOK_NETWORKS": "127.0.0.0/8"}
    with serving(tmp_path_factory.mktemp("service") / "home", environment=little) as service:
        yield service


@pytest.fixture(autouse=True)
def _nothing_goes_on(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that fails before its job ends leaves the one worker to those that follow."""
    yield
    if "running" not in request.fixturenames:
        return
    client = request.getfixturevalue("running").kept
    unfinished = ("queued", "running", "pausing", "paused", "cancelling")
    open_jobs = [job.id for status in unfinished for job in client.jobs(status=status)]
    for job_id in open_jobs:
        client.cancel(job_id)
    until(lambda: all(client.job(job_id).ended for job_id in open_jobs), "the jobs of this test have ended")


@pytest.fixture(scope="package")
def finished(running: Running) -> Job:
    """A job that has succeeded."""
    job = running.kept.submit("digits", ipc=1, method="random", evaluation=CHEAP)
    return running.kept.wait(job.id, timeout=60)


@pytest.fixture(scope="package")
def second(running: Running, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Answer]:
    """The artifact of another job, and the answer of the command that asked for it and waited."""
    folder = tmp_path_factory.mktemp("second") / "out"
    return folder, running.command(*SECOND, "--out", folder)


@pytest.fixture(scope="package")
def downloaded(running: Running, finished: Job, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished job's artifact."""
    folder = tmp_path_factory.mktemp("downloaded") / "artifact"
    running.kept.download(finished.id, folder)
    return folder


@pytest.fixture
def artifact(downloaded: Path, tmp_path: Path) -> Path:
    """The finished job's artifact, a copy for this test."""
    return Path(shutil.copytree(downloaded, tmp_path / "artifact"))
