"""The place of a job in the queue, and the workers that may have it, as a client says them."""

from __future__ import annotations

from core.ledger import Ability
from tests.api.workshop import Workshop, request


def test_priority_and_place_are_no_part_of_the_request(workshop: Workshop) -> None:
    client, plain, asked = workshop.client, request(), request()
    before = client.post("/v1/jobs", json=plain).json()
    assert (before["priority"], before["runs_on"], before["waits_for"]) == (0, "any", None)
    assert before["memory_bytes"] > 0
    job = client.post("/v1/jobs", json=asked | {"priority": 3, "runs_on": "gpu"}).json()
    assert (job["priority"], job["runs_on"], job["queue_position"]) == (3, "gpu", 1)
    assert not {"priority", "runs_on"} & job["request"].keys()
    assert client.get(f"/v1/jobs/{before['id']}").json()["queue_position"] == 2
    again = client.post("/v1/jobs", json=asked).json()
    assert (again["id"], again["fingerprint"], again["priority"]) == (job["id"], job["fingerprint"], 3), "it keeps it"
    assert again["runs_on"] == "gpu"
    workshop.ledger.register_worker("w", "cpu", "here", ability=Ability(gpu=False))
    assert "with a GPU" in client.get(f"/v1/jobs/{job['id']}").json()["waits_for"]
    assert client.get(f"/v1/jobs/{before['id']}").json()["waits_for"] is None
    for wrong in ({"priority": 101}, {"priority": 1.5}, {"runs_on": "tpu"}):
        refused = client.post("/v1/jobs", json=asked | wrong)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] in wrong
    key = {"Idempotency-Key": "k"}
    assert client.post("/v1/jobs", json=request(seed=9) | {"priority": 1}, headers=key).status_code == 202
    other = client.post("/v1/jobs", json=request(seed=9) | {"priority": 2}, headers=key)
    assert "another body" in other.json()["detail"]


def test_the_same_request_again_moves_a_queued_job_as_its_advice_says(workshop: Workshop) -> None:
    client, asked = workshop.client, request()
    workshop.ledger.register_worker("w", "cpu", "here", ability=Ability(gpu=False))
    job = client.post("/v1/jobs", json=asked | {"runs_on": "gpu", "priority": 3}).json()
    assert "submit the same again with runs_on 'any'" in job["waits_for"]
    moved = client.post("/v1/jobs", json=asked | {"runs_on": "any"}).json()
    assert (moved["id"], moved["runs_on"], moved["priority"], moved["waits_for"]) == (job["id"], "any", 3, None)
    first = client.post("/v1/jobs", json=asked | {"priority": 50}).json()
    assert (first["id"], first["runs_on"], first["priority"]) == (job["id"], "any", 50)
    assert first["memory_bytes"] == job["memory_bytes"]
    claim = workshop.start(job["id"])
    kept = client.post("/v1/jobs", json=asked | {"runs_on": "gpu", "priority": 0}).json()
    assert (kept["status"], kept["runs_on"], kept["priority"]) == ("running", "any", 50)
    assert workshop.ledger.release(claim, "the worker is told to stop")
    assert client.get(f"/v1/jobs/{job['id']}").json()["runs_on"] == "any"


def test_what_the_form_shows_is_said(workshop: Workshop) -> None:
    client, asked = workshop.client, request()
    job = client.post("/v1/jobs", json=asked | {"runs_on": "gpu", "priority": 3}).json()
    sent = client.post("/new", data={name: str(value) for name, value in asked.items()}, follow_redirects=False)
    assert sent.headers["location"] == f"/jobs/{job['id']}"
    now = client.get(f"/v1/jobs/{job['id']}").json()
    assert (now["runs_on"], now["priority"]) == ("any", 0)
