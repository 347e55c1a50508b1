"""One zip of an artifact, streamed: sorted names, fixed times, stored; the same files give the same bytes."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from typing import IO, final

_PIECE = 1 << 20
_IN_MEMORY = 32 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)

Entry = tuple[str, Callable[[], IO[bytes]]]
"""A file's name in the archive, and what opens it for reading (seekable)."""


def zip_stream(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The archive of `entries` in pieces of at most 1 MiB, made file by file; a large file waits on disk.

    Every file's size and checksum stand in front of its bytes, so that a reader that cannot seek unpacks it too.
    """
    with _Sink() as sink:
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
            for name, opener in sorted(entries, key=lambda entry: entry[0]):
                info = zipfile.ZipInfo(name, _EPOCH)
                info.create_system, info.external_attr = 3, 0o100644 << 16
                with opener() as source:
                    info.file_size = source.seek(0, io.SEEK_END)  # Tells zipfile whether it needs its 64-bit form.
                    source.seek(0)
                    with archive.open(info, "w") as target:
                        while piece := source.read(_PIECE):
                            target.write(piece)
                yield from sink.drain()
        yield from sink.drain()


def zip_bytes(entries: Iterable[Entry]) -> bytes:
    """The whole archive at once."""
    return b"".join(zip_stream(entries))


@final
class _Sink(io.RawIOBase):
    """Keeps what is written since the last `drain`, so that zipfile can go back to the header of that one file."""

    def __init__(self) -> None:
        self._kept = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 (ours to close)
        self._given = 0

    def drain(self) -> Iterator[bytes]:
        """Give away, and forget, everything that is kept."""
        self._kept.seek(0)
        while piece := self._kept.read(_PIECE):
            self._given += len(piece)
            yield piece
        self._kept.seek(0)
        self._kept.truncate()

    def write(self, content: bytes) -> int:  # type: ignore[override]  # zipfile writes bytes only
        return self._kept.write(content)

    def tell(self) -> int:
        return self._given + self._kept.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        assert whence == io.SEEK_SET, "zipfile seeks from the start only"
        return self._given + self._kept.seek(offset - self._given)

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        self._kept.close()
        super().close()
