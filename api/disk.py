"""The disk that HOME is on: what is free there, and the answer to a request that finds it full."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from pathlib import Path
from typing import Final

from api.problems import Kind, ProblemError

LEAST_FREE: Final = 64 << 20
"""Bytes free in HOME without which the service is not ready: an upload or a checkpoint would soon fail."""

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


def free_bytes(home: Path) -> int:
    """Bytes that may still be written in HOME, which need not be there yet."""
    home = home.absolute()
    return shutil.disk_usage(next(folder for folder in (home, *home.parents) if folder.exists())).free


def is_full(error: Exception) -> bool:
    """Whether it is for want of room that something could not be written."""
    cause = getattr(error, "orig", error)  # of the ledger's driver
    if getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return True
    return isinstance(cause, OSError) and cause.errno in _FULL


def full() -> ProblemError:
    """The answer to a request for which there is no room."""
    hint = "Try again later; the operator should make room where STILLHOUSE_HOME is."
    headers = {"Retry-After": "60", "Connection": "close"}
    return ProblemError(Kind.NOT_READY, "The service has no room left on its disk.", hint=hint, headers=headers)
