"""Tables whose rows name pictures of an archive: which column does, and which picture each row means.

Read in the process of an inspection alone: pyarrow is loaded when it is needed.
"""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final, final

from core.data.csv_files import UTF16, cells, check_utf8, first_lines, read_csv, sign_of, text_of_csv
from core.data.facts import DatasetInvalid
from core.data.folders.faults import listed, quoted
from core.data.folders.members import Member, split_of_file, split_of_folder
from core.data.pixel_columns import are_pixels

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_BYTES: Final = 2**28
_LEAST: Final = 0.5
"""Share of a column's rows that name a picture, from which it is the column of files."""
_SAMPLE: Final = 200
"""Entries of a column that are looked at first: a wide table has many columns of something else."""
_HEADINGS: Final = {
    *("file", "files", "filename", "file_name", "filepath", "file_path", "path", "name", "id", "ids", "index"),
    *("image", "images", "image_id", "imageid", "img", "picture", "photo"),
}
"""Names of a column of files, after which a picture may be called, too."""

Keys = Mapping[str, Sequence[Member]]
"""Pictures by the ends of their paths."""


@final
@dataclass(frozen=True)
class PictureTable:
    """A table of which a column names pictures."""

    member: Member
    table: pa.Table
    words: pa.Table
    """The same columns as they are written, "007" and all."""
    files: str
    named: Sequence[Member | None]
    """The picture that each row names."""
    unclear: Mapping[str, Sequence[Member]]
    """Entries that may mean several pictures, and these."""

    def check_clear(self) -> None:
        """Raises DatasetInvalid for entries that may mean several pictures."""
        if self.unclear:
            entry, meant = next(iter(self.unclear.items()))
            raise DatasetInvalid(
                f"{self.member.quoted}: {len(self.unclear):,} entries of the column {self.files!r} name several "
                f"pictures each, {quoted(entry)} for one {listed([each.path for each in meant])}; write their paths "
                f"there, such as {meant[0].path}"
            )


@final
@dataclass(frozen=True)
class _Column:
    """The pictures that each entry of a column may mean."""

    rows: Sequence[Sequence[Member]]
    is_number: bool
    """Whether its entries are whole numbers."""


def picture_table(member: Member, pictures: Sequence[Member]) -> PictureTable | None:
    """The table in a file with the pictures that its rows name; None where it is no table, or names none.

    Raises DatasetInvalid for one of whose columns two are called alike, and for one that is not in UTF-8.
    """
    if member.size > _MOST_BYTES:
        return None
    keys = _keys(pictures)
    content, fault = _content(member)
    if (tables := _tables(content, member, keys)) is None or not tables[0].num_rows:
        return None
    table, words = tables
    meant = {name: _meant(words.column(name), member, keys) for name in table.column_names}
    files = _files(meant)
    if files is None:
        return None
    if fault:
        raise DatasetInvalid(f"{member.quoted}: {fault}")
    named, unclear = _chosen(words.column(files).to_pylist(), meant[files].rows)
    return PictureTable(member, table, words, files, named, unclear)


def _files(columns: Mapping[str, _Column]) -> str | None:
    """The column that names pictures: the one that names the most, and words before numbers, which may be classes."""
    best, most = None, (False, 0)
    for name, column in columns.items():
        rows = [row for row in column.rows if row]
        if len(rows) >= max(1, _LEAST * len(column.rows)):
            rank = not column.is_number, len({tuple(each.path for each in row) for row in rows})
            if rank > most:
                best, most = name, rank
    return best


def _content(member: Member) -> tuple[IO[bytes], DatasetInvalid | None]:
    """The text of a file in UTF-8, and the refusal of one that is in another encoding.

    It is read as well as can be guessed, to tell whether it is a table of the pictures at all.
    """
    with member.open() as file:
        raw = file.read()
    try:
        check_utf8(io.BytesIO(raw))
    except DatasetInvalid as fault:
        text = raw.decode("utf-16" if raw.startswith(UTF16) else "cp1252", "replace")
        return io.BytesIO(text.lstrip("\r\n").encode(errors="replace")), fault
    # Blank lines above the first one are no rows, and readers count them differently.
    return io.BytesIO(raw.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")), None


def _tables(content: IO[bytes], member: Member, keys: Keys) -> tuple[pa.Table, pa.Table] | None:
    """The columns of a table, by their types and as they are written; None where it is no table."""
    import pyarrow as pa

    try:
        if member.parts[-1].lower().endswith(".jsonl"):
            from pyarrow import json

            return (read := json.read_json(content)), read
        first, _ = first_lines(content)
        if are_pixels(cells(first, sign_of(first))):
            return None
        text = text_of_csv(content)
    except (DatasetInvalid, pa.ArrowInvalid, UnicodeDecodeError):
        return None
    if not text.num_rows:
        return None
    headed = not _begins_with_picture(text, member, keys)
    names = [str(column[0].as_py() or "").strip() for column in text.columns] if headed else _names(text, member, keys)
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        if _files(_by_place(text, member, keys)) is None:
            return None
        raise DatasetInvalid(
            f"{member.quoted}: the column {twice[0]!r} is there more than once; give every column its own name"
        )
    content.seek(0)
    try:
        table = read_csv(content, names=names, headed=headed)
    except (DatasetInvalid, pa.ArrowInvalid, UnicodeDecodeError):
        return None
    words = text.slice(int(headed)).rename_columns(names)
    return (table, words) if table.num_rows == words.num_rows else None


def _begins_with_picture(text: pa.Table, member: Member, keys: Keys) -> bool:
    """Whether the first line of a table is a row, as it names a picture that no other row does."""
    columns = _by_place(text, member, keys)
    files = _files(columns)
    if files is None or not (first := columns[files].rows[0]):
        return False
    called = str(text.column(int(files))[0].as_py()).strip().lower()
    return called not in _HEADINGS and not any(first == row for row in columns[files].rows[1:])


def _names(text: pa.Table, member: Member, keys: Keys) -> list[str]:
    """Names for the columns of a table without any; of two, the one that names no pictures has the labels."""
    names = [f"column {place + 1}" for place in range(text.num_columns)]
    names[int(_files(_by_place(text, member, keys)) or 0)] = "file"
    return [name if name == "file" else "label" for name in names] if len(names) == 2 else names


def _by_place(text: pa.Table, member: Member, keys: Keys) -> dict[str, _Column]:
    """The columns with the pictures that their entries may mean, by the column's place."""
    return {str(place): _meant(column, member, keys) for place, column in enumerate(text.columns)}


def _keys(pictures: Sequence[Member]) -> Keys:
    """The pictures by every end of their paths, with and without what says their format."""
    keys = defaultdict[str, list[Member]](list)
    for member in pictures:
        for first in range(len(member.parts)):
            path = "/".join(member.parts[first:])
            keys[path].append(member)
            keys[path.rpartition(".")[0]].append(member)
    return keys


def _meant(column: pa.ChunkedArray, table: Member, keys: Keys) -> _Column:
    """A column with what it may mean: nothing, where no entry of a sample of it means any picture."""
    some = column.take(list(range(0, len(column), max(1, len(column) // _SAMPLE)))).to_pylist()
    if not any(_named(value, table, keys) for value in some):
        return _Column([()] * len(column), is_number=False)
    is_number = all(str(value).strip().isdecimal() for value in some[1:] or some if value is not None)
    return _Column([_named(value, table, keys) for value in column.to_pylist()], is_number)


def _named(value: Any, table: Member, keys: Keys) -> Sequence[Member]:
    """The pictures that an entry may mean: by its path from the table's folder, by its path, or by the end of it."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ()
    path = str(value).strip().replace("\\", "/").removeprefix("./").strip("/")
    if not path:
        return ()
    parts = path.split("/")
    for tried in ("/".join([*table.parts[:-1], path]), *("/".join(parts[first:]) for first in range(len(parts)))):
        if found := keys.get(tried):
            exact = [member for member in found if tried in (member.path, member.path.rpartition(".")[0])]
            split = split_of_file(table)
            near = [member for member in found if split is not None and split_of_folder(member) == split]
            return exact if len(exact) == 1 else near or found
    return ()


def _chosen(
    values: Sequence[Any], meant: Sequence[Sequence[Member]]
) -> tuple[list[Member | None], dict[str, Sequence[Member]]]:
    """The picture that each row means, and the entries of which that is not clear, with what they may mean.

    Where several are meant, it is the one in the only folder that has a picture for every row.
    """
    rows = [row for row in meant if row]
    serving = Counter(folder for row in rows for folder in {member.parts[:-1] for member in row})
    whole = [folder for folder, count in serving.items() if count == len(rows)]
    named, unclear = list[Member | None](), dict[str, Sequence[Member]]()
    for value, row in zip(values, meant, strict=True):
        here = [member for member in row if len(whole) == 1 and member.parts[:-1] == whole[0]]
        left = row if len(row) < 2 or not here else here
        named.append(left[0] if len(left) == 1 else None)
        if len(left) > 1:
            unclear[str(value)] = left
    return named, unclear
