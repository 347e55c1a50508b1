"""Files that are whole under their names: a reader finds the old content or the new one, whenever a writer died.

Content is written beside the file, as `NAME.<random>.part`, and takes the name in one step. Before it does, it is on
the disk (fsync): else a power cut may leave an empty file under the name. Only a cache, where an empty file counts as
none and files are large, does without. The folder is not synchronised: after a power cut the name may be the old
content's.

A part is locked by its writer, and the lock ends with the process, so that `is_orphan` tells what a crash has left from
what is being written.
"""

from __future__ import annotations

import fcntl
import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final

PART: Final = ".part"
"""Ends the name of a file that is being written."""


def write_atomic(path: Path, content: bytes) -> None:
    """Write a whole file, in a folder that is there."""
    with draft(path) as file:
        file.write(content)


@contextmanager
def draft(path: Path, *, settled: bool = True) -> Iterator[IO[bytes]]:
    """A fresh file that becomes `path` where the block ends well, and is deleted where it raises.

    Args:
        path: the file to write or to replace, in a folder that is there.
        settled: whether the content is on the disk before it takes the name.
    """
    part, file = _part(path)
    try:
        with file:
            yield file
            if settled:
                settle(file)
            else:
                file.flush()
            part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def settle(file: Any) -> None:
    """Wait until the content of a local file is on the disk; the server of any other kind of file settles it."""
    file.flush()
    with suppress(AttributeError, io.UnsupportedOperation):
        os.fsync(file.fileno())


def is_orphan(part: Path) -> bool:
    """Whether the writer of a part is gone. Raises FileNotFoundError if the part is."""
    with part.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # held, or a file system without locks
            return False
        return part.exists() and os.path.samestat(os.fstat(file.fileno()), part.stat())


def _part(path: Path) -> tuple[Path, IO[bytes]]:
    while True:
        part = path.with_name(f"{path.name}.{secrets.token_hex(4)}{PART}")
        file = part.open("xb")
        with suppress(OSError):  # a file system without locks: its parts never count as orphans
            fcntl.flock(file, fcntl.LOCK_EX)
        if part.exists():  # else something that deletes orphans came between the two
            return part, file
        file.close()
