"""The files of an archive, checked before any of them is unpacked."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO, Final, final

from core.data.facts import DatasetInvalid
from core.data.folders.faults import Fault, left_out, listed, quoted, refusal
from core.data.folders.limits import MOST_FILES, PICTURES
from core.data.folders.words import Split, split_of

LINK: Final = "is a link or a device", "pack the files themselves (tar: --dereference --hard-dereference)"
"""The fault of an entry that is no file, and its fix."""
_LITTER = ("thumbs.db", "ehthumbs.db", "desktop.ini", "picasa.ini", "icon\r")
_LITTER_FOLDERS = ("__MACOSX", "@eaDir")


@final
@dataclass(frozen=True)
class Entry:
    """A file or a folder as an archive lists it."""

    name: str
    """Its path in Unicode's composed form."""
    key: str
    """Its path as it is written in the archive."""
    is_folder: bool
    size: int
    packed: int
    """Bytes that it takes in the archive, where these are its own."""
    open: Callable[[], IO[bytes]]
    fault: tuple[str, str] | None = None
    """Why an archive of its kind cannot be read there, and the fix."""


@final
@dataclass(frozen=True)
class Listing:
    """All that an archive lists."""

    entries: Sequence[Entry]
    guessed: tuple[str, ...] = ()
    """Names that may be written in another way than they were read."""


@final
@dataclass(frozen=True)
class Member:
    """A file of the archive and its path, taken apart."""

    parts: tuple[str, ...]
    key: str
    size: int
    packed: int
    open: Callable[[], IO[bytes]]

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


def members_of(listing: Listing) -> Members:
    """The files of an archive.

    Raises DatasetInvalid for what leads out of it, links, devices, encryption, methods of packing that are not read,
    a name that is there twice, and folders that hold nothing.
    """
    if len(listing.entries) > MOST_FILES:
        raise DatasetInvalid(
            f"holds {len(listing.entries):,} files, more than {MOST_FILES:,}; leave some of the images out"
        )
    files, folders, faults = list[Member](), list[tuple[str, ...]](), list[Fault]()
    for entry in listing.entries:
        name = entry.name
        parts = tuple(part for part in name.rstrip("/").split("/") if part != ".")
        if fault := _fault(entry, parts):
            faults.append(fault)
        elif entry.is_folder:
            folders.append(parts)
        elif parts:
            files.append(Member(parts, entry.key, entry.size, entry.packed, entry.open))
    if faults:
        raise refusal(faults)
    kept = [member for member in files if not _is_litter(member.parts)]
    folders += [member.parts[:-1] for member in files if _is_litter(member.parts)]
    _check_names(kept)
    _check_folders(folders, kept)
    hidden = [member.path for member in files if _is_hidden_picture(member)]
    remarks: list[str] = [left_out(hidden, "as their names begin with a dot")] if hidden else []
    if listing.guessed:
        remarks.append(
            f"The archive does not say how its names are written: {listed(listing.guessed)} were read as DOS wrote "
            "them (code page 437); if that is wrong, rename the folders, or pack them with names in UTF-8."
        )
    return Members(tuple(kept), tuple(remarks))


def split_of_file(member: Member) -> Split | None:
    """The split that a file's name speaks of, or that of the nearest folder around it."""
    return split_of(member.parts[-1].rpartition(".")[0]) or split_of_folder(member)


def split_of_folder(member: Member) -> Split | None:
    """The split that the name of the nearest folder around a file speaks of, of those that speak of one."""
    return next((split for part in reversed(member.parts[:-1]) if (split := split_of(part))), None)


def _fault(entry: Entry, parts: Sequence[str]) -> Fault | None:
    name = entry.name
    if "\\" in name or "\0" in name or re.match("[A-Za-z]:", name) or name.startswith("/") or {"", ".."} & set(parts):
        return Fault(
            quoted(name),
            "leads out of the archive or is no plain path",
            "pack the folder anew, with relative paths, '/' between folders and no '\\' or drive letter in a name",
        )
    return Fault(quoted(name), *entry.fault) if entry.fault else None


def _check_names(files: Sequence[Member]) -> None:
    names, twice = set[str](), list[Fault]()
    for member in files:
        if member.key in names:
            twice.append(Fault(member.quoted, "is in the archive twice", "give every file a name of its own"))
        names.add(member.key)
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
