"""The whole service under test, started as people start it, and the command line that talks to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from typer.testing import CliRunner

from stillhouse import Client
from stillhouse.cli import app

PATIENCE = 60.0
"""Seconds a condition may take on a machine under load."""

CHEAP: Mapping[str, Any] = {"epochs": 1, "seeds": 1, "full": None}
"""An evaluation that costs next to nothing."""

ENDLESS: Mapping[str, Any] = {
    "schedule.steps": 1_000_000,
    "experts.count": 1,
    "objective.syn_steps": 5,
    "objective.expert_epochs": 1,
    "objective.max_start_epoch": 1,
}
"""Overrides under which `mtt` distils until it is stopped."""


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition; fail after PATIENCE seconds, saying what was expected."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"timed out waiting until {what}"
        time.sleep(0.02)


def processes_of(folder: Path, part: str = "") -> list[int]:
    """Every living process that was started with `folder` in its environment or on its command line.

    Args:
        folder: Path to look for.
        part: A word its command line must have besides, such as `worker`; "" takes every process.
    """
    needle, word = os.fsencode(folder), part.encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes()
            text = (process / "environ").read_bytes() + words
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if needle in text and (not part or word in words.split(b"\0")) and int(process.name) != os.getpid():
            found.append(int(process.name))
    return found


@dataclass(frozen=True)
class Answer:
    """The output of a command, and its exit status."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its standard output, read as JSON."""
        return json.loads(self.out)

    @property
    def json_error(self) -> Any:
        """Its standard error, read as JSON."""
        return json.loads(self.err)


@final
@dataclass(frozen=True)
class Running:
    """A service that runs in `home` and answers at `url`."""

    url: str
    home: Path
    process: subprocess.Popen[bytes]
    kept: Client
    """A client for all fixtures: making one takes some 30 ms, most of them for the certificates of HTTPS."""

    def client(self, *, patience: float = 0.0) -> Client:
        """A client of it."""
        return Client(self.url, patience=patience)

    def command(self, *arguments: object) -> Answer:
        """`stillhouse ARGUMENTS` against it."""
        return command(*arguments, STILLHOUSE_URL=self.url)


def command(*arguments: object, **environment: str) -> Answer:
    """`stillhouse ARGUMENTS` under these variables."""
    result = CliRunner().invoke(app, [str(a) for a in arguments], env=environment)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Answer(result.exit_code, result.stdout, result.stderr)


def spawn(*arguments: object, environment: Mapping[str, str] | None = None, **options: Any) -> subprocess.Popen[bytes]:
    """`stillhouse ARGUMENTS` as a process of its own."""
    words = [sys.executable, "-P", "-m", "stillhouse", *map(str, arguments)]
    return subprocess.Popen(words, env={**os.environ, **(environment or {})}, start_new_session=True, **options)


@contextmanager
def ended_with_the_tests(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """While the block lasts the process is told to end if this one is killed."""
    guard = ["sh", "-c", 'cat >/dev/null; kill "$1"', "sh", str(process.pid)]
    with subprocess.Popen(guard, stdin=subprocess.PIPE, start_new_session=True) as watching:
        try:
            yield
        finally:
            watching.kill()


@contextmanager
def serving(home: Path, **options: Any) -> Iterator[Running]:
    """`stillhouse serve` in `home` on a free port, ready; it is told to end with the block.

    Its worker looks for jobs often, so that nobody waits for it.
    """
    variables = {"STILLHOUSE_POLL_INTERVAL": "0.2"} | options.pop("environment", {})
    log = home.parent / f"{home.name}.log"
    with (
        log.open("wb") as stderr,
        spawn(
            *("serve", "--home", home, "--port", 0, "--json"),
            environment=variables,
            stdout=subprocess.PIPE,
            stderr=stderr,
            **options,
        ) as process,
        ended_with_the_tests(process),
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, f"the service did not start:\n{log.read_text()}"
            url = json.loads(line)["url"]
            with Client(url) as kept:
                yield Running(url, home, process, kept)
        finally:
            process.terminate()
            process.wait(PATIENCE)
