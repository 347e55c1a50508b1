"""Submitting, listing, showing, cancelling and retrying jobs."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from api.services import Services
from core.data.digits import digits
from core.ledger import Status
from tests.api.workshop import ERROR, METRICS, ON_SQLITE, Workshop, request
from tests.data.bundles import place

SHAPE = {
    *("object", "id", "kind", "status", "phase", "dataset", "dataset_title", "dataset_digest"),
    *("method", "ipc", "seed", "cached"),
    *("queue_position", "queue_seconds", "progress"),
    *("metrics", "forecast", "error", "attempt", "losses", "max_attempts", "worker"),
    *("request", "recipe", "fingerprint", "metadata", "owner", "priority", "runs_on", "memory_bytes", "waits_for"),
    *("created_at", "started_at", "finished_at", "cancel_requested_at", "finish_requested_at", "updated_at"),
    "links",
}


def test_an_accepted_job_says_where_it_is_and_when_to_look(client: TestClient) -> None:
    asked = request(ipc=2, method="mtt", overrides={"schedule.steps": 7}, evaluation={"seeds": 3})
    response = client.post("/v1/jobs", json=asked)
    job = response.json()
    assert response.status_code == 202
    assert response.headers["Location"] == f"/v1/jobs/{job['id']}" == job["links"]["self"]
    assert int(response.headers["Retry-After"]) > 0
    assert job.keys() == SHAPE
    assert (job["status"], job["queue_position"], job["cached"]) == ("queued", 1, False)
    assert job["request"] == asked
    assert (job["recipe"]["schedule"]["steps"], job["recipe"]["evaluation"]["seeds"]) == (7, 3)
    assert job["fingerprint"].startswith("sha256:")
    assert client.get(response.headers["Location"]).json() == job


def test_a_dataset_that_is_not_on_disk_is_accepted_without_a_fingerprint(client: TestClient) -> None:
    response = client.post("/v1/jobs", json=request(dataset="cifar10", ipc=10, method="mtt"))
    assert response.status_code == 202
    assert response.json()["fingerprint"] is None


def test_a_bundle_placed_in_the_data_folder_can_be_asked_for(client: TestClient, services: Services) -> None:
    services.settings.datasets.mkdir(parents=True)
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    train, test = (rng.integers(0, 256, (40, 8, 8), np.uint8) for _ in range(2))
    names = np.array(["no", "yes"])
    bundle = services.settings.datasets / "mine.npz"
    np.savez(bundle, x_train=train, x_test=test, y_train=labels, y_test=labels, class_names=names)
    assert client.get("/v1/datasets/mine").json()["on_disk"] is True
    assert client.post("/v1/jobs", json=request(dataset="mine")).json()["fingerprint"] is not None


def test_c_scores_are_read_at_submission_and_part_of_the_request(client: TestClient, services: Services) -> None:
    asked = request(method="window", ipc=2, overrides={"init.score.kind": "c_score"})
    refused = client.post("/v1/jobs", json=asked)
    assert refused.status_code == 422
    (error,) = refused.json()["errors"]
    assert error["field"] == "overrides.init.score.kind"
    assert str(services.settings.datasets / "scores" / "digits.npz") in error["message"]
    assert "'forgetting'" in error["fix"]

    labels = digits().train.labels
    prints = []
    for scores in (np.linspace(0, 1, len(labels)), np.linspace(1, 0, len(labels))):
        place(services.settings.datasets / "scores", "digits", {"scores": scores, "labels": labels})
        job = client.post("/v1/jobs", json=asked).json()
        assert job["recipe"]["init"]["score"]["digest"] == services.catalogue.c_scores("digits").digest
        prints.append(job["fingerprint"])
    assert prints[0] != prints[1], "other scores are another request"


def test_the_same_request_twice_is_one_job(workshop: Workshop) -> None:
    asked = request()
    first = workshop.client.post("/v1/jobs", json=asked)
    twin = workshop.client.post("/v1/jobs", json=asked)
    assert (twin.status_code, twin.json()["id"], twin.json()["cached"]) == (202, first.json()["id"], False)
    workshop.succeed(first.json()["id"])
    cached = workshop.client.post("/v1/jobs", json=asked)
    assert (cached.status_code, cached.json()["id"], cached.json()["cached"]) == (200, first.json()["id"], True)
    assert "Retry-After" not in cached.headers
    assert workshop.client.get(f"/v1/jobs/{first.json()['id']}").json()["cached"] is False


@pytest.mark.parametrize("harm", ["gone", "torn", "rotten"])
def test_a_result_whose_files_are_damaged_is_no_answer(workshop: Workshop, services: Services, harm: str) -> None:
    asked = request()
    first = workshop.client.post("/v1/jobs", json=asked).json()["id"]
    workshop.succeed(first)
    file = services.ledger.files(first)[0]
    blob = services.settings.home / "store/sha256" / file.sha256[:2] / file.sha256
    content = blob.read_bytes()
    if harm == "gone":
        blob.unlink()
    else:
        blob.write_bytes(content[:-1] + (b"" if harm == "torn" else bytes([content[-1] ^ 1])))
    anew = workshop.client.post("/v1/jobs", json=asked)
    assert (anew.status_code, anew.json()["cached"]) == (202, False)
    assert anew.json()["id"] != first
    assert workshop.client.post("/v1/jobs", json=asked).json()["id"] == anew.json()["id"], "which others wait for too"
    workshop.succeed(anew.json()["id"])
    assert blob.read_bytes() == content, "the old result is mended with it"
    assert workshop.client.post("/v1/jobs", json=asked).json()["id"] == anew.json()["id"]


@ON_SQLITE
def test_nothing_goes_on_from_a_result_that_is_damaged(workshop: Workshop, services: Services) -> None:
    job_id = workshop.job(Status.SUCCEEDED)
    file = services.ledger.file(job_id, "dataset.safetensors")
    assert file is not None
    blob = services.settings.home / "store/sha256" / file.sha256[:2] / file.sha256
    for content in (b"", b"\xff" * file.bytes):
        blob.write_bytes(content)
        refused = workshop.client.post("/v1/jobs", json=request(method="dm", continue_from=job_id))
        assert refused.status_code == 422, refused.text
        (error,) = refused.json()["errors"]
        assert (error["field"], "lost or damaged" in error["message"]) == ("continue_from", True)


def test_a_store_that_is_away_says_nothing_of_what_it_holds(workshop: Workshop, services: Services) -> None:
    asked = request()
    job_id = workshop.client.post("/v1/jobs", json=asked).json()["id"]
    workshop.succeed(job_id)
    store = services.settings.home / "store"
    store.rename(store.with_name("store.away"))
    store.touch()
    try:
        cached = workshop.client.post("/v1/jobs", json=asked).json()
        assert (cached["id"], cached["cached"]) == (job_id, True)
        assert workshop.client.get("/readyz").status_code == 503
    finally:
        store.unlink()
        store.with_name("store.away").rename(store)


def test_spelling_out_a_default_is_the_same_request(client: TestClient) -> None:
    asked = request()
    spelt = asked | {"overrides": {"schedule.steps": 0}}
    assert client.post("/v1/jobs", json=asked).json()["id"] == client.post("/v1/jobs", json=spelt).json()["id"]


def test_words_on_a_job_are_no_part_of_the_request(workshop: Workshop) -> None:
    client, asked, words = workshop.client, request(), {"name": "Größe <1>", "commit": "abc"}
    job = client.post("/v1/jobs", json=asked | {"metadata": words}).json()
    assert (job["metadata"], "metadata" in job["request"]) == (words, False)
    workshop.succeed(job["id"])
    again = client.post("/v1/jobs", json=asked | {"metadata": {"commit": "def"}}).json()
    assert (again["id"], again["cached"], again["metadata"]) == (job["id"], True, words), "it keeps what it has"
    bare = client.post("/v1/jobs", json=asked).json()
    assert (bare["id"], bare["fingerprint"]) == (job["id"], job["fingerprint"])
    forecasts = [client.post("/v1/forecasts", json=asked | {"metadata": each}).json() for each in (words, {})]
    assert forecasts[0] == forecasts[1]


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({"a b": "x"}, "metadata.a b"),
        ({"": "x"}, "metadata."),
        ({"k" * 65: "x"}, "metadata." + "k" * 65),
        ({"commit": 7}, "metadata.commit"),
        ({"commit": None}, "metadata.commit"),
        ({"commit": {"sha": "x"}}, "metadata.commit"),
        ({"commit": "x" * 513}, "metadata.commit"),
        ({"commit": "a\0b"}, "metadata.commit"),
        ({"commit": "a\nb"}, "metadata.commit"),
        ({f"k{n}": "x" for n in range(17)}, "metadata"),
        (["commit"], "metadata"),
    ],
)
def test_metadata_are_flat_short_texts(client: TestClient, metadata: Any, field: str) -> None:
    refused = client.post("/v1/jobs", json=request(metadata=metadata))
    assert refused.status_code == 422
    (error,) = refused.json()["errors"]
    assert error["field"].startswith(field)
    assert error["fix"]


def test_half_a_character_is_no_word(client: TestClient) -> None:
    body = '{"dataset": "digits", "ipc": 1, "method": "random", "metadata": {"commit": "\\ud800"}}'
    refused = client.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})
    assert refused.status_code == 422


def test_an_idempotency_key_is_for_the_words_too(client: TestClient) -> None:
    asked, headers = request(metadata={"commit": "abc"}), {"Idempotency-Key": "tuesday"}
    assert client.post("/v1/jobs", json=asked, headers=headers).status_code == 202
    assert client.post("/v1/jobs", json=asked, headers=headers).headers["Idempotent-Replayed"] == "true"
    other = client.post("/v1/jobs", json=asked | {"metadata": {"commit": "def"}}, headers=headers)
    assert other.json()["type"] == "/problems#idempotency-conflict"


def test_a_waiting_job_says_when_it_will_start(workshop: Workshop) -> None:
    running, waiting = workshop.job(Status.RUNNING), workshop.submit()
    assert workshop.client.get(f"/v1/jobs/{waiting}").json()["queue_seconds"] is None, "nobody has forecast the first"
    claim = workshop.claims[running]
    workshop.ledger.record(claim, progress={"phase": "publishing", "done": 0, "total": 1, "eta_seconds": 90.0})
    job = workshop.client.get(f"/v1/jobs/{waiting}").json()
    assert (job["queue_position"], job["queue_seconds"]) == (1, 90)


def test_a_ratio_is_another_spelling_of_the_ipc(workshop: Workshop) -> None:
    client, by_ipc = workshop.client, request(ipc=25, method="mtt")
    by_ratio = {name: value for name, value in by_ipc.items() if name != "ipc"} | {"ratio": 0.2}
    job = client.post("/v1/jobs", json=by_ratio).json()
    assert (job["ipc"], job["request"]["ipc"]) == (25, 25), "a fifth of 125"
    assert client.post("/v1/jobs", json=by_ipc).json()["id"] == job["id"]
    workshop.succeed(job["id"])
    assert client.post("/v1/jobs", json=by_ratio).json()["cached"] is True
    forecasts = [client.post("/v1/forecasts", json=asked).json() for asked in (by_ipc, by_ratio)]
    assert forecasts[0] == forecasts[1]


def test_a_ratio_of_a_dataset_not_on_disk_counts_what_is_published(client: TestClient) -> None:
    asked = {"dataset": "cifar10", "ratio": 0.05, "method": "mtt"}
    assert client.post("/v1/jobs", json=asked).json()["ipc"] == 225, "of 4,500: a tenth of each class is held out"


def test_equal_submissions_at_the_same_moment_are_one_job(client: TestClient) -> None:
    asked = request()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post("/v1/jobs", json=asked), range(8)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_an_idempotency_key_repeats_its_answer(workshop: Workshop) -> None:
    asked, headers = request(dataset="cifar10"), {"Idempotency-Key": "monday 7"}
    first = workshop.client.post("/v1/jobs", json=asked, headers=headers)
    again = workshop.client.post("/v1/jobs", json=asked, headers=headers)
    assert "Idempotent-Replayed" not in first.headers
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (202, "true")
    assert again.json()["id"] == first.json()["id"]
    workshop.succeed(first.json()["id"])
    late = workshop.client.post("/v1/jobs", json=asked, headers=headers)
    assert (late.status_code, late.json()["id"], late.json()["status"]) == (200, first.json()["id"], "succeeded")
    other = workshop.client.post("/v1/jobs", json=asked | {"ipc": 2}, headers=headers)
    assert (other.status_code, other.json()["type"]) == (422, "/problems#idempotency-conflict")


def test_a_running_job_shows_what_its_worker_says(workshop: Workshop) -> None:
    job_id = workshop.job(Status.RUNNING)
    phases = {"preparing": {"done": 1, "total": 1, "seconds": 0.5, "skipped": None}}
    progress = {"phase": "distilling", "done": 20, "total": 80, "eta_seconds": 600, "phases": phases}
    workshop.ledger.record(workshop.claims[job_id], phase="distilling", progress=progress, metrics={"loss": 0.5})
    response = workshop.client.get(f"/v1/jobs/{job_id}")
    job = response.json()
    assert job["progress"] == progress | {"eta_seconds": None, "phase_eta_seconds": 600}, "nobody has forecast the rest"
    assert (job["phase"], job["worker"], job["attempt"], job["metrics"]) == (
        "distilling",
        "gpu-0@here",
        1,
        {"loss": 0.5},
    )
    assert response.headers["Retry-After"] == "30"


def test_a_job_at_its_end_shows_its_error_or_its_links(workshop: Workshop) -> None:
    failed = workshop.client.get(f"/v1/jobs/{workshop.job(Status.FAILED)}").json()
    assert failed["error"] == ERROR
    assert failed["links"]["retry"] is not None
    assert failed["links"]["files"] is None
    done = workshop.client.get(f"/v1/jobs/{workshop.job(Status.SUCCEEDED)}")
    assert "Retry-After" not in done.headers
    assert done.json()["metrics"] == METRICS
    working = {name for name, link in done.json()["links"].items() if link is not None}
    assert working == {"self", "html", "events", "delete", "files", "archive", "preview", "report"}
    for name in working:
        assert workshop.client.get(done.json()["links"][name]).status_code == 200


def test_a_queued_job_is_cancelled_at_once_and_a_running_one_by_its_worker(workshop: Workshop) -> None:
    queued = workshop.submit()
    for _ in range(2):
        response = workshop.client.post(f"/v1/jobs/{queued}/cancel")
        assert (response.status_code, response.json()["status"]) == (202, "cancelled")
    running = workshop.job(Status.RUNNING)
    for _ in range(2):
        response = workshop.client.post(f"/v1/jobs/{running}/cancel")
        assert (response.status_code, response.json()["status"]) == (202, "cancelling")
    assert workshop.ledger.cancelled(workshop.claims[running])
    assert workshop.client.get(f"/v1/jobs/{running}").json()["status"] == "cancelled"


def test_a_job_is_paused_and_resumed(workshop: Workshop) -> None:
    job_id = workshop.job(Status.RUNNING)
    for _ in range(2):
        response = workshop.client.post(f"/v1/jobs/{job_id}/pause")
        assert (response.status_code, response.json()["status"]) == (202, "pausing")
    assert workshop.ledger.release(workshop.claims[job_id], "paused")
    paused = workshop.client.get(f"/v1/jobs/{job_id}")
    assert (paused.json()["status"], paused.headers["Retry-After"]) == ("paused", "30")
    links = paused.json()["links"]
    assert [links[name] is None for name in ("pause", "resume", "finish", "cancel")] == [True, False, False, False]
    for _ in range(2):
        response = workshop.client.post(links["resume"])
        assert (response.status_code, response.json()["status"]) == (202, "queued")
    assert response.headers["Location"] == f"/v1/jobs/{job_id}"


def test_a_job_that_is_asked_to_finish_is_no_answer_to_an_equal_request(workshop: Workshop) -> None:
    asked = request()
    job_id = workshop.client.post("/v1/jobs", json=asked).json()["id"]
    for _ in range(2):
        response = workshop.client.post(f"/v1/jobs/{job_id}/finish")
        assert (response.status_code, response.json()["status"]) == (202, "queued")
    assert response.json()["finish_requested_at"] is not None
    assert response.json()["links"]["finish"] is None
    assert workshop.client.post("/v1/jobs", json=asked).json()["id"] != job_id


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
def test_a_failed_or_cancelled_job_is_queued_again(workshop: Workshop, status: Status) -> None:
    job_id = workshop.job(status)
    response = workshop.client.post(f"/v1/jobs/{job_id}/retry")
    assert (response.status_code, response.headers["Location"]) == (202, f"/v1/jobs/{job_id}")
    assert (response.json()["status"], response.json()["error"]) == ("queued", None)
    workshop.claims.clear()
    workshop.succeed(job_id)


@pytest.mark.parametrize(
    ("status", "verb"),
    [
        *((Status.SUCCEEDED, verb) for verb in ("cancel", "pause", "resume", "finish", "retry")),
        *((Status.CANCELLED, verb) for verb in ("pause", "resume", "finish")),
        *((Status.CANCELLING, verb) for verb in ("pause", "resume", "finish", "retry")),
        *((status, "retry") for status in (Status.PAUSED, Status.PAUSING, Status.QUEUED, Status.RUNNING)),
    ],
)
@ON_SQLITE
def test_a_move_that_is_refused_says_what_can_be_done(workshop: Workshop, status: Status, verb: str) -> None:
    job_id = workshop.job(status)
    refused = workshop.client.post(f"/v1/jobs/{job_id}/{verb}")
    assert (refused.status_code, refused.json()["title"]) == (
        409,
        "The job cannot be retried" if verb == "retry" else "The job is over",
    )
    if status is Status.CANCELLING:
        assert workshop.ledger.cancelled(workshop.claims[job_id])
    way = re.search(r"(GET|POST) (/v1/[\w/]+)", refused.json()["hint"])
    assert way is not None
    assert workshop.client.request(way[1], way[2]).is_success


def test_a_retry_gives_way_to_an_equal_job_that_is_open(workshop: Workshop) -> None:
    asked = request()
    first = workshop.client.post("/v1/jobs", json=asked).json()["id"]
    workshop.client.post(f"/v1/jobs/{first}/cancel")
    second = workshop.client.post("/v1/jobs", json=asked).json()["id"]
    assert second != first
    response = workshop.client.post(f"/v1/jobs/{first}/retry")
    assert response.status_code == 409
    assert second in response.json()["detail"]
    assert "the other job" in response.json()["hint"]


def test_a_job_is_deleted_with_what_nothing_else_needs(workshop: Workshop, tmp_path: Path) -> None:
    same, other = workshop.job(Status.SUCCEEDED), workshop.job(Status.SUCCEEDED)
    claim = workshop.start(workshop.submit())
    addresses = []
    for name in ("alone", "shared"):
        (tmp_path / name).write_text(name)
        addresses.append(workshop.store.put(tmp_path / name)[0])
    told = [("preview", {"step": 1, "sha256": sha256}) for sha256 in addresses]
    assert workshop.ledger.record(claim, events=told)
    assert workshop.ledger.fail(claim, ERROR)
    running = workshop.start(workshop.submit())
    assert workshop.ledger.record(running, events=told[1:])

    files = workshop.ledger.files(same)
    assert workshop.client.delete(f"/v1/jobs/{same}").status_code == 204
    assert workshop.client.get(f"/v1/jobs/{same}").status_code == 404
    assert workshop.client.delete(f"/v1/jobs/{same}").status_code == 404
    assert all(workshop.store.exists(file.sha256) for file in files), "the other job has the same files"
    assert workshop.client.delete(f"/v1/jobs/{other}").status_code == 204
    assert not any(workshop.store.exists(file.sha256) for file in files)

    assert workshop.client.delete(f"/v1/jobs/{claim.job.id}").status_code == 204
    assert [workshop.store.exists(each) for each in addresses] == [False, True]
    assert workshop.ledger.deleted([same, other, running.job.id]) == {same, other}
