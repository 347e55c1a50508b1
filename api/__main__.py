"""`python -m api`: serve the API where the settings say, until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import gc
import resource
import socket
import sys
from collections.abc import Sequence
from typing import Final, final

import uvicorn

from api.app import create_app
from api.protocol import Patient
from core import lifeline, logs
from core.settings import Settings, settings

GRACE = 5
"""Seconds a response that is being sent has to end after the service was told to stop."""

_OPEN_FILES: Final = 1 << 16

_TURN: Final = 0.001
"""Seconds that a thread which computes has the interpreter while others want it: with the forty threads of requests,
Python's own 5 ms would let the event loop, and with it every answer, wait for 200."""


@final
class Server(uvicorn.Server):
    """Uvicorn, which waits for open responses before it stops; streams are told first, so that they do end."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Come up, and say where."""
        await super().startup(sockets)
        gc.collect()
        sys.setswitchinterval(_TURN)
        gc.freeze()  # what is here now stays: no later collection, which stops all answers, looks at it again
        for listener in sockets or []:
            host, port = listener.getsockname()[:2]
            print(f"Stillhouse API: http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let long polls and event streams end now; then stop as uvicorn does."""
        self.config.app.state.services.closing.set()  # type: ignore[union-attr]  # our own application
        await super().shutdown(sockets)


def configured(settings: Settings) -> uvicorn.Config:
    """The application as uvicorn is to run it."""
    return uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        http=Patient,
        forwarded_allow_ips=settings.trusted_proxies,
        access_log=False,  # the middleware logs each request, with its id
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve; exit status 3 if the service cannot start."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(lifeline.OPTION, action="store_true", help="end when standard input closes")
    if parser.parse_args(arguments).life_line:
        lifeline.hold(politely=True)
    configuration = settings()
    logs.configure(configuration)
    _welcome_many()
    config = configured(configuration)
    listener = config.bind_socket()
    # Head and body of an answer are two writes: without this the second waits 40 ms for the client's delayed
    # acknowledgement. Accepted sockets inherit it; asyncio sets it only where it knows the protocol to be TCP.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    Server(config).run(sockets=[listener])


def _welcome_many() -> None:
    """Have as many files open as the system lets this process: each event stream is one, and 1,024 are soon used up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if resource.RLIM_INFINITY != soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


if __name__ == "__main__":
    main()
