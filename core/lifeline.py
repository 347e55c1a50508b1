"""A process's life line: its standard input. When it closes, the parent process is gone, and this one ends too."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Final

OPTION: Final = "--life-line"
"""Argument by which a part of the service is told that its standard input is a life line."""

_PIECE: Final = 1 << 16
_GRACE: Final = 40.0
"""Seconds that ending in good order may take: a worker gives its engine 25 s to write a checkpoint."""


def hold(politely: bool = False, hear: Callable[[bytes], None] = lambda line: None) -> None:
    """Watch standard input from now on and end this process when it closes.

    Args:
        politely: by SIGTERM, as an operator would, and by force only if that takes too long; else at once.
        hear: called with every line that comes, without its end, by the thread that watches.
    """
    end = _end_in_good_order if politely else _end
    threading.Thread(target=_watch, args=(end, hear), daemon=True, name="life-line").start()


def _watch(end: Callable[[], None], hear: Callable[[bytes], None]) -> None:
    rest = b""
    # not sys.stdin: a thread that waits in its buffer's lock aborts the interpreter's shutdown
    while came := os.read(0, _PIECE):
        *lines, rest = (rest + came).split(b"\n")
        for line in lines:
            hear(line)
    end()


def _end() -> None:
    os._exit(1)


def _end_in_good_order() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE)
    _end()
