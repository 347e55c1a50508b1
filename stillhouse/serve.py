"""The whole service on one machine: child processes that live and die together."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Self, final

import httpx

from stillhouse.errors import ClientError, UsageError
from stillhouse.server import python

_TICK = 0.1
_START_SECONDS = 180.0
_STOP_SECONDS = 40.0  # the worker gives its engine 25 s to write a checkpoint


@dataclass(frozen=True)
class Address:
    """Where a service will listen and keep its state."""

    host: str
    port: int
    home: Path

    @property
    def url(self) -> str:
        """The address that a client on this machine puts into STILLHOUSE_URL."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


@final
class Signals:
    """Counts the requests to end (SIGINT, SIGTERM, SIGHUP) while it is entered."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Self:
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        self._before = {number: signal.signal(number, self._note) for number in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1


def claim_address(host: str, port: int, home: Path) -> Address:
    """The address to listen on, found to be free a moment ago; port 0 takes any free one.

    Raises:
        UsageError: the port is taken, or the host is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            raise UsageError(
                f"Cannot listen on {host}:{port}: {error.strerror or error}. "
                "Choose another port with --port, or 0 for any free one."
            ) from error
        return Address(host, int(probe.getsockname()[1]), home)


def serve(address: Address, ready: Callable[[Address], None], workers: int = 1) -> None:
    """Run the service until SIGINT or SIGTERM; then stop every process of it, and only return when they are gone.

    `ready` is called once, as soon as the service takes jobs. A second signal kills instead of waiting. Several workers
    have the processors between them, and a GPU each as far as there are any.

    Raises:
        ClientError: a part of the service ended by itself or did not come up; the others are stopped.
    """
    address.home.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "STILLHOUSE_HOST": address.host,
        "STILLHOUSE_PORT": str(address.port),
        "STILLHOUSE_HOME": str(address.home),
    }
    children: dict[str, subprocess.Popen[bytes]] = {}
    with Signals() as signals:
        try:
            children["api"] = _start("api", environment)  # which brings the ledger up to date
            if _becomes_ready(address, children, signals):
                children["worker"] = _start("worker", environment, f"--workers={workers}")  # which sweeps as well
                ready(address)
            while not signals.count:
                _check(children)
                time.sleep(_TICK)
        finally:
            _stop(children, signals)


def _start(part: str, environment: Mapping[str, str], *more: str) -> subprocess.Popen[bytes]:
    # Standard output is for data: what a part says goes to standard error. Standard input is its life line: it closes
    # with this process, be that by `kill -9`, and then the part ends as if it had been told to.
    command = python(part, "--life-line", *more)
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=2, start_new_session=True)


def _becomes_ready(address: Address, children: Mapping[str, subprocess.Popen[bytes]], signals: Signals) -> bool:
    """Wait until the service takes jobs; False if it was asked to end before."""
    deadline, why = time.monotonic() + _START_SECONDS, "It did not answer."
    with httpx.Client(trust_env=False, timeout=2) as http:
        while not signals.count:
            _check(children)
            try:
                answer = http.get(f"{address.url}/readyz")
                if answer.status_code == 200:
                    return True
                why = str(answer.json()["detail"])
            except (httpx.TransportError, ValueError, KeyError):
                pass  # not listening yet
            if time.monotonic() > deadline:
                raise ClientError(
                    f"The service was not ready within {_START_SECONDS:.0f} s: {why} What it said is above; if that is "
                    "nothing, start it again once the machine has less to do."
                )
            time.sleep(_TICK)
    return False


def _check(children: Mapping[str, subprocess.Popen[bytes]]) -> None:
    for part, child in children.items():
        code = child.poll()
        if code == UsageError.exit_code:
            raise UsageError(f"The {part} process cannot start like this; the service stops. Its messages are above.")
        if code is not None:
            how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
            raise ClientError(f"The {part} process ended {how}; the service stops. Its messages are above.")


def _stop(children: Mapping[str, subprocess.Popen[bytes]], signals: Signals) -> None:
    """End every child's process group: politely, then, after a while or another signal, at once."""
    deadline, told = time.monotonic() + _STOP_SECONDS, signals.count
    _tell(children, signal.SIGTERM)
    while any(child.poll() is None for child in children.values()):
        if time.monotonic() > deadline or signals.count > told:
            break
        time.sleep(_TICK)
    _tell(children, signal.SIGKILL)
    for child in children.values():
        child.wait()
        if child.stdin is not None:
            child.stdin.close()


def _tell(children: Mapping[str, subprocess.Popen[bytes]], number: signal.Signals) -> None:
    for child in children.values():
        with contextlib.suppress(ProcessLookupError):  # the whole group is gone
            os.killpg(child.pid, number)
