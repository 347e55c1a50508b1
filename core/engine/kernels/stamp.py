"""Files of machine code, each with its name and its sum.

Code for other vectors, or damaged code, may write where it must not before anybody can look at its numbers.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

SUFFIX = ".kernel"
"""Ends the name of such a file."""
FOLDER = "inductor"
"""Beside them, for the files of compilers and loaders while these are at work."""


def stamped(path: Path, content: bytes) -> bytes:
    """The content of a file: a line with its name and the sum of the code, then the code."""
    return f"{path.stem} {hashlib.sha256(content).hexdigest()}\n".encode() + content


def unstamped(path: Path) -> bytes | None:
    """The code in a file, which counts as used then; None where there is no file.

    Raises:
        ValueError: the file is damaged, or another one's.
    """
    if not path.exists():
        return None
    path.touch()  # a cache is trimmed by when things were used last
    whole = path.read_bytes()
    content = whole.partition(b"\n")[2]
    if whole != stamped(path, content):
        raise ValueError("the file is damaged, or another program's.")
    return content
