"""Shares of the service: each owner has their own, so large and no larger, and what opens it ends with its key."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI

from core.settings import Settings
from tests.api.workshop import ON_SQLITE, Workshop, key, request

BROWSER = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"auth": "keys", "max_open_jobs": 3})


@ON_SQLITE
def test_a_quota_is_an_owners_and_says_when_to_come_again(
    workshop: Workshop, people: dict[str, dict[str, str]]
) -> None:
    client = workshop.client
    client.headers.update(people["alice"])
    jobs = [workshop.submit() for _ in range(3)]
    response = client.post("/v1/jobs", json=request())
    assert response.status_code == 429
    assert int(response.headers["Retry-After"]) > 0
    assert (response.json()["allowed"], response.json()["current"]) == (3, 3)
    assert client.get("/v1/me").json()["open_jobs"] == {"used": 3, "allowed": 3}
    assert client.post("/v1/jobs", json=request(), headers=people["bob"]).status_code == 202
    client.post(f"/v1/jobs/{jobs[0]}/cancel")
    assert client.post("/v1/jobs", json=request()).status_code == 202
    assert client.post(f"/v1/jobs/{jobs[0]}/retry").status_code == 429


@ON_SQLITE
def test_results_have_a_room_of_their_owners_and_deleting_makes_some(
    workshop: Workshop, app: FastAPI, people: dict[str, dict[str, str]]
) -> None:
    client, order = workshop.client, request()
    client.headers.update(people["alice"])
    assert client.get("/v1/me").json()["result_bytes"]["used"] == 0
    job_id = client.post("/v1/jobs", json=order).json()["id"]
    workshop.succeed(job_id)
    used = sum(file["bytes"] for file in client.get(f"/v1/jobs/{job_id}/files").json()["items"])
    assert client.get("/v1/me").json()["result_bytes"] == {"used": used, "allowed": 100 * 2**30}
    services = app.state.services
    artifact = client.post("/v1/forecasts", json=order).json()["bytes"]["artifact"]
    most = used + 2 * artifact
    app.state.services = replace(services, settings=services.settings.model_copy(update={"max_result_bytes": most}))
    opened = [client.post("/v1/jobs", json=request()).json()["id"] for _ in range(2)]
    client.post(f"/v1/jobs/{opened[0]}/pause")
    refused = client.post("/v1/jobs", json=request())
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems#results-full")
    assert (refused.json()["allowed"], refused.json()["current"]) == (most, used)
    assert f"open jobs are forecast to bring {2 * artifact:,}. This one would bring" in refused.json()["detail"]
    assert "DELETE /v1/jobs/{id}" in refused.json()["hint"]
    assert client.post(f"/v1/jobs/{opened[0]}/resume").status_code == 202, "it was counted while it was paused"
    client.post(f"/v1/jobs/{opened[0]}/cancel")
    assert client.post("/v1/jobs", json=request()).status_code == 202, "and a cancelled one is not"
    assert client.post(f"/v1/jobs/{opened[0]}/retry").json()["type"] == "/problems#results-full"
    assert client.post("/v1/jobs", json=order).json()["cached"] is True
    assert client.post("/v1/jobs", json=request(), headers=people["bob"]).status_code == 202
    pages = {who: client.get("/system", headers=people[who] | BROWSER).text for who in people}
    assert ["alice" in pages[who] for who in ("alice", "bob", "root")] == [True, False, True]
    for each in client.get("/v1/jobs?status=queued").json()["items"]:
        client.post(f"/v1/jobs/{each['id']}/cancel")
    most = used + artifact - 1
    app.state.services = replace(services, settings=services.settings.model_copy(update={"max_result_bytes": most}))
    assert client.post("/v1/jobs", json=request()).status_code == 403
    assert client.delete(f"/v1/jobs/{job_id}").status_code == 204
    assert client.post("/v1/jobs", json=request()).status_code == 202


@ON_SQLITE
def test_a_link_needs_no_key_and_ends_with_the_one_it_was_made_with(
    workshop: Workshop, people: dict[str, dict[str, str]]
) -> None:
    client = workshop.client
    client.headers.update(people["alice"])
    job_id = workshop.submit()
    workshop.succeed(job_id)
    del client.headers["Authorization"]
    order = f"/v1/jobs/{job_id}/links"
    refused = [client.post(order, json={}, headers=shown) for shown in (people["bob"], {})]
    assert [answer.status_code for answer in refused] == [404, 401]
    assert client.post(order, json={}, headers=key(workshop.ledger, "alice", "jobs:read")).status_code == 403
    url = client.post(order, json={"name": "report.json"}, headers=people["alice"]).json()["url"]
    assert [client.get(url, headers=shown).status_code for shown in ({}, people["bob"])] == [200, 200]
    for held in workshop.ledger.keys.all():
        if held.owner == "alice":
            workshop.ledger.keys.revoke(held.id)
    assert client.get(url).status_code == 404


@ON_SQLITE
def test_nobody_finds_anothers_webhook(workshop: Workshop, people: dict[str, dict[str, str]]) -> None:
    client, order = workshop.client, {"url": "https://example.org/"}
    assert (
        client.post("/v1/webhooks", json=order, headers=key(workshop.ledger, "alice", "jobs:read")).status_code == 403
    )
    path = "/v1/webhooks/" + client.post("/v1/webhooks", json=order, headers=people["alice"]).json()["id"]
    delivery = client.post(f"{path}/test", headers=people["alice"]).json()["id"]
    body = {"json": {}}
    asked: list[tuple[str, str, dict[str, Any]]] = [
        *(("GET", path + below, {}) for below in ("", "/deliveries")),
        *(("POST", path + below, body) for below in ("/rotate", "/test", f"/deliveries/{delivery}/replay")),
        *(("PATCH", path, body), ("DELETE", path, {})),
    ]
    for method, where, sent in asked:
        assert client.request(method, where, headers=people["bob"], **sent).status_code == 404, where
    for method, where, sent in asked:
        assert client.request(method, where, headers=people["root"], **sent).status_code < 300, where
    listed = [client.get("/v1/webhooks", headers=people[who]).json()["items"] for who in ("bob", "root")]
    assert listed == [[], []]
    mine = client.post("/v1/webhooks", json=order, headers=people["alice"]).json()["id"]
    seen = [client.get("/v1/webhooks", headers=people[who]).json()["items"] for who in ("alice", "bob", "root")]
    assert [[each["id"] for each in items] for items in seen] == [[mine], [], [mine]]
