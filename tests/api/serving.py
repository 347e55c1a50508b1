"""The service in a process of its own, as it is run: `python -m api` on a free port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from core import lifeline
from core.artifacts import Store
from core.ledger import Ledger
from core.settings import Settings
from tests.api.workshop import Workshop

PATIENCE = 60.0
"""Seconds a process may take to come or go; it needs two or three."""


@dataclass
class Server:
    """A running service and a workshop that moves its jobs along from outside."""

    url: str
    process: subprocess.Popen[str]
    workshop: Workshop

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        url = httpx.URL(self.url)
        assert url.port is not None
        return url.host, url.port

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)


def environment(settings: Settings) -> dict[str, str]:
    """This process's environment with these settings in place of its own."""
    given = {name: value for name, value in settings.model_dump().items() if value is not None}
    ours = {f"STILLHOUSE_{name.upper()}": str(value) for name, value in given.items()}
    return {name: value for name, value in os.environ.items() if not name.startswith("STILLHOUSE_")} | ours


@contextmanager
def serving(settings: Settings, artifact: Path) -> Iterator[Server]:
    """The service with these settings, until the block ends."""
    command = [sys.executable, "-m", "api", lifeline.OPTION]  # which ends it when the tests are killed
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen(command, env=environment(settings), **pipes, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("Stillhouse API: "), f"it said {line!r} and ended with {process.poll()}"
        url = line.split()[-1]
        ledger, store = Ledger(settings.ledger_url), Store(settings.artifacts_url)
        with httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False) as client:
            yield Server(url, process, Workshop(client, ledger, store, artifact))
        ledger.close()
    finally:
        process.kill()
        process.communicate()
