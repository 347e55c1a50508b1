"""The format of a file that is no archive of pictures or arrays, by its first bytes, and how to make it one."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from core.data.facts import DatasetInvalid
from core.data.folders import LAYOUT
from core.data.idx import FILES

_UNPACK: Final = f"unpack it, and send {LAYOUT}"
_ARRAYS: Final = "save its arrays with np.savez as x_train, y_train, x_test, y_test and class_names"
_ONE: Final = f"{_ARRAYS}, or pictures and labels alone: np.savez('dataset.npz', x=np.load('x.npy'), y=labels)"
_HDF5: Final = f"{_ARRAYS}: h5py.File(path) has them by name, as NumPy takes them with [:]"
_SAVED: Final = "pack it into a zip, or send the folder that dataset.save_to_disk wrote, or dataset.to_parquet(path)"
_PICTURES: Final = f"save pictures as PNG or JPEG, and send {LAYOUT}"
_WEB: Final = f"save the file that its link leads to, not the page, and send that: {LAYOUT}, or an npz bundle"
_CODE: Final = "a pickle, which could run code when read"
_PACKED: Final = (
    (0, b"\x1f\x8b", "a file packed by gzip (.gz)", _UNPACK),
    (0, b"BZh", "a file packed by bzip2", _UNPACK),
    (0, b"\xfd7zXZ\0", "a file packed by xz", _UNPACK),
)
"""Formats that a tar may be packed by, so that the first bytes alone say nothing against a file."""
_KINDS: Final = (
    (0, b"\x28\xb5\x2f\xfd", "a file packed by zstd", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (0, b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (0, b"\0\0\x08\x03", "one IDX file", f"pack {FILES} into a zip"),
    (0, b"\0\0\x08\x01", "one IDX file", f"pack {FILES} into a zip"),
    (0, b"\x93NUMPY", "one array (.npy)", _ONE),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file", _HDF5),
    (0, b"MATLAB 7.3 MAT", "a MATLAB file of version 7.3, which is HDF5", f"read it with h5py and {_ARRAYS}"),
    (0, b"MATLAB 5.0 MAT", "a MATLAB file", f"read it with scipy.io.loadmat and {_ARRAYS}"),
    *((0, bytes([0x80, protocol]), _CODE, _ARRAYS) for protocol in (2, 3, 4, 5)),
    (0, b"ARROW1\0\0", "an Arrow file", _SAVED),
    (0, b"\xff\xff\xff\xff", "an Arrow file", _SAVED),
    (0, b"SQLite format 3\0", "an SQLite database", f"write its pictures into class folders and send {LAYOUT}"),
    (
        0,
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "a file of Excel or Word (.xls, .doc)",
        "save a table as CSV, and send that",
    ),
    (0, b"%PDF-", "a PDF document", f"send its pictures or its table: {LAYOUT}, or CSV"),
    (0, b"\x89PNG\r\n\x1a\n", "one picture", f"send {LAYOUT}"),
    (0, b"\xff\xd8\xff", "one picture", f"send {LAYOUT}"),
    (0, b"GIF87a", "one picture", f"send {LAYOUT}"),
    (0, b"GIF89a", "one picture", f"send {LAYOUT}"),
    (0, b"II*\0", "one picture (TIFF)", f"send {LAYOUT}"),
    (0, b"MM\0*", "one picture (TIFF)", f"send {LAYOUT}"),
    (8, b"WEBPVP8", "one picture", f"send {LAYOUT}"),
    (0, b"\0\0\0\x0cjP  ", "one picture in JPEG 2000, which is not read", _PICTURES),
    (0, b"\xff\x4f\xff\x51", "one picture in JPEG 2000, which is not read", _PICTURES),
    (4, b"ftyp", "a picture or film in a format that is not read (HEIC, AVIF, MP4)", _PICTURES),
    (128, b"DICM", "one picture in DICOM, which is not read", _PICTURES),
)
"""The place of a sign, the sign, the format in words, and how to mend it: never a dataset, whatever follows."""
_PAGES: Final = (b"<!doctype html", b"<html", b"<head", b"<?xml")
LOOKED_AT: Final = 512
"""Bytes of a file's beginning by which `never_read` tells."""
_METHODS: Final = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
_NAMED: Final = {9: "Deflate64", 93: "zstd", 95: "xz", 97: "WavPack", 98: "PPMd"}


def check_zip(path: Path) -> Sequence[zipfile.ZipInfo]:
    """The members of the zip at `path`. Raises DatasetInvalid for what is none or is packed as none is here."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except NotImplementedError:
        raise DatasetInvalid(f"a zip of a kind that is not read; pack it anew: {LAYOUT}, or an npz bundle") from None
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError) as fault:
        if kind := _kind(path):
            raise DatasetInvalid(f"not a zip or npz archive but {kind[0]}; {kind[1]}") from None
        raise DatasetInvalid(f"not a whole zip or npz archive ({fault}); send {LAYOUT}, or an npz bundle") from None
    for member in members:
        if member.compress_type not in _METHODS:
            method = _NAMED.get(member.compress_type, f"method {member.compress_type}")
            raise DatasetInvalid(f"packed by {method}, which is not read; pack it anew as a plain zip: by Deflate")
    if any(member.filename.split("/")[-1] == "data.pkl" for member in members):
        raise DatasetInvalid(f"a file of PyTorch (torch.save), which could run code when read; {_ARRAYS}")
    return members


def never_read(start: bytes) -> tuple[str, str] | None:
    """The format in words, and how to mend it, of a file that is none of ours by its beginning; None of any other."""
    if start[257:262] == b"ustar":  # a tar begins with the name of a file, which may be like any sign
        return None
    for place, sign, words, fix in _KINDS:
        if start[place:].startswith(sign):
            return words, fix
    if start.startswith(b"BM") and any(start[2:6]) and start[6:10] == bytes(4):  # else two letters of a table
        return "one picture", f"send {LAYOUT}"
    if start.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(_PAGES):
        return "a page of the web (HTML) or XML", _WEB
    return None


def _kind(path: Path) -> tuple[str, str] | None:
    """The file's format in words, and how to mend it; None if it is not recognised."""
    with path.open("rb") as file:
        start = file.read(4096)
    if found := never_read(start):
        return found
    for place, sign, words, fix in _PACKED:
        if start[place:].startswith(sign):
            return words, fix
    try:
        text = start.decode("utf-8", "strict" if len(start) < 4096 else "ignore")
    except UnicodeDecodeError:
        return None
    if text.isascii() and all(letter.isprintable() or letter in "\r\n\t" for letter in text) and "\n" in text:
        return "text (CSV, JSON?)", f"send {LAYOUT}, or write its numbers into arrays and {_ARRAYS}"
    return None
