"""The files of a tar archive, packed as a whole or not."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import tempfile
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Final, cast

from core.data.facts import DatasetInvalid
from core.data.folders.limits import MOST_FILES
from core.data.folders.members import LINK, Entry, Listing

_PACKERS: Final[dict[bytes, Callable[[Path], IO[bytes]]]] = {
    b"\x1f\x8b": cast(Callable[[Path], IO[bytes]], gzip.open),
    b"BZh": cast(Callable[[Path], IO[bytes]], bz2.open),
    b"\xfd7zXZ\0": cast(Callable[[Path], IO[bytes]], lzma.open),
}
_DAMAGE: Final = (EOFError, OSError, zlib.error, lzma.LZMAError)
_MOST_BYTES: Final = 4 * 2**30
"""Largest archive, unpacked."""
_SMALL: Final = 64 * 2**20
_MOST_RATIO: Final = 200
_PIECE: Final = 2**20


def is_tar(path: Path) -> bool:
    """Whether the file is a tar archive, or one that was packed by gzip, bzip2 or xz."""
    with path.open("rb") as file:
        start = file.read(tarfile.BLOCKSIZE)
    if packer := _packer(start):
        try:
            with packer(path) as unpacked:
                start = unpacked.read(tarfile.BLOCKSIZE)
        except _DAMAGE:
            return False
    return start[257:262] == b"ustar" or _is_header(start)


@contextmanager
def unpacked(path: Path) -> Iterator[IO[bytes]]:
    """The plain tar archive of a file; one that is packed is unpacked beside it, into a file without a name.

    Raises DatasetInvalid for one that is damaged or larger than an honest one.
    """
    with path.open("rb") as file:
        if not (packer := _packer(file.read(8))):
            file.seek(0)
            yield file
            return
    most = min(_MOST_BYTES, max(_SMALL, _MOST_RATIO * path.stat().st_size))
    with tempfile.TemporaryFile(dir=path.parent) as plain:
        try:
            with packer(path) as source:
                while piece := source.read(_PIECE):
                    if plain.tell() + len(piece) > most:
                        raise DatasetInvalid(
                            f"unpacks to more than {most:,} bytes, which is more than {_MOST_RATIO} times its size or "
                            "than is read; send fewer or smaller pictures, or a plain .tar"
                        )
                    plain.write(piece)
        except _DAMAGE as fault:
            raise DatasetInvalid(f"the archive is damaged ({fault}); pack it anew: `tar -czf`") from None
        plain.seek(0)
        yield plain


def listing_of(plain: IO[bytes]) -> Listing:
    """All that the plain archive lists. Raises DatasetInvalid."""
    entries = list[Entry]()
    try:
        with tarfile.open(fileobj=plain, mode="r:") as archive:
            for info in archive:
                entries.append(_entry(plain, info))
                if len(entries) > MOST_FILES:
                    break
    except (tarfile.TarError, OSError, ValueError) as fault:
        raise DatasetInvalid(f"the tar archive is damaged ({fault}); pack it anew: `tar -czf`") from None
    return Listing(entries)


def _entry(plain: IO[bytes], info: tarfile.TarInfo) -> Entry:
    fault = None if info.isreg() or info.isdir() else LINK
    if info.issparse():
        fault = "is stored with holes", "pack it anew without --sparse"
    name = unicodedata.normalize("NFC", info.name)
    try:
        name.encode()
    except UnicodeEncodeError:
        name = info.name.encode(errors="surrogateescape").decode(errors="replace")
        fault = "has a name that is not UTF-8", "rename it"
    read = partial(_part, plain, info.offset_data, info.size)
    return Entry(name, name, info.isdir(), info.size, info.size, read, fault)


def _part(plain: IO[bytes], place: int, size: int) -> IO[bytes]:
    plain.seek(place)
    data = plain.read(size)
    if len(data) < size:
        raise EOFError("the archive ends within it")
    return io.BytesIO(data)


def _packer(start: bytes) -> Callable[[Path], IO[bytes]] | None:
    return next((packer for sign, packer in _PACKERS.items() if start.startswith(sign)), None)


def _is_header(block: bytes) -> bool:
    """Whether a block is a header of an archive of before POSIX, which has nothing but a sum that agrees."""
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True
