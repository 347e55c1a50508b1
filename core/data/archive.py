"""The dataset in an archive, by the kind of its files: pictures, tables whose rows are pictures, or IDX files."""

from __future__ import annotations

import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Final

from core.data.binaries import refuse_binaries, refuse_matlab
from core.data.csv_files import cells, first_lines, sign_of
from core.data.facts import DatasetInvalid
from core.data.folders import LAYOUT, Folders, assembled
from core.data.folders.archives import opened
from core.data.folders.arrangement import Arrangement, arrangement_of, drawn_of
from core.data.folders.members import Member, Members
from core.data.folders.words import is_split
from core.data.idx import is_idx, read_idx
from core.data.pickles import refuse_pickles
from core.data.picture_lists import LISTS, listed_pictures
from core.data.pixel_columns import are_pixels
from core.data.reading import ARRAYS, FOLDERS, PICTURES, Reading
from core.data.shards import Shard, arranged, holds_pictures, splits_of
from core.data.table_archive import TEXTS, is_table, read_tables

_DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    UnicodeError,
    OSError,
)
_TABLES: Final = (".parquet", ".arrow")


def read_archive(path: Path, size: int | None = None, reading: Reading | None = None) -> Folders:
    """The dataset in a zip or a tar.

    Args:
        path: the archive.
        size: of pictures, as in `assembled`.
        reading: the uploader's word on it.

    Raises DatasetInvalid, which names the members at fault and how to mend them.
    """
    reading = reading or Reading()
    try:
        with opened(path) as members, ExitStack() as files:
            unpacked = partial(_copied, folder=path.parent, files=files)
            return _of_members(members, size, reading, unpacked)
    except _DAMAGE as fault:
        raise DatasetInvalid(f"not a whole archive ({fault}); pack it anew: {LAYOUT}") from None


def _of_members(
    members: Members, size: int | None, reading: Reading, unpacked: Callable[[Member], IO[bytes]]
) -> Folders:
    files = members.files
    drawn = [member for member in files if member.is_picture]
    try:
        arrangement = _pictures(files, reading)
    except DatasetInvalid:
        refuse_pickles(files)
        refuse_binaries(files)
        if not (_illustrate(drawn, files, unpacked) if drawn else _hold_arrays(files)):
            if not drawn:
                refuse_matlab(files)
            raise
    else:
        reading.check_unsaid("these are files of pictures", ARRAYS)
        return assembled(arrangement, size, members.remarks, skip_broken=reading.skip_broken)
    if any(map(is_idx, files)):
        reading.check_unsaid("these are IDX files", PICTURES)
        found = read_idx(files, size, reading.transposed)
    elif (tables := _ending(files, _TABLES)) and (
        not is_table(tables[0]) or holds_pictures(Shard(tables[0].path, unpacked(tables[0])).schema)
    ):
        return _of_shards(tables, members, size, reading, unpacked)
    else:
        found = read_tables(files, size, reading, unpacked)
    return replace(found, remarks=(*found.remarks, *members.remarks))


def _hold_arrays(files: Sequence[Member]) -> bool:
    """Whether files, none of which is a picture that is read, hold arrays: IDX files, or tables beside no others."""
    return bool(
        any(map(is_idx, files)) or _ending(files, _TABLES) or (any(map(is_table, files)) and not drawn_of(files))
    )


def _illustrate(drawn: Sequence[Member], files: Sequence[Member], unpacked: Callable[[Member], IO[bytes]]) -> bool:
    """Whether pictures that are no dataset, in one folder, lie beside files that hold whole ones: IDX files, pixels."""
    if len({member.parts[:-1] for member in drawn}) > 1:
        return False
    if any(map(is_idx, files)):
        return True
    if tables := _ending(files, _TABLES):
        schema = Shard(tables[0].path, unpacked(tables[0])).schema
        return holds_pictures(schema) or are_pixels(schema.names)
    for member in _ending(files, TEXTS):
        with member.open() as file:
            first, _ = first_lines(file)
        if are_pixels(cells(first, sign_of(first))):
            return True
    return False


def _pictures(files: Sequence[Member], reading: Reading) -> Arrangement:
    """The pictures with their classes, by folders, else by tables; by tables where the uploader names a column."""
    tables = [member for member in files if member.parts[-1].lower().endswith(LISTS)]
    if reading.label_column:
        reading.check_unsaid("label_column names a table's classes", FOLDERS)
        if (said := listed_pictures(drawn_of(files), tables, reading)) is None:
            raise DatasetInvalid(
                f"label_column={reading.label_column} is said, and no table in the archive names its pictures; leave "
                "it out, or add a CSV file with a column of files and one of classes"
            )
        return said
    by_folders = not tables or any(word in FOLDERS for word in reading.said)
    try:
        found = arrangement_of(files, reading)
    except DatasetInvalid:
        if by_folders or (said := listed_pictures(drawn_of(files), tables, reading)) is None:
            raise
        return said
    splits = {each.label for each in found.pictures if is_split(each.label)}
    return found if by_folders or not splits else _unless_split(found, splits, files, tables, reading)


def _unless_split(
    found: Arrangement, splits: set[str], files: Sequence[Member], tables: Sequence[Member], reading: Reading
) -> Arrangement:
    """The pictures by folders, some of which are called as `splits` are, unless tables say other classes of those."""
    try:
        said = listed_pictures(drawn_of(files), tables, reading)
    except DatasetInvalid:
        return found
    return found if said is None or splits & {each.label for each in said.pictures} else said


def read_shard(path: Path, size: int | None, reading: Reading) -> Folders | None:
    """The dataset in a Parquet file whose rows are pictures; None if they are not. Raises DatasetInvalid."""
    with path.open("rb") as file:
        shard = Shard("the Parquet file", file)
        if not holds_pictures(shard.schema):
            return None
        reading.check_unsaid("this is a table of pictures", (*FOLDERS, *ARRAYS))
        return assembled(arranged([(shard, None)], reading), size, skip_broken=reading.skip_broken)


def _of_shards(
    tables: Sequence[Member],
    members: Members,
    size: int | None,
    reading: Reading,
    unpacked: Callable[[Member], IO[bytes]],
) -> Folders:
    reading.check_unsaid("these are tables of pictures", (*FOLDERS, *ARRAYS))
    placed, left = splits_of(tables)
    shards = [(Shard(member.path, unpacked(member)), split) for member, split in placed]
    if not holds_pictures(shards[0][0].schema):
        raise DatasetInvalid(
            f"{shards[0][0].name!r} holds no pictures; a table is sent as Parquet or CSV: table.to_parquet(path)"
        )
    left += [member.path for member in members.files if member not in tables and not _is_note(member)]
    arrangement = arranged(shards, reading, left)
    return assembled(arrangement, size, members.remarks, skip_broken=reading.skip_broken)


def _copied(member: Member, folder: Path, files: ExitStack) -> IO[bytes]:
    """A file of the archive, unpacked into one without a name, where its reader can go to and fro."""
    file = files.enter_context(tempfile.TemporaryFile(dir=folder))  # noqa: SIM115  # the stack closes it
    with member.open() as source:
        shutil.copyfileobj(source, file, 1 << 20)
    file.seek(0)
    return file


def _ending(files: Sequence[Member], ends: tuple[str, ...]) -> list[Member]:
    return [member for member in files if member.parts[-1].lower().endswith(ends)]


def _is_note(member: Member) -> bool:
    """Whether a file tells readers or programs of the data, and is none."""
    return member.parts[-1].lower().endswith((".md", ".json", ".txt", ".lock"))
