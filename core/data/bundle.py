"""npz bundles: the one format in which a dataset can be given to the service, checked before it is believed.

A bundle is a zip of five `.npy` members. Their headers are read and compared with the zip's own sizes before any
array is: a header of a few bytes can claim terabytes, and an object array would be unpickled, which runs code.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from core.data.facts import DatasetInvalid, Images
from core.data.rules import ARRAYS, FORMAT, Header, check_class_names, check_headers, check_labels

MAX_BYTES = 16 * 2**30
"""Largest sum of the arrays of one bundle, unpacked."""
_SMALL = 64 * 2**20
_MAX_RATIO = 200


@final
@dataclass(frozen=True, eq=False)
class Bundle:
    """What a source holds, before the validation split."""

    train: Images
    test: Images
    class_names: tuple[str, ...]


def read_bundle(path: Path) -> Bundle:
    """Read and check the bundle at `path`.

    Raises DatasetInvalid, which names the file, the fault and its fix, for anything that is not a sound bundle;
    FileNotFoundError if there is no such file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive)
            check_headers({name: _header(archive, member) for name, member in members.items()})
            arrays = {name: _array(archive, member) for name, member in members.items()}
        return _bundle(arrays)
    except FileNotFoundError:
        raise
    except DatasetInvalid as fault:
        raise DatasetInvalid(f"{path.name}: {fault}") from None
    except zipfile.BadZipFile as fault:
        raise DatasetInvalid(
            f"{path.name}: not a whole npz archive ({fault}); copy it again, or write it anew with np.savez"
        ) from None
    except (EOFError, ValueError, RuntimeError, NotImplementedError, zlib.error, OSError) as fault:
        raise DatasetInvalid(
            f"{path.name}: cannot be read ({fault}); write it anew with np.savez, as {FORMAT}"
        ) from None


def write_bundle(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write `arrays` as a compressed bundle at `path`; the caller answers for their contents."""
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **{name: arrays[name] for name in ARRAYS})


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    present = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    if missing := [name for name in ARRAYS if name not in present]:
        raise DatasetInvalid(
            f"holds no array {' or '.join(missing)}, only {', '.join(sorted(present)) or 'nothing'}; "
            f"a bundle is {FORMAT}"
        )
    members = {name: present[name] for name in ARRAYS}
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
        shape, dtype = _read_header(file)
        length = file.tell()
    if dtype.hasobject:
        raise DatasetInvalid(
            f"{name} is an array of Python objects, which could run code when read; "
            f"convert it first, e.g. {'np.array(class_names, dtype=str)' if name == 'class_names' else 'np.stack'}"
        )
    claimed = dtype.itemsize * int(np.prod(np.array(shape, dtype=object), initial=1))
    if claimed != member.file_size - length:
        raise DatasetInvalid(
            f"{name} claims {claimed:,} bytes of data but the file holds {member.file_size - length:,}; "
            "it is damaged: write it anew with np.savez"
        )
    return Header(shape, dtype)


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = npy.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = npy.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, _, dtype = npy.read_array_header_2_0(file)
    else:
        raise DatasetInvalid(f"has an array in npy format {version}, which plain arrays never need; use np.savez")
    return shape, dtype


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(member) as file:
        array: NDArray[Any] = npy.read_array(file, allow_pickle=False)
    return array


def _bundle(arrays: Mapping[str, NDArray[Any]]) -> Bundle:
    class_names = tuple(str(name) for name in arrays["class_names"])
    check_class_names(class_names)
    for split in ("train", "test"):
        check_labels(split, arrays[f"y_{split}"], class_names)
    train, test = (
        Images(_channels_first(arrays[f"x_{split}"]), arrays[f"y_{split}"].astype(np.int64))
        for split in ("train", "test")
    )
    return Bundle(train, test, class_names)


def _channels_first(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if images.ndim == 3:
        return images[:, None]
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
