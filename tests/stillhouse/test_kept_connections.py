"""A connection that is kept may end just as it is used again: what can be asked again is, once."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from typing import ClassVar

import pytest

from stillhouse import Client
from stillhouse.errors import Unreachable

PAGE = b'{"items": [], "next": null}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(PAGE), PAGE)


class Fickle(socketserver.StreamRequestHandler):
    """Answers so many requests of each connection, and ends it at the next one without a word."""

    answers: ClassVar[list[int]]

    def handle(self) -> None:
        answers = self.answers.pop(0)
        while self._heard():
            if not answers:
                return
            answers -= 1
            self.wfile.write(ANSWER)

    def _heard(self) -> bool:
        lines = iter(self.rfile.readline, b"")
        return any(line == b"\r\n" for line in lines)


@pytest.fixture
def address() -> Iterator[str]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Fickle) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_kept_connection_that_ended_is_made_anew(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fickle, "answers", [1, 1, 0], raising=False)
    with Client(address) as client:
        assert client.jobs() == []
        assert client.jobs() == [], "on another connection"
        with pytest.raises(Unreachable, match="disconnected"):
            client.jobs()  # the second one ends, and so does the one after it: once is all


def test_a_service_that_never_answered_is_not_asked_twice(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fickle, "answers", [0, 1], raising=False)
    with Client(address) as client, pytest.raises(Unreachable, match="disconnected"):
        client.jobs()
    assert Fickle.answers == [1]
