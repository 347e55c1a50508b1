"""Webhooks over HTTP: made, shown, changed, rotated, tested, replayed; each owner's own; their secrets shown once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.services import Services
from core.ledger import Answer, Status, UnknownWebhook
from core.ledger.webhooks import MOST
from core.settings import Settings
from tests.api.workshop import ON_SQLITE, Workshop, request

pytestmark = ON_SQLITE

TARGET = "https://example.org/hook"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"webhook_networks": "10.1.0.0/16"})


def made(client: TestClient, **order: Any) -> dict[str, Any]:
    answer = client.post("/v1/webhooks", json={"url": TARGET} | order)
    assert answer.status_code == 201, answer.text
    webhook: dict[str, Any] = answer.json()
    return webhook


def test_a_secret_is_shown_once_and_never_logged(
    client: TestClient, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        webhook = made(client, events=["job.succeeded"])
        path, first = f"/v1/webhooks/{webhook['id']}", webhook.pop("secret")
        rotated = client.post(f"{path}/rotate", json={"overlap": "2h"}).json()
        second = rotated.pop("secret")
        client.post(f"{path}/test")
        shown = [client.get(where).text for where in ("/v1/webhooks", path, f"{path}/deliveries", "/webhooks")]
        assert client.patch(path, json={"enabled": False}).json()["state"] == "disabled"
        parcel = services.ledger.outbox.take(1, 1.0)
        assert parcel == []
    assert first != second
    assert first.startswith("whsec_")
    assert rotated["old_secret_until"] is not None
    assert client.get("/v1/webhooks").json()["items"][0]["events"] == ["job.succeeded"]
    told = str([vars(record) for record in caplog.records if record.name.startswith(("api", "core"))])
    assert path in told
    for secret in (first, second):
        assert secret not in told + "".join(shown)


def test_a_job_names_a_webhook_of_its_owner_by_id_or_address(
    client: TestClient, services: Services, workshop: Workshop
) -> None:
    webhook = made(client, events=["job.named"])
    plain = request()
    jobs = [client.post("/v1/jobs", json=request(webhook=word)).json()["id"] for word in (webhook["id"], TARGET)]
    jobs.append(client.post("/v1/jobs", json=plain | {"webhook": TARGET}).json()["id"])
    assert client.post("/v1/jobs", json=plain).json()["id"] == jobs[-1], "it is no part of what is asked for"
    assert "webhook" not in client.get(f"/v1/jobs/{jobs[0]}").json()["request"]
    workshop.submit()
    for job in client.get("/v1/jobs").json()["items"]:
        client.post(f"/v1/jobs/{job['id']}/cancel")
    sent = client.get(f"/v1/webhooks/{webhook['id']}/deliveries").json()["items"]
    assert sorted(json.loads(each["body"])["data"]["id"] for each in sent) == sorted(jobs)
    for word in ("hook_nobody", "https://example.org/other"):
        refused = client.post("/v1/jobs", json=request(webhook=word))
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "webhook")
        assert "POST /v1/webhooks" in refused.json()["errors"][0]["fix"]


@pytest.mark.parametrize("status", [Status.QUEUED, Status.RUNNING])
def test_an_equal_request_has_its_webhook_told_by_the_job_that_is_there(
    client: TestClient, workshop: Workshop, status: Status
) -> None:
    asked, urls = request(), [f"{TARGET}/{number}" for number in range(3)]
    first, second, other = (made(client, url=url, events=["job.named"]) for url in urls)
    job_id = client.post("/v1/jobs", json=asked | {"webhook": first["id"]}).json()["id"]
    if status is Status.RUNNING:
        workshop.start(job_id)
    for _ in range(2):
        answer = client.post("/v1/jobs", json=asked | {"webhook": second["url"]})
        assert (answer.status_code, answer.json()["id"], answer.json()["status"]) == (202, job_id, status)
    workshop.succeed(job_id)
    told = [client.get(f"/v1/webhooks/{each['id']}/deliveries").json()["items"] for each in (first, second, other)]
    assert [len(deliveries) for deliveries in told] == [1, 1, 0]
    done = client.post("/v1/jobs", json=asked | {"webhook": other["id"]})
    assert (done.status_code, done.json()["cached"]) == (200, True), "the answer itself tells it"
    assert client.get(f"/v1/webhooks/{other['id']}/deliveries").json()["items"] == []


def test_what_was_sent_is_listed_and_sent_again(client: TestClient, services: Services, workshop: Workshop) -> None:
    webhook = made(client)
    path = f"/v1/webhooks/{webhook['id']}"
    job_id = workshop.job(Status.SUCCEEDED)
    test = client.post(f"{path}/test").json()
    for status, problem in ((503, "It answered 503."), (200, None)):
        (parcel,) = services.ledger.outbox.take(1, 60.0)
        assert services.ledger.outbox.conclude(parcel, Answer(status, problem, 0.25), None)
        assert client.patch(path, json={"enabled": True}).json()["state"] == "active"
    first = client.get(f"{path}/deliveries", params={"limit": 1}).json()
    second = client.get(f"{path}/deliveries", params={"limit": 1, "after": first["next"]}).json()
    (newer,), (older,) = first["items"], second["items"]
    assert (newer["id"], newer["state"], second["next"]) == (test["id"], "delivered", None)
    assert (older["state"], older["answers"][0]["status"], older["answers"][0]["seconds"]) == ("failed", 503, 0.25)
    assert job_id in older["body"]
    replayed = client.post(f"{path}/deliveries/{older['id']}/replay")
    assert (replayed.status_code, replayed.json()["state"]) == (202, "pending")
    assert [each["id"] for each in client.get(f"{path}/deliveries?state=pending").json()["items"]] == [older["id"]]
    (parcel,) = services.ledger.outbox.take(1, 60.0)
    assert (parcel.id, parcel.body.decode(), parcel.tries) == (older["id"], older["body"], 1)
    assert client.get(f"{path}/deliveries", params={"after": first["next"], "state": "failed"}).status_code == 400
    unknown = client.post(f"{path}/deliveries/{job_id}/replay")
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems#unknown-delivery")


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://example.org", "example.org", "https://", "https://u:p@example.org/", "https://example.org/#x"),
        *(
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://localhost:8000/",
            "http://93.184.216.34/",
            "https://x:99999/",
        ),
        *("https://10.2.0.1/", "https://169.254.169.254/latest", "https://exämple.org/", "https://a b/", "//x/y"),
    ],
)
def test_an_address_that_is_none_is_refused_with_a_fix(client: TestClient, url: str) -> None:
    answer = client.post("/v1/webhooks", json={"url": url})
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["field"] == "url"
    assert error["fix"]
    webhook = made(client)
    assert client.patch(f"/v1/webhooks/{webhook['id']}", json={"url": url}).status_code == 422


def test_addresses_of_allowed_networks_are_taken(client: TestClient) -> None:
    for url in ("http://10.1.2.3:8080/x", "https://10.1.2.3/", "http://ci.internal/", "https://93.184.216.34/"):
        assert made(client, url=url)["url"] == url


def test_there_may_be_so_many_and_one_that_is_deleted_is_gone(client: TestClient, services: Services) -> None:
    webhooks = [made(client) for _ in range(MOST)]
    full = client.post("/v1/webhooks", json={"url": TARGET})
    assert (full.status_code, full.json()["type"]) == (409, "/problems#too-many-webhooks")
    path = f"/v1/webhooks/{webhooks[0]['id']}"
    client.post(f"{path}/test")
    assert client.delete(path).status_code == 204
    assert client.get(path).json()["type"] == "/problems#unknown-webhook"
    with pytest.raises(UnknownWebhook):
        services.ledger.webhooks.deliveries(webhooks[0]["id"])
    made(client)


@pytest.mark.parametrize("overlap", ["31d", "soon", ""])
def test_an_overlap_that_is_none_is_refused(client: TestClient, overlap: str) -> None:
    path = f"/v1/webhooks/{made(client)['id']}/rotate"
    refused = client.post(path, json={"overlap": overlap})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "overlap")
    assert client.post(path, json={"overlap": "0s"}).json()["old_secret_until"] is None
    assert client.post(path).json()["old_secret_until"] is not None
