"""Advice over HTTP: what is asked wrongly, what is queued, and answers from measurements that are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.services import Services
from core.advice.measured import Measured
from core.advice.order import fingerprint
from core.artifacts import inventory
from core.artifacts.advice import build_advice
from core.ledger import File
from core.settings import Settings
from tests.api.test_forecasts import MEASURED
from tests.api.workshop import ON_SQLITE, Workshop, key
from tests.core.test_advice import REAL, gained, measured

BAD: list[tuple[dict[str, Any], str]] = [
    ({}, ""),
    ({"ipc": 1, "target": {"accuracy": 0.5}}, "ipc"),
    ({"ipc": 0}, "ipc"),
    ({"ipc": 126}, "ipc"),
    ({"target": {"accuracy": 2}}, "target.accuracy"),
    ({"target": {"accuracy": 0.5, "gap": 0.5}}, "target.accuracy"),
    ({"bytes": "10 B"}, "bytes"),
    ({"bytes": "a lot"}, "bytes"),
    *(({"ipc": 1, "within": within}, "within") for within in ("soon", "0m", "31d", "999999d", "", None)),
    ({"ipc": 1, "labels": "firm"}, "labels"),
    ({"ipc": 1, "dataset": "digit"}, "dataset"),
    ({"ipc": 1, "method": "dm"}, "method"),
    ({"target": {"acuracy": 0.5}}, "target.acuracy"),
]


def ask(client: TestClient, **asked: Any) -> Any:
    return client.post("/v1/advice", json={"dataset": "digits"} | asked)


def publish(workshop: Workshop, job_id: str, folder: Path, found: Measured) -> None:
    """Do the worker's part with these measurements."""
    build_advice(folder, found, "digits", {"kind": "advice"}, {})
    files = []
    for entry in inventory(folder):
        sha256, size = workshop.store.put(folder / entry.name)
        files.append(File(entry.name, size, sha256, entry.media_type))
    assert workshop.ledger.succeed(workshop.start(job_id), files, {})


@ON_SQLITE
@pytest.mark.parametrize(("asked", "field"), BAD, ids=str)
def test_what_is_asked_wrongly_is_refused_with_a_fix(client: TestClient, asked: dict[str, Any], field: str) -> None:
    refused = ask(client, **asked)
    assert refused.status_code == 422, refused.text
    errors = refused.json()["errors"]
    assert all(error["fix"] for error in errors)
    assert not any(f"'{error['field']}'?" in error["fix"] for error in errors), "what was refused is no fix"
    assert field in {error["field"] for error in errors} or not field
    assert client.get("/v1/jobs").json()["items"] == []


def test_a_key_that_may_only_look_reads_advice_that_is_there(
    settings: Settings, artifact: Path, tmp_path: Path
) -> None:
    app = create_app(settings.model_copy(update={"auth": "keys"}))
    with TestClient(app) as client:
        services: Services = app.state.services
        ledger = services.ledger
        writer, reader = key(ledger, "alice"), key(ledger, "alice", "jobs:read")
        order = {"dataset": "digits", "ipc": 5}
        refused = client.post("/v1/advice", json=order, headers=reader)
        assert (refused.status_code, "jobs:write" in refused.json()["detail"]) == (403, True)
        job = client.post("/v1/advice", json=order, headers=writer).json()
        found = measured(REAL, gained(REAL, 0.5, 0.05), smallest=125)
        publish(Workshop(client, ledger, services.store, artifact), job["id"], tmp_path / "advice", found)
        assert client.post("/v1/advice", json=order, headers=reader).json()["verdict"] == "real"


@ON_SQLITE
def test_the_first_question_queues_one_job_that_later_ones_share(client: TestClient) -> None:
    first = ask(client, ipc=3)
    assert first.status_code == 202
    job = first.json()
    assert (job["kind"], job["status"], job["forecast"]) == ("advice", "queued", None)
    assert first.headers["location"] == f"/v1/jobs/{job['id']}"
    assert ask(client, target={"gap": 0.5}).json()["id"] == job["id"]
    assert ask(client, ipc=3, labels="soft").json()["id"] != job["id"]
    assert [each["id"] for each in client.get("/v1/jobs?method=advice").json()["items"]][-1] == job["id"]
    assert job["ipc"] is None, "it makes no images"
    assert client.get("/v1/jobs?sort=ipc").json()["items"] == []
    further = {"dataset": "digits", "ipc": 1, "method": "dm", "continue_from": job["id"]}
    (error,) = client.post("/v1/jobs", json=further).json()["errors"]
    assert "measured for advice, and has made no images" in error["message"]
    assert client.post(f"/v1/jobs/{job['id']}/cancel").json()["status"] == "cancelled"


@ON_SQLITE
def test_answers_come_from_the_store(
    client: TestClient, workshop: Workshop, services: Services, tmp_path: Path
) -> None:
    workshop.ledger.register_worker("w", "cpu", "here", MEASURED)
    job = ask(client, ipc=5).json()
    found = measured(REAL, gained(REAL, 0.5, 0.05), smallest=125)
    publish(workshop, job["id"], tmp_path / "advice", found)
    answer = ask(client, ipc=5, within="40m")
    assert answer.status_code == 200, answer.text
    advice = answer.json()
    assert (advice["job"], advice["dataset"], advice["verdict"]) == (job["id"], "digits", "real")
    assert advice["seconds"] > 1
    assert "with 5 distilled images a class in about" in advice["sentence"]
    assert ask(client, target={"accuracy": 0.8}).json()["needed"]["low"] >= 1
    assert client.post("/v1/jobs", json=advice["request"]).status_code == 202, "what was priced can be asked for"
    done = client.get(f"/v1/jobs/{job['id']}").json()
    assert done["links"]["report"] is done["links"]["preview"] is None
    assert done["fingerprint"] == fingerprint(services.catalogue.facts("digits").digest or "", "hard")
    (lost,) = [file for file in services.ledger.files(job["id"]) if file.name == "advice.json"]
    services.store.delete(lost.sha256)
    again = ask(client, ipc=5)
    assert (again.status_code, again.json()["status"]) == (202, "queued"), "what is lost is measured anew"
    assert again.json()["id"] != job["id"]


@ON_SQLITE
def test_advice_on_soft_labels_offers_a_job_that_has_them(
    client: TestClient, workshop: Workshop, tmp_path: Path
) -> None:
    workshop.ledger.register_worker("w", "cpu", "here", MEASURED)
    found = measured(REAL, gained(REAL, 0.5, 0.05), smallest=125)
    priced = {}
    for labels in "hard", "soft":
        job = ask(client, ipc=5, labels=labels).json()
        own = found.model_copy(update={"study": found.study.model_copy(update={"labels": labels})})
        publish(workshop, job["id"], tmp_path / labels, own)
        for question in {"bytes": "2 kB"}, {"ipc": 5}:
            advice = ask(client, **question, labels=labels).json()
            offered = client.post("/v1/jobs", json=advice["request"])
            assert offered.status_code == 202, offered.text
            made = offered.json()
            assert made["recipe"]["relabel"]["kind"] == ("keep" if labels == "hard" else "soft")
        priced[labels] = advice["seconds"]
    assert priced["soft"] > priced["hard"], "a network is trained for them"


@ON_SQLITE
def test_a_target_is_judged_by_the_advice_that_is_there(
    client: TestClient, workshop: Workshop, services: Services, tmp_path: Path
) -> None:
    workshop.ledger.register_worker("w", "cpu", "here", MEASURED)
    job = ask(client, ipc=5).json()
    publish(
        workshop,
        job["id"],
        tmp_path / "advice",
        measured(REAL, gained(REAL, 0.5, 0.05), sizes=(1, 5, 20, 125), smallest=125),
    )

    def submit(target: object) -> Any:
        return client.post("/v1/jobs", json={"dataset": "digits", "target": target, "within": "5m"})

    advised = ask(client, target={"accuracy": 0.7}).json()
    begun = submit("70%")
    assert begun.status_code == 202, begun.text
    assert begun.json()["ipc"] == min(
        each for each in (advised["ipc"], (advised["equal"] or {}).get("expected")) if each
    )
    refused = submit({"accuracy": 0.999})
    assert refused.status_code == 422
    (error,) = refused.json()["errors"]
    assert error["field"] == "target.accuracy"
    most = float(error["fix"].split()[-1].rstrip("."))
    assert submit({"accuracy": most}).status_code == 202, "its fix works"
