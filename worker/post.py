"""One POST to an address that a stranger chose: only where it may lead, for so long, and its answer read no further
than the status.

The name is looked up once, every address it has is checked, and the connection goes to one that was: a second look-up
could be answered with another (DNS rebinding). No redirect is followed and no proxy asked.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from typing import Any, Final, final

from core.webhooks import Network, check_address, check_url

_TLS: Final = ssl.create_default_context()


class Refused(ValueError):
    """The address may not be told; the message says why, and what to do."""


class Unanswered(OSError):
    """No answer came; the message says why."""


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    seconds: float,
    allowed: Sequence[Network],
    tls: ssl.SSLContext = _TLS,
) -> tuple[int, str | None]:
    """Send a body; the answer's status and its header `Retry-After`.

    Args:
        url: as `check_url` accepts it.
        body, headers: as they are sent.
        seconds: for all of it, from the connection to the last line of the answer's head.
        allowed: networks besides the public internet that it may lead to.
        tls: the authorities that are trusted.

    Raises:
        Refused, Unanswered: it was not sent, or nobody answered as HTTP has it.
    """
    try:
        parts = check_url(url, allowed)
    except ValueError as error:
        raise Refused(str(error)) from None
    host, secure = parts.hostname or "", parts.scheme == "https"
    places = _looked_up(host, parts.port or (443 if secure else 80))
    for _, place in places:
        try:
            check_address(parts.scheme, place[0], allowed)
        except ValueError as error:
            raise Refused(str(error)) from None
    connection = _Pinned(host, parts.port or 0, places, seconds, tls if secure else None)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, body, {"Host": parts.netloc, "Connection": "close", **headers})
        answer = connection.getresponse()
        if connection.late:  # its head was cut short, which looks like an end
            raise TimeoutError
        return answer.status, answer.getheader("Retry-After")
    except ssl.SSLCertVerificationError as error:
        raise Unanswered(f"Its certificate is not trusted: {error.verify_message}.") from None
    except (OSError, HTTPException) as error:
        if connection.late or isinstance(error, TimeoutError):
            raise Unanswered(f"It did not answer within {seconds:g} s.") from None
        raise Unanswered(f"There was no answer ({type(error).__name__}).") from None
    finally:
        connection.close()


def _looked_up(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[Any, ...]]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unanswered("Its name was not found.") from None
    return [(family, place) for family, _, _, _, place in found if family in (socket.AF_INET, socket.AF_INET6)]


@final
class _Pinned(HTTPConnection):
    """A connection to places that were looked up before, which is cut when its time is over, whoever talks then."""

    def __init__(
        self,
        host: str,
        port: int,
        places: Sequence[tuple[socket.AddressFamily, tuple[Any, ...]]],
        seconds: float,
        tls: ssl.SSLContext | None,
    ) -> None:
        super().__init__(host, port, timeout=seconds)
        self.late = False
        self._places = places
        self._ends = time.monotonic() + seconds
        self._tls = tls
        self._clock: threading.Timer | None = None

    def connect(self) -> None:
        """Connect to the first place that takes it, and shake hands where the scheme wants that."""
        plain = self._reached()
        self.sock = plain
        self._clock = threading.Timer(max(0.01, self._ends - time.monotonic()), self._cut)
        self._clock.daemon = True
        self._clock.start()
        if self._tls is not None:
            # by hand: a handshake that drags on has to be cut, too
            wrapped = self._tls.wrap_socket(plain, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock = wrapped
            wrapped.do_handshake()

    def close(self) -> None:
        """Close the connection, and the clock that would cut it."""
        if self._clock is not None:
            self._clock.cancel()
        super().close()

    def _reached(self) -> socket.socket:
        trouble: OSError = ConnectionError("the name has no address")
        for family, place in self._places:
            plain = socket.socket(family, socket.SOCK_STREAM)
            try:
                plain.settimeout(max(0.01, self._ends - time.monotonic()))
                plain.connect(place)
                return plain
            except OSError as error:
                plain.close()
                trouble = error
        raise trouble

    def _cut(self) -> None:
        self.late = True
        with suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)  # not SSLSocket's, which takes its state away
