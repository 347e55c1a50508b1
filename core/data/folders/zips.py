"""The files of a zip, called what their packer meant."""

from __future__ import annotations

import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Sequence
from functools import partial
from typing import Final

from core.data.folders.members import LINK, Entry, Listing

_UTF8, _ENCRYPTED = 0x800, 0x1
_UNICODE_PATH = 0x7075
_METHODS: Final = {9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz", 98: "PPMd", 99: "AES"}


def listing_of(archive: zipfile.ZipFile) -> Listing:
    """All that the zip lists, and what has to be said of its names."""
    infos = archive.infolist()
    names, guessed = _names(infos)
    entries = [
        Entry(
            name=name,
            key=info.orig_filename,
            is_folder=name.endswith("/") or stat.S_IFMT(info.external_attr >> 16) == stat.S_IFDIR,
            size=info.file_size,
            packed=info.compress_size,
            open=partial(archive.open, info),
            fault=_fault(info),
        )
        for info, name in zip(infos, names, strict=True)
    ]
    return Listing(entries, tuple(guessed))


def _names(infos: Sequence[zipfile.ZipInfo]) -> tuple[list[str], list[str]]:
    """The names of all members in Unicode's composed form, and those among them that had to be guessed."""
    names, guessed = [], []
    for info in infos:
        name, known = _name(info)
        names.append(unicodedata.normalize("NFC", name))
        if not known:
            guessed.append(names[-1])
    if not any("/" in name for name in names):  # as some packers of Windows write paths
        names = [name.replace("\\", "/") for name in names]
    return names, guessed


def _name(info: zipfile.ZipInfo) -> tuple[str, bool]:
    """The name of a member as its packer meant it, and whether that is known.

    Without bit 11 of the flags `zipfile` takes a name for code page 437, as the format says (APPNOTE.TXT, D.1). Packers
    of macOS and Linux write UTF-8 all the same, others add the name in UTF-8 (field 0x7075, APPNOTE.TXT, 4.6.9).
    """
    name = info.orig_filename
    if info.flag_bits & _UTF8 or name.isascii():
        return name, True
    raw = name.encode("cp437")
    try:
        return raw.decode(), True
    except UnicodeDecodeError:
        return (told, True) if (told := _unicode_path(info.extra, raw)) else (name, False)


def _unicode_path(extra: bytes, raw: bytes) -> str | None:
    while len(extra) >= 4:
        kind, size = int.from_bytes(extra[:2], "little"), int.from_bytes(extra[2:4], "little")
        field, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == _UNICODE_PATH and field[:1] == b"\1" and field[1:5] == zlib.crc32(raw).to_bytes(4, "little"):
            return field[5:].decode(errors="replace")
    return None


def _fault(info: zipfile.ZipInfo) -> tuple[str, str] | None:
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return LINK
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted", "pack it without a password"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        method = _METHODS.get(info.compress_type, f"method {info.compress_type}")
        return f"is packed by {method}", "pack the folder anew, stored or deflated as by `zip -r`"
    return None
