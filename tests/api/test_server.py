"""The service in a process of its own: streams, bodies on the wire, and its end."""

from __future__ import annotations

import collections
import itertools
import json
import resource
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.ledger import Status
from core.settings import Settings
from tests.api.serving import PATIENCE, Server, serving
from tests.api.workshop import ON_SQLITE, key, request

STREAM = {"Accept": "text/event-stream"}


@pytest.fixture
def mortal(settings: Settings, artifact: Path) -> Iterator[Server]:
    """A service for a test that ends it, on either database."""
    with serving(settings, artifact) as server:
        yield server


def events(response: httpx.Response) -> Iterator[dict[str, Any]]:
    for line in response.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def tell(server: Server, job_id: str, number: int) -> None:
    reported = [("metric", {"name": "loss", "step": step, "value": 0.5}) for step in range(number)]
    assert server.workshop.ledger.record(server.workshop.start(job_id), phase="distilling", events=reported)


def assert_no_stream_is_left(server: Server) -> None:
    """The service notices soon that a follower has gone."""
    deadline = time.monotonic() + PATIENCE
    while "stillhouse_sse_connections 0.0" not in server.workshop.client.get("/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def exchange(server: Server, *parts: bytes) -> bytes:
    """The service's answer to these bytes; the rest is not sent once it has answered."""
    with socket.create_connection(server.address, PATIENCE) as wire:
        for part in parts:
            try:
                wire.sendall(part)
            except (BrokenPipeError, ConnectionResetError):
                break
        answer = b""
        try:
            while piece := wire.recv(65536):
                answer += piece
        except ConnectionResetError:
            assert answer, "reset without an answer"
        return answer


def test_a_stream_that_breaks_is_continued_without_a_gap(server: Server) -> None:
    workshop, url = server.workshop, "/v1/jobs/{}/events"
    job_id = workshop.submit()
    tell(server, job_id, 10)
    seen: list[int] = []
    with workshop.client.stream("GET", url.format(job_id), headers=STREAM) as response:
        for event in events(response):
            seen.append(event["seq"])
            if len(seen) == 7:
                break  # the line is cut
    assert_no_stream_is_left(server)
    tell(server, job_id, 10)  # meanwhile the job goes on
    resumed = STREAM | {"Last-Event-ID": str(seen[-1])}
    with workshop.client.stream("GET", url.format(job_id), headers=resumed) as response:
        for event in events(response):
            seen.append(event["seq"])
            if len(seen) == 15:
                workshop.succeed(job_id)
    stored = [event.seq for event in workshop.ledger.events(job_id)]
    assert seen == stored == list(range(1, len(stored) + 1))


def test_a_stream_says_something_as_soon_as_it_is_open(server: Server) -> None:
    job_id = server.workshop.submit()
    with server.workshop.client.stream("GET", f"/v1/jobs/{job_id}/events", headers=STREAM) as response:
        assert response.headers["X-Accel-Buffering"] == "no"
        assert response.headers["Transfer-Encoding"] == "chunked"
        assert next(events(response))["type"] == "job.created"


@ON_SQLITE
def test_streams_and_polls_end_with_their_key(settings: Settings, artifact: Path) -> None:
    with (
        serving(settings.model_copy(update={"auth": "keys"}), artifact) as server,
        ThreadPoolExecutor(1) as other,
    ):
        workshop, client = server.workshop, server.workshop.client
        operator = key(workshop.ledger, "root", "admin")
        made, secret = workshop.ledger.keys.create("alice", "leaked")
        client.headers["Authorization"] = f"Bearer {secret}"
        job_id = workshop.submit()
        with client.stream("GET", f"/v1/jobs/{job_id}/events", headers=STREAM) as response:
            following = events(response)
            assert next(following)["type"] == "job.created"
            poll = other.submit(client.get, f"/v1/jobs/{job_id}?wait=60")
            deadline = time.monotonic() + PATIENCE
            while "stillhouse_long_polls 1.0" not in client.get("/metrics", headers=operator).text:
                assert time.monotonic() < deadline
            began = time.monotonic()
            workshop.ledger.keys.revoke(made.id)
            assert list(following) == []
            assert time.monotonic() - began < 12, "it looks every five seconds, and before it tells anything"
        workshop.start(job_id)
        assert poll.result().status_code == 401


@ON_SQLITE
def test_more_streams_than_the_systems_first_limit_of_open_files_shut_nobody_out(
    settings: Settings, artifact: Path
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = 64
    with ExitStack() as stack:
        resource.setrlimit(resource.RLIMIT_NOFILE, (few, hard))  # which the service inherits
        try:
            server = stack.enter_context(serving(settings, artifact))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        job_id = server.workshop.submit()
        follow = f"GET /v1/jobs/{job_id}/events HTTP/1.1\r\nHost: h\r\nAccept: text/event-stream\r\n\r\n"
        for _ in range(few):
            wire = stack.enter_context(socket.create_connection(server.address, PATIENCE))
            wire.sendall(follow.encode())
        assert httpx.get(f"{server.url}/v1/jobs/{job_id}", timeout=PATIENCE).status_code == 200


def test_a_small_answer_waits_for_no_acknowledgement(server: Server) -> None:
    """The client's kernel delays its acknowledgements by 40 ms, once a connection is no longer new."""
    client, seconds = server.workshop.client, []
    for _ in range(50):
        began = time.perf_counter()
        client.get("/healthz")
        seconds.append(time.perf_counter() - began)
    assert statistics.median(seconds) < 0.03


@ON_SQLITE
def test_a_process_whose_threads_all_wait_for_the_database_lives(mortal: Server) -> None:
    def order() -> httpx.Response:
        return httpx.post(f"{mortal.url}/v1/jobs", json=request(), timeout=PATIENCE, trust_env=False)

    def stuck() -> bool:
        try:
            httpx.get(f"{mortal.url}/problems", timeout=0.5, trust_env=False)
        except httpx.ReadTimeout:
            return True
        return False

    with ThreadPoolExecutor(48) as people:
        with mortal.workshop.ledger.database.write():
            asked = [people.submit(order) for _ in range(48)]
            deadline = time.monotonic() + PATIENCE
            while not stuck():
                assert time.monotonic() < deadline
            began = time.monotonic()
            alive = httpx.get(f"{mortal.url}/healthz", timeout=PATIENCE, trust_env=False)
            assert (alive.status_code, time.monotonic() - began < 1) == (200, True)
        for answer in asked:
            status = answer.result().status_code
            assert status == 202 or (status, "Retry-After" in answer.result().headers) == (503, True)


def test_files_are_ranged_and_conditional_on_the_wire(server: Server) -> None:
    client, job_id = server.workshop.client, server.workshop.job(Status.SUCCEEDED)
    url = f"/v1/jobs/{job_id}/files/data/train-00000-of-00001.parquet"
    whole, head = client.get(url), client.head(url)
    assert (head.content, head.headers["Content-Length"]) == (b"", str(len(whole.content)))
    assert client.get(url, headers={"Range": "bytes=-8"}).content == whole.content[-8:]
    unchanged = client.get(url, headers={"If-None-Match": whole.headers["ETag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    missing = client.head(f"/v1/jobs/{job_id}/files/absent")
    assert (missing.status_code, missing.content) == (404, b"")
    assert client.get(f"/v1/jobs/{job_id}/archive.zip").content.startswith(b"PK")


@pytest.mark.parametrize(
    "name", [b"../manifest.json", b"../../../../etc/passwd", b"%2e%2e%2fmanifest.json", b"a\\..\\b"]
)
def test_a_raw_path_leads_nowhere(server: Server, name: bytes) -> None:
    job_id = server.workshop.job(Status.SUCCEEDED)
    path = f"/v1/jobs/{job_id}/files/".encode() + name
    answer = exchange(server, b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400"))


def test_a_huge_body_is_refused_before_it_is_sent(server: Server) -> None:
    head = b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9999999999\r\n\r\n"
    answer = exchange(server, head)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"application/problem+json" in answer
    assert b"body-too-large" in answer


def test_a_huge_body_without_a_length_is_refused_as_it_comes(server: Server) -> None:
    head = b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    answer = exchange(server, head, *[chunk] * 100, b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"body-too-large" in answer


@pytest.mark.parametrize("content", [b" " * 10 * 2**20, [b" " * 2**20] * 10], ids=["announced", "chunked"])
def test_a_client_that_sends_all_before_it_listens_hears_the_refusal(
    server: Server, content: bytes | list[bytes]
) -> None:
    for _ in range(5):
        response = server.workshop.client.post(
            "/v1/jobs", content=content, headers={"Content-Type": "application/json"}
        )
        assert (response.status_code, response.json()["type"]) == (413, "/problems#body-too-large")


def test_a_client_that_never_stops_sending_is_cut_off(server: Server) -> None:
    head = b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    ten_gigabytes = itertools.repeat(b"100000\r\n" + b" " * 0x100000 + b"\r\n", 10_000)
    with socket.create_connection(server.address, PATIENCE) as wire:
        wire.sendall(head)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            collections.deque(map(wire.sendall, ten_gigabytes), maxlen=0)
    assert server.workshop.client.get("/healthz").status_code == 200


def test_a_small_body_without_a_length_is_read(server: Server) -> None:
    body = b'{"dataset": "digits", "ipc": 3, "method": "random"}'
    response = server.workshop.client.post(
        "/v1/jobs", content=iter([body[:9], body[9:]]), headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 202


@ON_SQLITE
def test_a_stop_ends_open_streams_and_polls_within_seconds(mortal: Server) -> None:
    workshop = mortal.workshop
    job_id = workshop.submit()
    answers: list[httpx.Response] = []

    def wait() -> None:
        answers.append(httpx.get(f"{mortal.url}/v1/jobs/{job_id}?wait=60", timeout=PATIENCE, trust_env=False))

    polling = threading.Thread(target=wait)
    with workshop.client.stream("GET", f"/v1/jobs/{job_id}/events", headers=STREAM) as response:
        stream = events(response)
        assert next(stream)["type"] == "job.created"
        polling.start()
        deadline = time.monotonic() + PATIENCE
        while "stillhouse_long_polls 1.0" not in httpx.get(f"{mortal.url}/metrics", trust_env=False).text:
            assert time.monotonic() < deadline
        began = time.monotonic()
        mortal.stop()
        assert time.monotonic() - began < 5
        assert list(stream) == [], "the stream ended by itself, it was not cut"
    polling.join()
    assert answers[0].json()["status"] == "queued"


def test_streams_and_cursors_outlive_their_process(mortal: Server, settings: Settings, artifact: Path) -> None:
    older, job_id = mortal.workshop.submit(), mortal.workshop.submit()
    tell(mortal, job_id, 3)
    page = mortal.workshop.client.get("/v1/jobs?limit=1").json()
    with mortal.workshop.client.stream("GET", f"/v1/jobs/{job_id}/events", headers=STREAM) as response:
        first = next(events(response))
        mortal.stop()
    with serving(settings, artifact) as successor:
        rest = successor.workshop.client.get("/v1/jobs", params={"limit": 1, "after": page["next"]}).json()
        assert [job["id"] for job in rest["items"]] == [older]
        mortal.workshop.succeed(job_id)
        resumed = STREAM | {"Last-Event-ID": str(first["seq"])}
        response = successor.workshop.client.get(f"/v1/jobs/{job_id}/events", headers=resumed)
        continued = [event["seq"] for event in events(response)]
    assert continued == list(range(first["seq"] + 1, len(mortal.workshop.ledger.events(job_id)) + 1))
