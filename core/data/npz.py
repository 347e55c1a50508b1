"""npz files that somebody gave: nothing in them is believed before it was checked.

Headers are read and compared with the zip's own sizes before any array is: a header of a few bytes can claim
terabytes, and an object array would be unpickled, which runs code.
"""

from __future__ import annotations

import lzma
import math
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from core.data.facts import DatasetInvalid
from core.data.header import Extent, Header

MAX_BYTES = 16 * 2**30
"""Largest sum of the arrays that are read of one file, unpacked."""
DAMAGE = (EOFError, ValueError, RuntimeError, zlib.error, lzma.LZMAError, tokenize.TokenError, SyntaxError, OSError)
"""The exceptions that readers of zips and arrays raise where bytes are not what they say."""

_SMALL = 64 * 2**20
_MAX_RATIO = 200
_CHUNK = 2**20
_MOST_NAMED = 10


@final
@dataclass(frozen=True)
class Npz:
    """An open npz file."""

    archive: zipfile.ZipFile
    members: Mapping[str, zipfile.ZipInfo]

    def header(self, name: str) -> Header:
        """The first bytes of an array, which were compared with what the file holds of it."""
        return _header(self.archive, self.members[name])

    def extent(self, name: str) -> Extent:
        """The least and the largest value of an array of numbers, of which a piece is in memory at a time."""
        header = self.header(name)
        with self.archive.open(self.members[name]) as file:
            _read_header(file)
            return _extent(file, header.dtype)

    def array(self, name: str) -> NDArray[Any]:
        """An array, whole."""
        with self.archive.open(self.members[name]) as file:
            array: NDArray[Any] = npy.read_array(file, allow_pickle=False)
        return array

    def rows(self, name: str, count: int) -> NDArray[Any]:
        """The first `count` rows of an array, or all of them if there are no more; the rest stays packed."""
        header = self.header(name)
        if not header.shape or count >= header.shape[0]:
            return self.array(name)
        with self.archive.open(self.members[name]) as file:
            _read_header(file)
            return _rows_by_column(file, header, count) if header.by_column else _rows(file, header, count)

    def check_sizes(self, names: Sequence[str]) -> None:
        """Refuse arrays that are too large to be read. Raises DatasetInvalid."""
        chosen = {name: self.members[name] for name in names}
        if (total := sum(member.file_size for member in chosen.values())) > MAX_BYTES:
            raise DatasetInvalid(
                f"unpacks to {total:,} bytes, more than the {MAX_BYTES:,} that are read; use fewer or smaller images"
            )
        for name, member in chosen.items():
            if is_bomb(member):
                raise DatasetInvalid(
                    f"{name} unpacks to more than {_MAX_RATIO} times its packed size, as a zip bomb does; "
                    "write it with np.savez, uncompressed"
                )


def is_bomb(member: zipfile.ZipInfo) -> bool:
    """Whether a member is so much larger than it is packed as only bombs and flat pictures are."""
    return member.file_size > max(_SMALL, _MAX_RATIO * member.compress_size)


@contextmanager
def opened(path: Path, form: str) -> Iterator[Npz]:
    """The npz file at `path`; faults of its content name it, wherever they are found.

    Args:
        form: what the file has to be, as the sentence that a fault ends with.

    Raises DatasetInvalid, which names the file, the fault and its fix; FileNotFoundError if there is no such file.
    """
    with naming(path, form), zipfile.ZipFile(path) as archive:
        yield Npz(archive, {info.filename.removesuffix(".npy"): info for info in archive.infolist()})


def read_npz(
    path: Path, names: Sequence[str], form: str, check: Callable[[Mapping[str, Header]], None]
) -> dict[str, NDArray[Any]]:
    """The arrays `names` of the file at `path`; others are left alone.

    Args:
        form: what the file has to be, as the sentence that a fault ends with.
        check: refuses arrays by their headers, before they are read.

    Raises DatasetInvalid, which names the file, the fault and its fix; FileNotFoundError if there is no such file.
    """
    with opened(path, form) as npz:
        if missing := [name for name in names if name not in npz.members]:
            raise DatasetInvalid(f"{lacking(missing, npz.members)}; {form}")
        npz.check_sizes(names)
        check({name: npz.header(name) for name in names})
        return {name: npz.array(name) for name in names}


def lacking(missing: Sequence[str], present: Mapping[str, Any]) -> str:
    """The words for arrays that are not there, beside those that are."""
    others = sorted(present)
    more = f" and {len(others) - _MOST_NAMED:,} more" if len(others) > _MOST_NAMED else ""
    return f"holds no array {' or '.join(missing)}, only {', '.join(others[:_MOST_NAMED]) or 'nothing'}{more}"


@contextmanager
def naming(path: Path, form: str) -> Iterator[None]:
    """A context in which faults of the content of the file at `path` name it, wherever they are found."""
    try:
        yield
    except FileNotFoundError:
        raise
    except DatasetInvalid as fault:
        raise DatasetInvalid(f"{path.name}: {fault}") from None
    except zipfile.BadZipFile as fault:
        raise DatasetInvalid(
            f"{path.name}: not a whole npz archive ({fault}); copy it again, or write it anew with np.savez"
        ) from None
    except DAMAGE as fault:
        raise DatasetInvalid(
            f"{path.name}: is damaged, or packed in a way that is not read ({type(fault).__name__}); "
            f"write it anew with np.savez: {form}"
        ) from None


def _header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Header:
    name = member.filename.removesuffix(".npy")
    try:
        with archive.open(member) as file:
            header = _read_header(file)
            length = file.tell()
    except DatasetInvalid as fault:
        raise DatasetInvalid(f"{name} {fault}") from None
    except (zipfile.BadZipFile, *DAMAGE) as fault:
        raise DatasetInvalid(
            f"{name} cannot be read ({type(fault).__name__}): it is no plain array, or damaged; "
            "write the file anew with np.savez"
        ) from None
    if header.dtype.hasobject:
        raise DatasetInvalid(
            f"{name} is an array of Python objects, which could run code when read; "
            f"convert it first: {name} = {_plain(name)}"
        )
    claimed = header.dtype.itemsize * math.prod(header.shape)
    if claimed != member.file_size - length:
        raise DatasetInvalid(
            f"{name} claims {claimed:,} bytes of data but the file holds {member.file_size - length:,}; "
            "it is damaged: write it anew with np.savez"
        )
    return header


def _plain(name: str) -> str:
    """The expression that makes an array of plain values of one of Python objects."""
    if "name" in name or "class" in name:
        return f"np.array({name}, dtype=str)"
    if "y" in name.lower().split("_") or "label" in name or "target" in name:
        return f"np.array({name}.tolist())"
    return f"np.stack({name})"


def _read_header(file: IO[bytes]) -> Header:
    version = npy.read_magic(file)
    if version == (1, 0):
        shape, by_column, dtype = npy.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, by_column, dtype = npy.read_array_header_2_0(file)
    else:
        raise DatasetInvalid(f"is an array in npy format {version}, which plain arrays never need; use np.savez")
    return Header(shape, dtype, by_column)


def _extent(file: IO[bytes], dtype: np.dtype[Any]) -> Extent:
    low, high, finite, whole = math.inf, -math.inf, True, True
    while data := file.read(_CHUNK * dtype.itemsize):
        values = np.frombuffer(data, dtype)
        if dtype.kind == "f":
            sound = np.isfinite(values)
            finite, values = finite and bool(sound.all()), values[sound]
            whole = whole and not (values % 1).any()
        if len(values):
            low, high = min(low, values.min().item()), max(high, values.max().item())
    return Extent(low, high, finite, whole)


def _rows(file: IO[bytes], header: Header, count: int) -> NDArray[Any]:
    shape = (count, *header.shape[1:])
    return np.frombuffer(file.read(header.dtype.itemsize * math.prod(shape)), header.dtype).reshape(shape)


def _rows_by_column(file: IO[bytes], header: Header, count: int) -> NDArray[Any]:
    """The first rows, of which every column has a part: all of the file is read, and little of it kept."""
    columns, column = math.prod(header.shape[1:]), header.shape[0] * header.dtype.itemsize
    kept = np.empty((columns, count), header.dtype)
    step = max(1, _CHUNK // max(1, column))
    for first in range(0, columns, step):
        wanted = min(step, columns - first)
        data = file.read(wanted * column)
        kept[first : first + wanted] = np.frombuffer(data, header.dtype).reshape(wanted, -1)[:, :count]
    return kept.reshape(*reversed(header.shape[1:]), count).T
