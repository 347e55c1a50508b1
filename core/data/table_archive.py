"""Several tables of an archive as one dataset: `train.csv` and `test.csv`, with the same columns.

Read in the process of an inspection alone: pyarrow is loaded when it is needed.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Final, final

import numpy as np

from core.data.facts import DatasetInvalid
from core.data.folders import Folders, of_bundle
from core.data.folders.faults import left_out, listed
from core.data.folders.members import Member, split_of_file
from core.data.folders.words import Split, is_submission, split_of
from core.data.label_column import LABELS, columns_listed
from core.data.leaks import without_index
from core.data.reading import PICTURES, Reading
from core.data.table_files import Form, table_bundle, table_of

if TYPE_CHECKING:
    import pyarrow as pa

TEXTS: Final = (".csv", ".tsv")
"""How the names of tables of text end."""

_SPLIT: Final = "The split into train and test is the files' own."
_ALONE: Final = "send one table, or its parts called train.csv and test.csv"


@final
@dataclass(frozen=True)
class _Part:
    member: Member
    split: Split | None
    table: pa.Table


def read_tables(
    files: Sequence[Member], size: int | None, reading: Reading, opened: Callable[[Member], IO[bytes]]
) -> Folders:
    """The dataset of the tables among the files of an archive that holds no pictures.

    Args:
        files: all that the archive holds.
        size: of pictures that columns are the pixels of, as in `assembled`.
        reading: the uploader's word.
        opened: gives a file in which a reader can go to and fro.

    Raises DatasetInvalid, which names the table at fault and the fix.
    """
    reading.check_unsaid("these are tables", PICTURES)
    tables = [member for member in files if is_table(member)]
    answers = [member for member in tables if is_submission(member.parts[-1].rpartition(".")[0])]
    if len(answers) < len(tables):
        tables = [member for member in tables if member not in answers]
    tables, copies = _once(tables)
    chosen = _of_one_set([(member, split_of_file(member)) for member in tables])
    parts, remarks = _without_index(
        [_Part(member, split, _read(member, opened, reading)) for member, split in chosen], reading
    )
    parts, bare = _labelled(parts, reading)
    used = {part.member.path for part in parts}
    used |= {each.member.path for each in bare} | {each.path for each in copies}
    left = [member.path for member in files if member.path not in used]
    if left:
        remarks.append(left_out(left))
    if copies:
        remarks.append(left_out([each.path for each in copies], "as they are copies of other tables"))
    if bare:
        names = [each.member.path for each in bare]
        remarks.append(left_out(names, "as no column says the class of a row"))
    if len(parts) == 1:
        return of_bundle(table_bundle(parts[0].table, reading, None, parts[0].member.path), size, remarks)
    bundle = table_bundle(_joined(parts), reading, _splits(parts), parts[0].member.path)
    return of_bundle(bundle, size, [_SPLIT, *remarks])


def is_table(member: Member) -> bool:
    """Whether a file's name is that of a table."""
    return member.parts[-1].lower().endswith((*TEXTS, ".parquet"))


def _once(tables: Sequence[Member]) -> tuple[list[Member], list[Member]]:
    """The tables without copies of others of their set and split, and these copies."""
    sizes = Counter(member.size for member in tables)
    kept, copies, seen = list[Member](), list[Member](), set[tuple[Split | None, str, bytes]]()
    for member in tables:
        if sizes[member.size] > 1:
            content = hashlib.sha256()
            with member.open() as file:
                while chunk := file.read(1 << 20):
                    content.update(chunk)
            key = split_of_file(member), _set(member), content.digest()
            if key in seen:
                copies.append(member)
                continue
            seen.add(key)
        kept.append(member)
    return kept, copies


def _of_one_set(tables: Sequence[tuple[Member, Split | None]]) -> list[tuple[Member, Split | None]]:
    """The tables of a split, or the only table. Raises DatasetInvalid where several sets may be meant."""
    split: list[tuple[Member, Split | None]] = [each for each in tables if each[1]]
    if not split:
        if len(tables) == 1:
            return list(tables)
        raise DatasetInvalid(
            f"holds the tables {listed([member.path for member, _ in tables])}, and no name says which is the training "
            f"set: {_ALONE}"
        )
    sets = {_set(member) for member, _ in split}
    if len(sets) > 1:
        raise DatasetInvalid(
            f"holds tables of several sets, {listed([member.path for member, _ in split])}; leave the files of all but "
            "one out"
        )
    if not any(name == "train" for _, name in split):
        raise DatasetInvalid(f"holds {listed([member.path for member, _ in split])} and no table to train on: {_ALONE}")
    return split


def _set(member: Member) -> str:
    """The words of a table's name that say neither its split nor its number."""
    words = re.findall(r"[A-Za-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", member.parts[-1].rpartition(".")[0]))
    return " ".join(word.lower() for word in words if split_of(word) is None and word.lower() not in ("set", "data"))


def _read(member: Member, opened: Callable[[Member], IO[bytes]], reading: Reading) -> pa.Table:
    form: Form = "csv" if member.parts[-1].lower().endswith(TEXTS) else "parquet"
    try:
        return table_of(opened(member), form, reading)
    except DatasetInvalid as fault:
        raise DatasetInvalid(f"{member.quoted}: {fault}") from None


def _without_index(parts: Sequence[_Part], reading: Reading) -> tuple[list[_Part], list[str]]:
    training = [part.split in ("train", None) for part in parts]
    tables, remarks = without_index([part.table for part in parts], training, reading.label_column)
    return [replace(part, table=table) for part, table in zip(parts, tables, strict=True)], remarks


def _labelled(parts: Sequence[_Part], reading: Reading) -> tuple[list[_Part], list[_Part]]:
    """The parts with the training set's columns, and those that lack its labels, as test sets of competitions do.

    Raises DatasetInvalid for parts that differ in other columns.
    """
    wanted = next(part for part in parts if part.split in ("train", None)).table.column_names
    bare, kept = [], []
    for part in parts:
        lacking = [name for name in wanted if name not in part.table.column_names]
        more = [name for name in part.table.column_names if name not in wanted]
        if part.split != "train" and len(lacking) == 1 and not more and _is_label(lacking[0], wanted, reading):
            bare.append(part)
        elif lacking or more:
            of = next(each.member.quoted for each in parts if each.split in ("train", None))
            told = f"lacks {columns_listed(lacking)}" if lacking else f"has {columns_listed(more)} besides"
            raise DatasetInvalid(
                f"{part.member.quoted} {told}, unlike {of}: give both the same columns, or leave {part.member.quoted} "
                "out to have a fifth of each class set aside as the test set"
            )
        else:
            kept.append(part)
    return kept, bare


def _is_label(name: str, names: Sequence[str], reading: Reading) -> bool:
    """Whether a column that is missing can be that of the labels."""
    if reading.label_column:
        return name == reading.label_column
    return name.strip().lower() in LABELS or not any(each.strip().lower() in LABELS for each in names)


def _joined(parts: Sequence[_Part]) -> pa.Table:
    import pyarrow as pa

    try:
        return pa.concat_tables([part.table for part in parts], promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as fault:
        raise DatasetInvalid(
            f"{listed([part.member.path for part in parts])} hold different kinds of values in a column "
            f"({str(fault).splitlines()[0][:200]}); write both anew from one table"
        ) from None


def _splits(parts: Sequence[_Part]) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    return np.concatenate([np.full(part.table.num_rows, part.split or "train") for part in parts])
