"""One real service for all tests of the client, and one finished job in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stillhouse import Job
from tests.stillhouse.running import CHEAP, Running, serving, until


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """API, worker and engine, started by `stillhouse serve`."""
    with serving(tmp_path_factory.mktemp("service") / "home") as service:
        yield service


@pytest.fixture(autouse=True)
def _nothing_goes_on(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that fails before its job ends leaves the one worker to those that follow."""
    yield
    if "running" not in request.fixturenames:
        return
    running: Running = request.getfixturevalue("running")
    with running.client() as client:
        open_jobs = [job.id for status in ("queued", "running", "cancelling") for job in client.jobs(status=status)]
        for job_id in open_jobs:
            client.cancel(job_id)
        until(lambda: all(client.job(job_id).ended for job_id in open_jobs), "the jobs of this test have ended")


@pytest.fixture(scope="package")
def finished(running: Running) -> Job:
    """A job that has succeeded."""
    with running.client() as client:
        job = client.submit("digits", ipc=1, method="random", evaluation=CHEAP)
        return client.wait(job.id, timeout=60)


@pytest.fixture
def artifact(running: Running, finished: Job, tmp_path: Path) -> Path:
    """The finished job's artifact, downloaded for this test."""
    with running.client() as client:
        client.download(finished.id, tmp_path / "artifact")
    return tmp_path / "artifact"
