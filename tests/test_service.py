"""The distributed service, all of it real: PostgreSQL, Redis, the API, a Celery worker, the engine on `digits`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.artifacts import verify
from core.settings import Settings
from tests.api.serving import PATIENCE, environment, serving
from tests.services import Postgres, flush_redis, free_port

TINY: dict[str, Any] = {
    "dataset": "digits",
    "ipc": 1,
    "method": "mtt",
    "overrides": {
        "network.width": 8,
        "schedule.steps": 12,
        "objective.syn_steps": 5,
        "objective.max_start_epoch": 2,
        "experts.count": 2,
    },
    "evaluation": {"seeds": 2, "epochs": 20, "full.epochs": 2},
}
ENDLESS = TINY | {"overrides": TINY["overrides"] | {"schedule.steps": 1_000_000}}
PHASES = ["preparing", "training_experts", "distilling", "evaluating", "publishing"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the service has its state and its logs."""
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def settings(folder: Path, postgres: Postgres, postgres_template: str, redis_server: str) -> Settings:
    """Settings under which a worker that hears no doorbell does nothing for the length of a test."""
    flush_redis(redis_server)
    return Settings(
        home=folder / "home",
        database_url=postgres.url(postgres.create(postgres_template)),
        broker_url=redis_server,
        port=0,
        device="cpu",
        backstop_interval=600,
    )


@contextmanager
def working(settings: Settings, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A Celery worker in a process of its own; it ends politely with the block."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    offline = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), nowhere)
    with log.open("wb") as out:
        command = [sys.executable, "-m", "worker"]
        process = subprocess.Popen(command, env=environment(settings) | offline, stdout=out, stderr=out)
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def client(settings: Settings, folder: Path) -> Iterator[httpx.Client]:
    """A client of the service, which has one worker."""
    with serving(settings, folder) as server, working(settings, folder / "worker.log"):
        deadline = time.monotonic() + PATIENCE
        while server.workshop.client.get("/readyz").json()["checks"]["workers"]["alive"] == 0:
            assert time.monotonic() < deadline, (folder / "worker.log").read_text()
        yield server.workshop.client


def follow(client: httpx.Client, job: dict[str, Any]) -> list[dict[str, Any]]:
    """Every event of a job until its end, from the stream."""
    with client.stream("GET", job["links"]["events"], headers={"Accept": "text/event-stream"}) as response:
        return [json.loads(line[6:]) for line in response.iter_lines() if line.startswith("data: ")]


@pytest.mark.slow
def test_a_request_becomes_a_verified_artifact_once(client: httpx.Client, folder: Path, tmp_path: Path) -> None:
    accepted = client.post("/v1/jobs", json=TINY)
    assert accepted.status_code == 202
    events = follow(client, accepted.json())
    job = client.get(accepted.headers["Location"]).json()
    assert job["status"] == "succeeded", (job["error"], (folder / "worker.log").read_text())
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["type"] for event in events if event["type"].startswith("job.")] == [
        *("job.created", "job.started", "job.succeeded")
    ]
    told = dict.fromkeys(event["data"]["phase"] for event in events if event["type"] == "progress")
    assert [phase for phase in PHASES if phase in told] == list(told), "phases come in order"
    assert set(job["progress"]["phases"]) == set(PHASES), "even one too short for an event of its own is kept"
    assert job["attempt"] == 1

    artifact = tmp_path / "artifact"
    for file in client.get(job["links"]["files"]).json()["items"]:
        path = artifact / file["name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(client.get(file["url"]).content)
    assert verify(artifact) == []
    results = {result["name"]: result for result in client.get(job["links"]["report"]).json()["results"]}
    assert {"distilled", "random", "full"} <= results.keys()
    assert json.loads((artifact / "manifest.json").read_text())["fingerprint"] == job["fingerprint"]
    loaded = subprocess.run(
        [sys.executable, "load.py"], cwd=artifact, env=os.environ | {"PYTHONPATH": ""}, capture_output=True, text=True
    )
    assert loaded.returncode == 0, loaded.stderr

    again = client.post("/v1/jobs", json=TINY)
    assert (again.status_code, again.json()["cached"], again.json()["id"]) == (200, True, job["id"])


@pytest.mark.slow
def test_without_a_method_candidates_race_and_the_winners_recipe_is_the_artifacts(client: httpx.Client) -> None:
    asked = {"dataset": "digits", "ipc": 1, "within": "15s", "overrides": {"network.width": 4}}
    accepted = client.post("/v1/jobs", json=asked | {"evaluation": {"seeds": 2, "epochs": 5, "full": None}})
    assert accepted.status_code == 202, accepted.text
    assert accepted.json()["method"] == "auto"
    assert accepted.json()["request"]["within"] == 15
    follow(client, accepted.json())
    job = client.get(accepted.headers["Location"]).json()
    assert job["status"] == "succeeded", job["error"]
    assert "racing" in job["progress"]["phases"]
    race = client.get(job["links"]["report"]).json()["race"]
    candidates = {each["name"]: each for each in race["candidates"]}
    assert {"random", "k-means", "herding", "dm", "dsa", "mtt", "rat-bptt", "frepo"} <= candidates.keys()
    assert all(each["outcome"] for each in candidates.values())
    assert race["winner"] == job["metrics"]["winner"]
    (recipe,) = (each for each in client.get(job["links"]["files"]).json()["items"] if each["name"] == "recipe.json")
    made = client.get(recipe["url"]).json()["recipe"]
    assert made["network"]["width"] == 4, "what the client set holds for whichever won"
    assert made["schedule"]["steps"] == candidates[race["winner"]]["total_steps"]
    again = client.post("/v1/jobs", json=asked | {"evaluation": {"seeds": 2, "epochs": 5, "full": None}})
    assert (again.status_code, again.json()["id"]) == (200, job["id"]), "the same question has the same answer"


@pytest.mark.slow
def test_a_running_job_is_cancelled_and_a_hopeless_one_fails_at_once(client: httpx.Client) -> None:
    endless = client.post("/v1/jobs", json=ENDLESS).json()
    deadline = time.monotonic() + PATIENCE
    while client.get(endless["links"]["self"], params={"wait": 1}).json()["phase"] != "distilling":
        assert time.monotonic() < deadline
    assert client.post(endless["links"]["cancel"]).json()["status"] == "cancelling"
    assert client.get(endless["links"]["self"], params={"wait": 30}).json()["status"] == "cancelled"
    assert follow(client, endless)[-1]["type"] == "job.cancelled"

    absent = client.post("/v1/jobs", json={"dataset": "svhn", "ipc": 1, "method": "random"}).json()
    assert follow(client, absent)[-1]["type"] == "job.failed"
    error = client.get(absent["links"]["self"]).json()["error"]
    assert error["code"] == "dataset_unavailable"
    assert "svhn.npz" in error["message"]
    assert error["hint"]
