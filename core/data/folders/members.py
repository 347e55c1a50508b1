"""The files of a zip: called what their packer meant, and checked before any of them is unpacked."""

from __future__ import annotations

import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from core.data.facts import DatasetInvalid
from core.data.folders.faults import Fault, listed, quoted, refusal
from core.data.folders.limits import MOST_FILES, PICTURES

_UTF8, _ENCRYPTED = 0x800, 0x1
_UNICODE_PATH = 0x7075
_METHODS = {9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz", 98: "PPMd", 99: "AES"}
_LITTER = ("thumbs.db", "ehthumbs.db", "desktop.ini", "picasa.ini", "icon\r")
_LITTER_FOLDERS = ("__MACOSX", "@eaDir")


@final
@dataclass(frozen=True)
class Member:
    """A file of the archive and its path, taken apart."""

    info: zipfile.ZipInfo
    parts: tuple[str, ...]

    @property
    def path(self) -> str:
        return "/".join(self.parts)

    @property
    def quoted(self) -> str:
        return quoted(self.path)

    @property
    def is_picture(self) -> bool:
        """Whether its name says that it is a picture that is read."""
        return self.parts[-1].lower().endswith(PICTURES)


@final
@dataclass(frozen=True)
class Members:
    """The files of an archive without what file managers leave behind, and what has to be said of them."""

    files: tuple[Member, ...]
    remarks: tuple[str, ...]


def members_of(archive: zipfile.ZipFile) -> Members:
    """The files of the archive.

    Raises DatasetInvalid for what leads out of it, links, devices, encryption, methods of packing that are not read,
    a name that is there twice, and folders that hold nothing.
    """
    infos = archive.infolist()
    if len(infos) > MOST_FILES:
        raise DatasetInvalid(f"holds {len(infos):,} files, more than {MOST_FILES:,}; leave some of the images out")
    names, guessed = _names(infos)
    files, folders, faults = list[Member](), list[tuple[str, ...]](), list[Fault]()
    for info, name in zip(infos, names, strict=True):
        parts = tuple(part for part in name.rstrip("/").split("/") if part != ".")
        if fault := _fault(info, name, parts):
            faults.append(fault)
        elif name.endswith("/") or stat.S_IFMT(info.external_attr >> 16) == stat.S_IFDIR:
            folders.append(parts)
        elif parts:
            files.append(Member(info, parts))
    if faults:
        raise refusal(faults)
    kept = [member for member in files if not _is_litter(member.parts)]
    folders += [member.parts[:-1] for member in files if _is_litter(member.parts)]
    _check_names(kept)
    _check_folders(folders, kept)
    hidden = [member.path for member in files if _is_hidden_picture(member)]
    remarks = [] if not hidden else [f"Left out, as their names begin with a dot: {listed(hidden)}."]
    if guessed:
        remarks.append(
            f"The archive does not say how its names are written: {listed(guessed)} were read as DOS wrote them "
            "(code page 437); if that is wrong, rename the folders, or pack them with names in UTF-8."
        )
    return Members(tuple(kept), tuple(remarks))


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


def _fault(info: zipfile.ZipInfo, name: str, parts: Sequence[str]) -> Fault | None:
    if "\\" in name or "\0" in name or re.match("[A-Za-z]:", name) or name.startswith("/") or {"", ".."} & set(parts):
        return Fault(
            quoted(name),
            "leads out of the archive or is no plain path",
            "pack the folder anew, with relative paths, '/' between folders and no '\\' or drive letter in a name",
        )
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return Fault(quoted(name), "is a link or a device", "pack the files themselves")
    if info.flag_bits & _ENCRYPTED:
        return Fault(quoted(name), "is encrypted", "pack it without a password")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        method = _METHODS.get(info.compress_type, f"method {info.compress_type}")
        return Fault(quoted(name), f"is packed by {method}", "pack the folder anew, stored or deflated as by `zip -r`")
    return None


def _check_names(files: Sequence[Member]) -> None:
    names, twice = set[str](), list[Fault]()
    for member in files:
        if member.info.orig_filename in names:
            twice.append(Fault(member.quoted, "is in the archive twice", "give every file a name of its own"))
        names.add(member.info.orig_filename)
    if twice:
        raise refusal(twice)


def _check_folders(folders: Sequence[tuple[str, ...]], files: Sequence[Member]) -> None:
    """Refuse folders that hold nothing: a class that was forgotten should not just be absent."""
    filled = {member.parts[:end] for member in files for end in range(len(member.parts))}
    empty = [parts for parts in folders if parts and parts not in filled and not _is_litter((*parts, ""))]
    if empty and files:
        raise refusal(
            [
                Fault(quoted("/".join(parts)), "is an empty folder", "put pictures into it, or delete it")
                for parts in empty
            ]
        )


def _is_litter(parts: Sequence[str]) -> bool:
    """Whether a file manager left it behind, or its name hides it."""
    return any(part in _LITTER_FOLDERS or part.startswith(".") for part in parts) or parts[-1].lower() in _LITTER


def _is_hidden_picture(member: Member) -> bool:
    """Whether it is a picture that its name or its folder's hides; macOS keeps notes on `x.png` in `._x.png`."""
    litter = member.parts[-1].startswith("._") or any(part in _LITTER_FOLDERS for part in member.parts)
    return member.is_picture and _is_litter(member.parts) and not litter
