"""Several workers on one machine, each a process with a GPU of its own or its share of the processors.

They live and die together: when one ends by itself the others are told to stop, and whoever started the pool sees it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from core import lifeline, logs
from core.settings import settings
from worker.drain import Drain

_SETTLING: Final = 15.0
"""Seconds that a worker may take to stop, beyond the grace of its engine."""

log = structlog.stdlib.get_logger(__name__)


def run(each: Sequence[Mapping[str, str]], engine: str) -> int:
    """Keep a worker with each of these variables until SIGTERM or SIGINT; 1 if one ended by itself."""
    logs.configure(settings())
    drain = Drain()
    drain.on_signals()
    command = [sys.executable, "-P", "-m", "worker", f"--engine={engine}", lifeline.OPTION]
    # Its standard input is a worker's life line: it closes with this process, be that by `kill -9`.
    workers = [
        subprocess.Popen(command, env={**os.environ, **own}, stdin=subprocess.PIPE, start_new_session=True)
        for own in each
    ]
    for worker, own in zip(workers, each, strict=True):
        log.info("worker started", pid=worker.pid, variables=dict(own))
    while not drain.is_set() and all(worker.poll() is None for worker in workers):
        drain.wait(0.2)
    ended = [worker.returncode for worker in workers if worker.poll() is not None]
    if ended and not drain.is_set():
        log.error("a worker ended by itself; the others stop", status=ended[0])
    for worker in workers:
        if worker.poll() is None:
            worker.send_signal(signal.SIGTERM)
    for worker in workers:
        try:
            worker.wait(settings().drain_grace + _SETTLING)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
    return 0 if drain.is_set() else 1
