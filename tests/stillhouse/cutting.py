"""A bad line to a good service: a TCP proxy that hangs up after so many bytes, as often as it is told to."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import final
from urllib.parse import urlsplit


@final
class Line:
    """Forwards connections; each of the next `cuts` of them is cut after `length` bytes of answer, or of request."""

    def __init__(self, target: str) -> None:
        address = urlsplit(target)
        self._target = (address.hostname, address.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.cuts = 0
        self.length = 0
        self.of_requests = False
        """Whether requests are cut in the place of answers."""
        self.sent = 0
        """Bytes of requests that have passed."""
        self.mute_beyond: int | None = None
        """The bytes of an answer that pass; of what follows none does, and nothing is hung up."""
        self._closed = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._closed.set()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target)
                threading.Thread(target=self._pump, args=(near, far, False), daemon=True).start()
                threading.Thread(target=self._pump, args=(far, near, True), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, answer: bool) -> None:
        passed = 0
        with contextlib.suppress(OSError), source, sink:
            while piece := source.recv(1024):
                if answer != self.of_requests and self.cuts and passed + len(piece) > self.length:
                    self.cuts -= 1
                    sink.sendall(piece[: self.length - passed])
                    break
                if answer and self.mute_beyond is not None and passed + len(piece) > self.mute_beyond:
                    sink.sendall(piece[: self.mute_beyond - passed])
                    self._closed.wait()
                    break
                sink.sendall(piece)
                passed += len(piece)
                self.sent += 0 if answer else len(piece)
            for end in (source, sink):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def line_to(target: str) -> Iterator[Line]:
    """A line to the service at `target`."""
    line = Line(target)
    try:
        yield line
    finally:
        line.close()
