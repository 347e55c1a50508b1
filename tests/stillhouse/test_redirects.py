"""An address that redirects is followed to read alone; an answer that is not the service's is told as such."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import final

import pytest

from stillhouse import Client, Job
from stillhouse.errors import Unreachable, UsageError
from tests.stillhouse.running import Running, command


@final
class Front(ThreadingHTTPServer):
    """A server that gives the same answer to every request, and keeps the headers of each."""

    def __init__(self, status: int, body: bytes = b"", location: str | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.status, self.body, self.location = status, body, location
        """`location` is where a redirect leads; the path of the request is added to it."""
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.keys: list[str | None] = []
        """The `Authorization` of each request."""


class Answering(BaseHTTPRequestHandler):
    """One request to a `Front`."""

    server: Front

    def answer(self) -> None:
        """Answer what the server answers."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.keys.append(self.headers.get("Authorization"))
        self.send_response(self.server.status)
        if self.server.location is not None:
            self.send_header("Location", f"{self.server.location}{self.path}")
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815


@contextmanager
def standing(server: Front) -> Iterator[Front]:
    """The server, which answers while the block lasts."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_what_changes_something_is_not_sent_elsewhere(running: Running, finished: Job, status: int) -> None:
    count = len(running.kept.jobs(limit=1000))
    with standing(Front(status, location=running.url)) as front:
        shown = command("show", finished.id, "--json", STILLHOUSE_URL=front.url)
        assert shown.json["id"] == finished.id, "reading goes on where the service is"
        told = [
            command(*words, STILLHOUSE_URL=front.url)
            for words in (
                ("delete", finished.id, "--yes"),
                ("submit", "digits", "--ipc", 3, "--method", "random"),
                ("webhooks", "change", "hook_1", "--url", "https://example.org"),
            )
        ]
    assert [answer.code for answer in told] == [2, 2, 2], told
    assert [answer.out for answer in told] == ["", "", ""]
    for answer in told:
        assert answer.err.endswith(f"set STILLHOUSE_URL to {running.url}\n")
    assert len(running.kept.jobs(limit=1000)) == count


def test_a_redirect_to_something_else_names_no_address_to_set() -> None:
    told = r"redirects to https://login.example/, .* is STILLHOUSE_URL right\?"
    with (
        standing(Front(302, location="https://login.example/?from=")) as front,
        Client(front.url) as client,
        pytest.raises(UsageError, match=told),
    ):
        client.cancel("job_1")


def test_a_key_is_not_sent_to_another_address() -> None:
    with (
        standing(Front(200, b'{"items": []}')) as other,
        standing(Front(302, location=other.url)) as front,
        Client(front.url, "secret") as client,
    ):
        assert client.keys() == []
        assert (front.keys, other.keys) == (["Bearer secret"], [None])


def test_an_address_that_redirects_to_itself_is_told() -> None:
    with (
        standing(Front(302, location="")) as front,
        Client(front.url) as client,
        pytest.raises(Unreachable, match="is not Stillhouse"),
    ):
        client.methods()


@pytest.mark.parametrize("body", [b"<h1>Welcome</h1>", b"{}", b"[]", b'"ok"', b""])
def test_an_answer_of_something_else_is_told(body: bytes) -> None:
    with standing(Front(200, body)) as front, Client(front.url) as client:
        for call in (
            lambda: client.submit("digits", ipc=1),
            lambda: client.forecast("digits", ipc=1),
            lambda: client.advise("digits", ipc=1),
            lambda: client.job("job_1"),
            lambda: client.delete("job_1"),
            lambda: client.delete_dataset("ds_1"),
            lambda: client.revoke_key("key_1"),
            lambda: client.create_key("laptop"),
            lambda: client.link("job_1"),
            lambda: client.dataset("birds"),
            lambda: client.datasets(),
            lambda: client.webhooks.create("https://example.org"),
        ):
            with pytest.raises(Unreachable, match="is not Stillhouse"):
                call()
