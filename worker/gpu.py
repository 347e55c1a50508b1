"""The GPU of a worker, which no other worker on the machine has: a lock on a file that the system opens at its end.

Whoever starts workers by hand need not divide the GPUs between them: each takes the first one that is free.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Final, final

import structlog

from worker import devices
from worker.drain import Drain

_PAUSE: Final = 2.0
"""Seconds between two looks whether one is free."""
_TELLING: Final = 30.0
"""Seconds between two words on waiting for that."""

log = structlog.stdlib.get_logger(__name__)


@final
class Hold:
    """A GPU that is this process's until it ends."""

    def __init__(self, name: str, descriptor: int) -> None:
        self.name = name
        self._descriptor = descriptor

    def release(self) -> None:
        """Leave it to others."""
        os.close(self._descriptor)


def take(
    folder: Path,
    device: str,
    environment: MutableMapping[str, str],
    drain: Drain,
    pause: float = _PAUSE,
    known: Callable[[MutableMapping[str, str]], Sequence[str]] = devices.gpus,
) -> Hold | None:
    """Hold the first GPU that nobody has, and show engines no other one; None where there is none, or `drain` is set.

    While others have all of them it waits, and says so: two engines on one GPU take twice the memory and time.

    Args:
        folder: where the locks are, the same for all workers of the machine.
        device: the setting; "cpu" needs no GPU.
        environment: the process's, in which CUDA_VISIBLE_DEVICES is set.
        known: the names of the GPUs that may be used.
    """
    names = [] if device == "cpu" else known(environment)
    told = _TELLING
    while names and not drain.is_set():
        for name in names:
            known_as = re.sub("[^A-Za-z0-9-]", "_", devices.uuid(name, environment))
            descriptor = _locked(folder / f"stillhouse-gpu-{known_as}")
            if descriptor is not None:
                environment[devices.VISIBLE] = name
                log.info("took a GPU", gpu=name)
                return Hold(name, descriptor)
        if told >= _TELLING:
            others = "Other workers of this machine have every GPU that this one may use."
            fix = "It waits for one; start it with STILLHOUSE_DEVICE=cpu to compute without."
            log.warning("waiting for a GPU", gpus=list(names), reason=others, fix=fix)
            told = 0.0
        drain.wait(pause)
        told += pause
    return None


def _locked(path: Path) -> int | None:
    """An open file that nobody else has locked; None where somebody has."""
    try:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        except FileExistsError:  # of another user, too: to lock a file it is enough to read it
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:  # a folder that is not there, or not to be written: better unguarded than idle
        log.warning("a GPU cannot be locked", file=str(path), reason=str(error), consequence="others may take it, too")
        return os.open(os.devnull, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
