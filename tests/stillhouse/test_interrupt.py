"""Ctrl-C at the moments at which Python drops it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stillhouse.interrupt import interruptible

ROOT = Path(__file__).parents[2]


class _Finalised:
    """Something whose end is just then, when Ctrl-C is pressed."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(10_000_000):  # the handler runs here, where no exception can leave
            pass


def test_an_interrupt_that_python_drops_is_raised_at_the_next_check(monkeypatch: pytest.MonkeyPatch) -> None:
    dropped: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: dropped.append(args.exc_value))
    with interruptible() as check:
        check()
        one = _Finalised()
        del one
        assert [type(each) for each in dropped] == [KeyboardInterrupt]
        with pytest.raises(KeyboardInterrupt):
            check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_is_raised_where_it_arrives() -> None:
    with pytest.raises(KeyboardInterrupt), interruptible():
        signal.raise_signal(signal.SIGINT)


def test_tests_that_run_in_the_background_hear_an_interrupt_all_the_same() -> None:
    """A shell has the programs that it starts in the background ignore SIGINT, and their children inherit it."""
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); import tests.conftest; "
        "raise SystemExit(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
