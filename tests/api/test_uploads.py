"""Datasets of one's own: sent, inspected, seen by their owner, asked for, deleted."""

from __future__ import annotations

import io
import json
import re
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text
from structlog.testing import capture_logs

from api.app import create_app
from api.inspector import Inspector
from api.services import Services
from core.artifacts import Store
from core.data.catalogue import UPLOADS
from core.ids import new_id
from core.ledger import Ledger, Upload
from core.ledger.models import UploadRow
from core.settings import Settings
from tests.api.test_auth import routes
from tests.api.workshop import ON_SQLITE, Workshop, key, request
from tests.data.archives import classes, packed
from tests.data.drawn import arrow_left, arrow_right, bundle
from worker import uploads as on_worker

ZIP = {"Content-Type": "application/zip"}
PATIENCE = 60.0


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"auth": "keys"})


def send(client: Any, data: bytes, who: dict[str, str], **params: Any) -> Any:
    return client.post("/v1/datasets", content=data, params={"name": "pets"} | params, headers=who | ZIP)


def settled(client: Any, path: str, who: dict[str, str]) -> dict[str, Any]:
    """The dataset, once its inspection has ended."""
    deadline = time.monotonic() + PATIENCE
    while (found := client.get(path, headers=who).json())["state"] == "inspecting":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return dict(found)


def test_an_upload_is_inspected_and_its_owners_alone(workshop: Workshop, services: Services) -> None:
    client, ledger = workshop.client, workshop.ledger
    alice, bob = key(ledger, "alice"), key(ledger, "bob")
    sent = send(client, packed(classes(10)), alice)
    assert (sent.status_code, sent.json()["state"], sent.json()["title"]) == (202, "inspecting", "pets")
    path = sent.headers["Location"]
    found = settled(client, path, alice)
    name = found["name"]
    assert path == f"/v1/datasets/{name}"
    assert (found["state"], found["shape"], found["train_counts"]) == ("ready", [1, 8, 8], [8, 8])
    assert (found["owner"], found["source"], found["on_disk"]) == ("alice", "upload", True)
    deadline = time.monotonic() + PATIENCE
    while (services.settings.uploads / name).exists():  # it goes once the ledger has the finding
        assert time.monotonic() < deadline
        time.sleep(0.02)

    def names(who: dict[str, str]) -> list[str]:
        return [item["name"] for item in client.get("/v1/datasets", headers=who).json()["items"]]

    assert name in names(alice)
    assert name not in names(bob)
    assert client.get(path, headers=bob).status_code == 404
    assert client.delete(path, headers=bob).status_code == 404
    assert client.get(f"/datasets/{name}/sample.png", headers=bob).status_code == 404
    order = request(dataset=name, ipc=2)
    refused = client.post("/v1/jobs", json=order, headers=bob)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "dataset")
    client.headers.update(alice)
    job_id = workshop.submit(dataset=name, ipc=2)
    job = ledger.job(job_id)
    assert (job.dataset, job.owner) == (name, "alice")
    assert job.fingerprint is not None
    copy = services.settings.datasets / UPLOADS / f"{name}.npz"
    on_worker.fetch(job, ledger, services.store, services.settings.datasets)
    assert copy.exists()
    in_use = client.delete(path)
    assert (in_use.status_code, in_use.json()["type"]) == (409, "/problems#dataset-in-use")
    client.post(f"/v1/jobs/{job_id}/cancel")
    address = ledger.uploads.get(name).sha256
    assert address is not None
    assert client.delete(path).status_code == 204
    assert not services.store.exists(address)
    assert client.get(path).status_code == 404
    on_worker.tidy(ledger, services.settings.datasets)
    assert not copy.exists()


@ON_SQLITE
def test_the_uploaders_word_on_mirroring_is_followed(workshop: Workshop) -> None:
    """Also by the jobs that are asked for, whatever the upload is called."""
    client, alice, file = workshop.client, key(workshop.ledger, "alice"), io.BytesIO()
    np.savez(file, **bundle((arrow_left, arrow_right), 12))  # type: ignore[arg-type]  # as in `tests.data.bundles`
    found = {}
    for word, name in (("yes", "mnist"), ("no", "cifar10"), ("auto", "svhn")):
        sent = send(client, file.getvalue(), alice, name=name, mirror=word)
        found[word] = settled(client, sent.headers["Location"], alice)
    assert len({each["digest"] for each in found.values()}) == 1
    told = {word: (each["mirroring"]["allowed"], each["mirroring"]["by"]) for word, each in found.items()}
    assert told == {"yes": (True, "uploader"), "no": (False, "uploader"), "auto": (False, "probe")}
    assert "'arrow_left' and 'arrow_right' are taken for each other" in found["auto"]["mirroring"]["remark"]
    for word, each in found.items():
        job = client.post("/v1/jobs", json=request(dataset=each["name"], ipc=2, method="rded"), headers=alice).json()
        assert ("flip" in job["recipe"]["augment"]["transforms"]) == (word == "yes")


@ON_SQLITE
def test_the_uploaders_word_on_classes_splits_and_broken_files_is_followed(workshop: Workshop) -> None:
    client, alice = workshop.client, key(workshop.ledger, "alice")
    parts = {"fit": classes(5), "held": classes(3)}
    members = {f"{top}/{name}": data for top, each in parts.items() for name, data in each.items()}
    data = packed(members | {"fit/cat/broken.png": b"x"})
    words = {"order": "dog,cat", "train_folder": "fit", "test_folder": "held", "skip_broken": True}
    found = settled(client, send(client, data, alice, **words).headers["Location"], alice)
    assert (found["class_names"], found["train_counts"], found["test_counts"]) == (["dog", "cat"], [5, 5], [3, 3])
    assert "'fit/cat/broken.png' cannot be read as a picture" in str(found["remarks"])
    assert words.items() <= found["sent"].items()
    (gone,) = found["left_out"]
    assert (gone["count"], gone["names"], gone["remark"] in found["remarks"]) == (1, ["fit/cat/broken.png"], True)
    for fault in ({"order": "dog"}, {"train_folder": "x"}, {"skip_broken": False}):
        sent = send(client, data, alice, **words | fault, name="other")
        assert settled(client, sent.headers["Location"], alice)["state"] == "invalid", fault


def test_an_upload_from_before_there_were_verdicts_is_what_it_was(workshop: Workshop, services: Services) -> None:
    client, alice = workshop.client, key(workshop.ledger, "alice")
    found = settled(client, send(client, packed(classes(10, size=(20, 20))), alice).headers["Location"], alice)
    with services.ledger.database.write() as session:
        row = session.get_one(UploadRow, found["name"])
        row.found = {name: value for name, value in (row.found or {}).items() if name != "mirroring"}
    old = client.get(f"/v1/datasets/{found['name']}", headers=alice).json()
    assert (old["mirroring"]["allowed"], old["mirroring"]["by"]) == (True, "undecided")
    job = client.post("/v1/jobs", json=request(dataset=found["name"], ipc=2, method="rded"), headers=alice).json()
    assert "flip" in job["recipe"]["augment"]["transforms"]


def test_no_route_knows_anothers_dataset_or_key(workshop: Workshop, app: FastAPI) -> None:
    """Whatever route has a name in its path: it is a job's (test_auth), an upload's, a key's, or everybody's."""
    client, ledger = workshop.client, workshop.ledger
    alice, bob = key(ledger, "alice"), key(ledger, "bob")
    name = send(client, packed(classes(5)), alice).json()["name"]
    settled(client, f"/v1/datasets/{name}", alice)
    own = client.get("/v1/me", headers=alice).json()["key"]["id"]
    told = client.post("/v1/webhooks", json={"url": "https://example.org"}, headers=alice).json()["id"]
    asked = []
    for method, path in routes(app):
        if "{" not in path or "/jobs/{id}" in path or "/methods/" in path:
            continue
        if "/arrivals/" in path:  # nothing is said of another's: test_arrivals
            continue
        room = path.removeprefix("/v1").split("/")[1]
        if room in ("artifacts", "links", "webhooks"):  # by what is asked for: test_auth, test_owners
            continue
        assert room in ("datasets", "uploads", "keys", "webhooks"), f"whose is what {path} shows?"
        asked.append(path)
        concrete = re.sub(r"\{\w+\}", {"keys": own, "webhooks": told}.get(room, name), path)
        sent = {"json": {}} if room == "webhooks" else {}
        assert client.request(method, concrete, headers=bob, **sent).status_code == 404, (method, path)
    assert len(asked) >= 6
    for path in ("/v1/datasets", "/datasets", "/uploads", "/new", "/v1/keys", "/keys"):
        shown = client.get(path, headers=bob).text
        assert name not in shown
        assert own not in shown
        assert (own if "keys" in path else name) in client.get(path, headers=alice).text or path == "/new"
    assert client.get("/v1/methods/random", params={"dataset": name}, headers=bob).status_code == 422
    assert client.get("/v1/methods/random", params={"dataset": name}, headers=alice).status_code == 200


@ON_SQLITE
def test_an_upload_waits_for_a_store_that_is_away(
    workshop: Workshop, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.inspector._PAUSE", 0.02)
    alice, store = key(workshop.ledger, "alice"), services.settings.home / "store"
    if store.exists():
        store.rename(store.with_name("store.away"))
    store.parent.mkdir(exist_ok=True)  # nothing was kept in it yet
    store.touch()
    with capture_logs() as logs:
        path = send(workshop.client, packed(classes(5)), alice).headers["Location"]
        deadline = time.monotonic() + PATIENCE
        while [line["event"] for line in logs].count("the store does not take an upload") < 3:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert workshop.client.get(path, headers=alice).json()["state"] == "inspecting"
    store.unlink()
    found = settled(workshop.client, path, alice)
    assert (found["state"], found["train_counts"]) == ("ready", [4, 4])


@ON_SQLITE
def test_a_bundle_whose_twin_is_deleted_while_this_one_ends_stays(
    workshop: Workshop, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, alice, data = workshop.client, key(workshop.ledger, "alice"), packed(classes(5))
    twin = settled(client, send(client, data, alice).headers["Location"], alice)["name"]
    put, deleted = Store.put, []

    def put_then_the_twin_is_deleted(store: Store, path: Path) -> tuple[str, int]:
        stored = put(store, path)
        if not deleted:
            deleted.append(client.delete(f"/v1/datasets/{twin}", headers=alice).status_code)
        return stored

    monkeypatch.setattr(Store, "put", put_then_the_twin_is_deleted)
    name = settled(client, send(client, data, alice, name="twin").headers["Location"], alice)["name"]
    assert deleted == [204]
    deadline = time.monotonic() + PATIENCE
    while (services.settings.uploads / name).exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    address = workshop.ledger.uploads.get(name).sha256
    assert address is not None
    assert services.store.exists(address)


@ON_SQLITE
def test_a_bundle_that_two_uploads_share_stays_for_the_other(workshop: Workshop, services: Services) -> None:
    client, alice, bob = workshop.client, key(workshop.ledger, "alice"), key(workshop.ledger, "bob")
    data = packed(classes(5))
    one, two = (settled(client, send(client, data, who).headers["Location"], who)["name"] for who in (alice, bob))
    address = workshop.ledger.uploads.get(one).sha256
    assert address == workshop.ledger.uploads.get(two).sha256
    assert address is not None
    assert client.delete(f"/v1/datasets/{one}", headers=alice).status_code == 204
    assert services.store.exists(address)


@ON_SQLITE
def test_what_cannot_be_used_says_why_and_how_to_mend_it(workshop: Workshop) -> None:
    client, alice = workshop.client, key(workshop.ledger, "alice")
    sent = send(client, packed(classes(5) | {"../x.png": b""}), alice)
    found = settled(client, sent.headers["Location"], alice)
    assert (found["state"], found["shape"]) == ("invalid", None)
    assert "leads out of the archive" in found["problem"]
    assert "pack the folder anew" in found["problem"]
    refused = client.post("/v1/jobs", json=request(dataset=found["name"]), headers=alice)
    assert "leads out" in refused.json()["errors"][0]["message"]


@ON_SQLITE
@pytest.mark.parametrize(
    ("changes", "status", "word"),
    [
        ({"headers": {"Content-Type": "text/plain"}}, 415, "data-binary"),
        ({"params": {}}, 422, "Add it"),
        ({"params": {"name": "a\nb"}}, 422, "plain name"),
        ({"params": {"name": "x", "size": 3}}, 422, "at least 4"),
        ({"params": {"name": "x", "mirror": "maybe"}}, 422, "mirror"),
        ({"content": b""}, 422, "Send a zip"),
        ({"content": b"x" * 5000}, 413, "STILLHOUSE_MAX_UPLOAD_BYTES"),
    ],
)
def test_a_request_that_makes_no_sense_leaves_nothing(
    settings: Settings, changes: dict[str, Any], status: int, word: str
) -> None:
    with TestClient(create_app(settings.model_copy(update={"max_upload_bytes": 4000}))) as client:
        services: Services = client.app.state.services  # type: ignore[attr-defined]
        alice = key(services.ledger, "alice")
        asked = {"content": b"x", "params": {"name": "x"}, "headers": ZIP} | changes
        response = client.post("/v1/datasets", **asked | {"headers": asked["headers"] | alice})
        assert response.status_code == status, response.text
        assert word in response.text
        assert services.ledger.uploads.all() == []
        assert not services.settings.uploads.exists() or not list(services.settings.uploads.iterdir())


@ON_SQLITE
def test_an_upload_outlives_the_service_that_took_it(app: FastAPI, services: Services) -> None:
    upload_id = new_id("ds")
    services.ledger.migrate()
    with services.inspector.place(upload_id) as file:
        file.write(packed(classes(5)))
        services.ledger.uploads.add(upload_id, "pets", None, 1)
    with TestClient(app) as client:
        found = settled(client, f"/v1/datasets/{upload_id}", key(services.ledger, "root", "admin"))
    assert found["state"] == "ready"


def test_an_inspection_outlasts_an_outage_of_the_database(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("api.services._LOCK_WAIT", 0.1)
    monkeypatch.setattr("api.inspector._PAUSE", 0.05)
    other, held, examine = Ledger(settings.ledger_url), ExitStack(), Inspector._examine

    def lock_out(inspector: Inspector, upload: Upload) -> dict[str, Any] | None:
        """Finds what there is to find, and then the database away."""
        outcome = examine(inspector, upload)
        held.enter_context(other.database.write()).execute(text("UPDATE uploads SET name = name"))
        return outcome

    monkeypatch.setattr(Inspector, "_examine", lock_out)
    with TestClient(create_app(settings)) as client, held:
        alice = key(client.app.state.services.ledger, "alice")  # type: ignore[attr-defined]
        path = send(client, packed(classes(10)), alice).headers["Location"]
        deadline = time.monotonic() + PATIENCE
        while not any("the ledger does not answer" in record.message for record in caplog.records):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert client.get(path, headers=alice).json()["state"] == "inspecting"
        held.close()
        assert settled(client, path, alice)["state"] == "ready"
    other.close()


@ON_SQLITE
def test_a_finding_that_the_ledger_refuses_ends_the_inspection(workshop: Workshop) -> None:
    client, alice = workshop.client, key(workshop.ledger, "alice")
    refusing = "CREATE TRIGGER refusing BEFORE UPDATE ON uploads WHEN NEW.state = 'ready' "
    with workshop.ledger.database.write() as session:
        session.execute(text(refusing + "BEGIN SELECT RAISE(ABORT, 'it cannot be kept'); END"))
    found = settled(client, send(client, packed(classes(5)), alice).headers["Location"], alice)
    assert found["state"] == "invalid"
    assert "upload it again later" in found["problem"]


@pytest.mark.parametrize("kept", ["as of old", "now"])
def test_a_finding_with_a_nul_is_in_no_later_uploads_way(ledger: Ledger, kept: str) -> None:
    first, second = new_id("ds"), new_id("ds")
    for upload_id, name in ((first, "first"), (second, "second")):
        ledger.uploads.add(upload_id, name, None, 1)
    assert ledger.uploads.conclude(first, found={"digest": "sha256:1", "columns": ["a\0b"]}, sha256="a" * 64)
    assert ledger.uploads.get(first).found == {"digest": "sha256:1", "columns": ["a\ufffdb"], "remarks": []}
    if kept == "as of old":
        with ledger.database.write() as session:
            columns = {"columns": json.dumps({"digest": "sha256:1", "columns": ["a\0b"]})}
            kind = "json" if session.get_bind().dialect.name == "postgresql" else "text"
            session.execute(text(f"UPDATE uploads SET found = CAST(:columns AS {kind}) WHERE state = 'ready'"), columns)
    assert ledger.uploads.conclude(second, found={"digest": "sha256:1", "columns": ["b"]}, sha256="b" * 64)
    found = ledger.uploads.get(second).found
    assert found is not None
    assert found["remarks"] == [f"It holds the very same data as 'first' ({first})."]


@ON_SQLITE
def test_a_table_is_uploaded_by_the_column_of_its_labels(workshop: Workshop) -> None:
    client, alice = workshop.client, key(workshop.ledger, "alice")
    rows = "\n".join(f"{place % 7},{(place * 5) % 11},{'ant' if place % 2 else 'bee'}" for place in range(60))
    table = f"legs,length,species\n{rows}\n".encode()
    unsaid = settled(client, send(client, table, alice).headers["Location"], alice)
    assert unsaid["state"] == "invalid"
    assert "label_column=" in unsaid["problem"]
    sent = send(client, table, alice, label_column="species", missing="median")
    found = settled(client, sent.headers["Location"], alice)
    assert (found["state"], found["kind"], found["shape"]) == ("ready", "vectors", [2, 1, 1])
    assert (found["columns"], found["class_names"]) == (["legs", "length"], ["ant", "bee"])
    assert (found["sent"]["label_column"], found["sent"]["missing"]) == ("species", "median")
    for method, changes, field in (
        ("sre2l", {}, "method"),
        ("dm", {"augment.transforms": ["flip"]}, "overrides.augment.transforms"),
    ):
        asked = request(dataset=found["name"], ipc=2, method=method, overrides=changes)
        refused = client.post("/v1/jobs", json=asked, headers=alice)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)
    job = client.post("/v1/jobs", json=request(dataset=found["name"], ipc=2, method="dm"), headers=alice).json()
    assert job["recipe"]["network"]["kind"] == "mlp"
