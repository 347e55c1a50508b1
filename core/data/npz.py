"""npz files that somebody gave: nothing in them is believed before it was checked.

Headers are read and compared with the zip's own sizes before any array is: a header of a few bytes can claim
terabytes, and an object array would be unpickled, which runs code.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from core.data.facts import DatasetInvalid
from core.data.rules import Header

MAX_BYTES = 16 * 2**30
"""Largest sum of the arrays that are read of one file, unpacked."""
_SMALL = 64 * 2**20
_MAX_RATIO = 200
_CHUNK = 2**20


def read_npz(
    path: Path,
    names: Sequence[str],
    form: str,
    check: Callable[[Mapping[str, Header]], None],
    optional: Sequence[str] = (),
) -> dict[str, NDArray[Any]]:
    """The arrays `names` of the file at `path`, and those of `optional` that it has; others are left alone.

    Args:
        form: what the file has to be, as the sentence that a fault ends with.
        check: refuses arrays by their headers, before they are read.

    Raises DatasetInvalid, which names the file, the fault and its fix; FileNotFoundError if there is no such file.
    """
    with naming(path, form), zipfile.ZipFile(path) as archive:
        present = {info.filename.removesuffix(".npy") for info in archive.infolist()}
        members = _members(archive, [*names, *(name for name in optional if name in present)], form)
        check({name: _header(archive, member) for name, member in members.items()})
        return {name: _array(archive, member) for name, member in members.items()}


def read_rows(path: Path, name: str, count: int | None) -> NDArray[Any]:
    """The first `count` rows of the array `name` of the file at `path`, all of them by default; the rest stays packed.

    Raises DatasetInvalid or FileNotFoundError as `read_npz` does.
    """
    with naming(path, "it holds plain arrays"), zipfile.ZipFile(path) as archive:
        member = _members(archive, [name], "")[name]
        header = _header(archive, member)
        if count is None or not header.shape or count >= header.shape[0]:
            return _array(archive, member)
        with archive.open(member) as file:
            _read_header(file)
            return _rows_by_column(file, header, count) if header.by_column else _rows(file, header, count)


@contextmanager
def naming(path: Path, form: str) -> Iterator[None]:
    """Faults of what the file at `path` holds name it, whoever finds them."""
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
    except (EOFError, ValueError, RuntimeError, zlib.error, OSError) as fault:
        raise DatasetInvalid(f"{path.name}: cannot be read ({fault}); write it anew with np.savez: {form}") from None


def _members(archive: zipfile.ZipFile, names: Sequence[str], form: str) -> dict[str, zipfile.ZipInfo]:
    present = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    if missing := [name for name in names if name not in present]:
        raise DatasetInvalid(
            f"holds no array {' or '.join(missing)}, only {', '.join(sorted(present)) or 'nothing'}; {form}"
        )
    members = {name: present[name] for name in names}
    if (total := sum(member.file_size for member in members.values())) > MAX_BYTES:
        raise DatasetInvalid(
            f"unpacks to {total:,} bytes, more than the {MAX_BYTES:,} that are read; use fewer or smaller images"
        )
    for name, member in members.items():
        if member.file_size > max(_SMALL, _MAX_RATIO * member.compress_size):
            raise DatasetInvalid(
                f"{name} unpacks to more than {_MAX_RATIO} times its packed size, as a zip bomb does; "
                "write it with np.savez, uncompressed"
            )
    return members


def _header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Header:
    name = member.filename.removesuffix(".npy")
    with archive.open(member) as file:
        header = _read_header(file)
        length = file.tell()
    if header.dtype.hasobject:
        raise DatasetInvalid(
            f"{name} is an array of Python objects, which could run code when read; "
            f"convert it first, e.g. {'np.array(class_names, dtype=str)' if name == 'class_names' else 'np.stack'}"
        )
    claimed = header.dtype.itemsize * math.prod(header.shape)
    if claimed != member.file_size - length:
        raise DatasetInvalid(
            f"{name} claims {claimed:,} bytes of data but the file holds {member.file_size - length:,}; "
            "it is damaged: write it anew with np.savez"
        )
    return header


def _read_header(file: IO[bytes]) -> Header:
    version = npy.read_magic(file)
    if version == (1, 0):
        shape, by_column, dtype = npy.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, by_column, dtype = npy.read_array_header_2_0(file)
    else:
        raise DatasetInvalid(f"has an array in npy format {version}, which plain arrays never need; use np.savez")
    return Header(shape, dtype, by_column)


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


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(member) as file:
        array: NDArray[Any] = npy.read_array(file, allow_pickle=False)
    return array
