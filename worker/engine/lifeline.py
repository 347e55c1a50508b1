"""The engine's life line: its standard input. When it closes, whoever started the process is gone, and so is it."""

from __future__ import annotations

import os
import threading


def hold() -> None:
    """Watch standard input from now on; end this process at once when it closes."""
    threading.Thread(target=_die_with_parent, daemon=True, name="life-line").start()


def _die_with_parent() -> None:
    while os.read(0, 1):  # not sys.stdin: a thread that waits in its buffer's lock aborts the interpreter's shutdown
        pass
    os._exit(1)
