"""Following a job: pages of events, the event stream, the long poll."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.services import Services
from api.streaming import stream
from core.ledger import Status
from tests.api.test_operations import statements
from tests.api.workshop import Client, Workshop

STREAM = {"Accept": "text/event-stream"}


@dataclass
class Message:
    id: int
    event: str
    data: dict[str, Any]


def messages(response: Any) -> Iterator[Message]:
    for block in response.read().decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            yield Message(int(fields["id"]), fields["event"], json.loads(fields["data"]))


def follow(client: Client, job_id: str, **headers: str) -> list[Message]:
    response = client.get(f"/v1/jobs/{job_id}/events", headers=STREAM | headers)
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert response.headers["Cache-Control"] == "no-cache"
    return list(messages(response))


def until(services: Services, gauge: str, value: float) -> None:
    """Wait until a metric of the service has this value."""
    deadline = time.monotonic() + 30
    while (found := services.metrics.registry.get_sample_value(gauge)) != value:
        assert time.monotonic() < deadline, f"{gauge} is {found}, not {value}"


def tell(workshop: Workshop, job_id: str, number: int) -> None:
    events = [("metric", {"name": "loss", "step": step, "value": 1 / (step + 1)}) for step in range(number)]
    assert workshop.ledger.record(workshop.start(job_id), phase="distilling", events=events)


def test_events_are_read_in_pages(workshop: Workshop) -> None:
    job_id = workshop.submit()
    tell(workshop, job_id, 5)
    page = workshop.client.get(f"/v1/jobs/{job_id}/events", params={"limit": 4}).json()
    assert [event["seq"] for event in page["items"]] == [1, 2, 3, 4]
    assert page["items"][0]["type"] == "job.created"
    assert page["items"][0].keys() == {"seq", "type", "at", "data"}
    rest = workshop.client.get(f"/v1/jobs/{job_id}/events", params={"after": page["next"]}).json()
    assert [event["seq"] for event in rest["items"]] == list(range(5, 5 + len(rest["items"])))
    assert rest["next"] is None


def test_a_stream_of_a_finished_job_tells_all_and_ends(workshop: Workshop) -> None:
    job_id = workshop.submit()
    tell(workshop, job_id, 450)  # more than the stream reads at once
    workshop.succeed(job_id)
    told = follow(workshop.client, job_id)
    stored = workshop.ledger.events(job_id)
    assert [message.id for message in told] == [event.seq for event in stored] == list(range(1, len(stored) + 1))
    assert [message.event for message in told] == [event.type for event in stored]
    assert told[-1].event == "job.succeeded"
    pages = workshop.client.get(f"/v1/jobs/{job_id}/events").json()["items"]
    assert [message.data for message in told[:200]] == pages


def test_a_stream_resumes_where_the_client_was(workshop: Workshop) -> None:
    job_id = workshop.job(Status.FAILED)
    last = len(workshop.ledger.events(job_id))
    assert [message.id for message in follow(workshop.client, job_id, **{"Last-Event-ID": "1"})] == list(
        range(2, last + 1)
    )
    response = workshop.client.get(f"/v1/jobs/{job_id}/events", headers=STREAM | {"Last-Event-ID": str(last)})
    assert response.status_code == 204, "a browser reconnects until it is told 204"


def test_a_stream_goes_on_after_the_end_of_an_earlier_attempt(workshop: Workshop) -> None:
    job_id = workshop.job(Status.FAILED)
    workshop.client.post(f"/v1/jobs/{job_id}/retry")
    workshop.claims.clear()
    ended = threading.Timer(0.6, workshop.succeed, [job_id])
    ended.start()
    told = [message.event for message in follow(workshop.client, job_id)]
    ended.join()
    assert told.index("job.failed") < told.index("job.requeued") < told.index("job.succeeded") == len(told) - 1


def test_a_stream_of_a_job_that_is_deleted_ends(workshop: Workshop, services: Services) -> None:
    job = services.ledger.job(workshop.job(Status.CANCELLED))
    workshop.client.delete(f"/v1/jobs/{job.id}")

    async def told() -> list[bytes]:
        return [chunk async for chunk in stream(services, job, 0)]

    assert len(asyncio.run(told())) == 1  # the pause after which to ask again


def test_a_stream_tells_while_it_happens(workshop: Workshop) -> None:
    job_id = workshop.job(Status.RUNNING)

    def work() -> None:
        for _ in range(20):
            tell(workshop, job_id, 3)
        workshop.succeed(job_id)

    worker = threading.Thread(target=work)
    worker.start()
    told = follow(workshop.client, job_id)
    worker.join()
    assert [message.id for message in told] == list(range(1, len(workshop.ledger.events(job_id)) + 1))


def test_streams_of_a_job_share_what_they_read(workshop: Workshop, services: Services) -> None:
    """Many that are there already read together: each event once for all of them."""
    job_id, streams = workshop.job(Status.RUNNING), 20
    stories: list[list[Message]] = []
    followers = [
        threading.Thread(target=lambda: stories.append(follow(workshop.client, job_id))) for _ in range(streams)
    ]
    with statements(services) as sent:
        for follower in followers:
            follower.start()
        until(services, "stillhouse_sse_connections", streams)
        workshop.succeed(job_id)
        for follower in followers:
            follower.join()
    assert len(stories) == streams
    assert all(story == stories[0] for story in stories)
    assert stories[0][-1].event == "job.succeeded"
    readings = [statement for statement in sent if "FROM job_events" in statement]
    assert len(readings) < 2 * streams, "its events so far once each, at most; the rest together"


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED, Status.CANCELLED])
def test_waiting_for_what_is_over_takes_no_time(workshop: Workshop, status: Status) -> None:
    job_id = workshop.job(status)
    began = time.monotonic()
    assert workshop.client.get(f"/v1/jobs/{job_id}?wait=30").json()["status"] == status
    assert time.monotonic() - began < 5


def test_waiting_ends_when_the_status_changes(workshop: Workshop, services: Services) -> None:
    job_id = workshop.submit()
    answers: list[Any] = []
    waiting = threading.Thread(target=lambda: answers.append(workshop.client.get(f"/v1/jobs/{job_id}?wait=60")))
    began = time.monotonic()
    waiting.start()
    until(services, "stillhouse_long_polls", 1)
    workshop.start(job_id)
    waiting.join(60)
    assert answers[0].json()["status"] == "running"
    assert time.monotonic() - began < 30


def test_waiting_ends_when_the_time_is_up(client: TestClient, workshop: Workshop) -> None:
    job_id = workshop.submit()
    began = time.monotonic()
    assert client.get(f"/v1/jobs/{job_id}?wait=0.6").json()["status"] == "queued"
    assert time.monotonic() - began >= 0.6


def test_a_waiting_client_holds_no_database_connection(workshop: Workshop, services: Services) -> None:
    """Sixty waiting clients, more than there are threads, and the pool is as good as empty."""
    job_id = workshop.submit()
    paths = [f"/v1/jobs/{job_id}?wait=60"] * 30 + [f"/v1/jobs/{job_id}/events"] * 30
    waiting = [threading.Thread(target=workshop.client.get, args=[path], kwargs={"headers": STREAM}) for path in paths]
    for thread in waiting:
        thread.start()
    pool = services.ledger.database.engine.pool
    try:
        until(services, "stillhouse_sse_connections", 30)
        until(services, "stillhouse_long_polls", 30)
        deadline = time.monotonic() + 30
        while pool.checkedout() > 3:  # type: ignore[attr-defined]  # a poll that is just looking
            assert time.monotonic() < deadline
        assert workshop.client.get("/healthz").status_code == 200
    finally:
        services.closing.set()  # the service leaves: every one of them is let go
        for thread in waiting:
            thread.join(30)
    assert not any(thread.is_alive() for thread in waiting)
