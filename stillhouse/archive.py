"""A zip that is read while it arrives: the service's archives, whose files are stored one after the other."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, final

_HEADER: Final = struct.Struct("<4sHHHHHIIIHH")
_FILE: Final = b"PK\x03\x04"
_LATER: Final = 8
"""The flag of a file whose size stands behind it."""
_LARGE: Final = 2**32 - 1


def members(pieces: Iterator[bytes]) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Name and bytes of each file, in their order; what is not read of one is passed over.

    Raises:
        ValueError: the archive is compressed, torn, or none.
    """
    source = _Source(pieces)
    while (head := source.exactly(_HEADER.size))[:4] == _FILE:
        _, _, flags, method, _, _, _, size, _, length, extra = _HEADER.unpack(head)
        if method or flags & _LATER or size == _LARGE:
            raise ValueError("a file of the archive does not say in front how long it is")
        name = source.exactly(length).decode()
        source.exactly(extra)
        content = source.parts(size)
        yield name, content
        for _ in content:
            pass


@final
class _Source:
    """Bytes that come in pieces of any length."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def exactly(self, size: int) -> bytes:
        return b"".join(self.parts(size))

    def parts(self, size: int) -> Iterator[bytes]:
        while size > 0:
            piece = self._rest or next(self._pieces, b"")
            if not piece:
                raise ValueError("the archive ends within a file")
            piece, self._rest = piece[:size], piece[size:]
            size -= len(piece)
            yield piece
