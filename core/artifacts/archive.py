"""One zip of an artifact, streamed: sorted names, fixed times, stored; the same files give the same bytes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator
from typing import IO, final

_PIECE = 1 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)

Entry = tuple[str, Callable[[], IO[bytes]]]
"""A file's name in the archive, and what opens it for reading."""


def zip_stream(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The archive of `entries` in pieces, as it is made; holds no more than one file in memory.

    Every file carries its size and checksum in front of its bytes, so that a reader without seek can unpack it too.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for name, opener in sorted(entries, key=lambda entry: entry[0]):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.external_attr = 0o644 << 16
            info.create_system = 3
            with opener() as source, archive.open(info, "w") as target:
                while piece := source.read(_PIECE):
                    target.write(piece)
            yield sink.drain()
    yield sink.drain()


def zip_bytes(entries: Iterable[Entry]) -> bytes:
    """The whole archive at once."""
    return b"".join(zip_stream(entries))


@final
class _Sink(io.BytesIO):
    """Keeps the file that is being written, so that zipfile can go back to its header; gives away the rest."""

    def __init__(self) -> None:
        super().__init__()
        self._given = 0

    def tell(self) -> int:
        return self._given + super().tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = offset - self._given if whence == io.SEEK_SET else offset
        return self._given + super().seek(start, whence)

    def drain(self) -> bytes:
        content = self.getvalue()
        self._given += len(content)
        super().seek(0)
        self.truncate()
        return content
