"""Tables that say the class of each picture in an archive: a column of files, one of classes, maybe one of splits.

    file_name,label                     id,dx                    image,MEL,NV
    a/1.png,cat                         ISIC_0024306,nv          ISIC_0024306,0.0,1.0

Read in the process of an inspection alone: pyarrow is loaded when it is needed.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final, final

import numpy as np

from core.data.csv_files import read_csv
from core.data.facts import DatasetInvalid
from core.data.folders.arrangement import Arrangement, Picture, faults_of
from core.data.folders.faults import Fault, left_out, listed, refusal
from core.data.folders.members import Member
from core.data.folders.words import SPLIT_COLUMNS, Split, split_of
from core.data.label_column import LABELS, label_column, words_of
from core.data.reading import Reading

if TYPE_CHECKING:
    import pyarrow as pa

LISTS: Final = (".csv", ".tsv", ".jsonl")
"""How the names of such tables end."""

_MORE_LABELS: Final = (*LABELS, "category", "class_name", "label_name")
_MOST_BYTES: Final = 2**28
_LEAST: Final = 0.5
"""Share of a column's rows that name a picture, from which it is the column of files."""


@final
@dataclass(frozen=True)
class _List:
    """A table of which a column names pictures."""

    member: Member
    table: pa.Table
    files: str
    named: Sequence[Member | None]
    """The picture that each row names."""


def listed_pictures(pictures: Sequence[Member], tables: Sequence[Member], reading: Reading) -> Arrangement | None:
    """The pictures with the classes that tables say, in the column that the uploader names, or one by a usual name, or
    the only one; None if no table names them.

    Raises DatasetInvalid for tables that do not say one class of each.
    """
    asked = reading.label_column
    found = [each for table in tables if (each := _list(table, pictures)) is not None]
    if not found:
        return None
    labelled = [(each, *_labels(each, asked, alone=len(found) == 1)) for each in found]
    if all(labels is None for _, labels, _ in labelled):
        _labels(found[0], asked, alone=True)  # which says what is missing
    classes, splits, bare, faults = dict[str, str](), dict[str, Split | None](), 0, list[Fault]()
    for each, labels, _ in labelled:
        said = _splits(each)
        for row, member in enumerate(each.named):
            label = None if labels is None else labels[row]
            if member is None:
                continue
            if label is None:
                bare += 1
            elif classes.setdefault(member.path, label) != label:
                fix = "one class a picture can be distilled: leave all rows of it but one out"
                faults.append(Fault(member.quoted, f"is in two classes by {each.member.quoted}", fix))
            else:
                splits[member.path] = said[row] if said else _split(each.member, member)
    if faults:
        raise refusal(faults)
    if not classes:
        raise DatasetInvalid(f"no picture has a class by {listed([each.member.path for each in found])}; fill it in")
    taken = [member for member in pictures if member.path in classes]
    broken = faults_of(taken)
    if broken and not reading.skip_broken:
        raise refusal(list(broken.values()))
    remarks = [f"The classes are said by {listed([each.member.path for each, *_ in labelled])}."]
    remarks += [remark for _, labels, remark in labelled if labels is not None and remark]
    if left := [member.path for member in pictures if member.path not in classes]:
        remarks.append(left_out(left, "as no row says the class of these pictures"))
    if bare:
        remarks.append(f"{bare:,} rows say no class.")
    if lost := sum(each.named.count(None) for each in found):
        remarks.append(f"{lost:,} rows name no picture that is there.")
    parts = _usable({path: splits[path] for path in classes})
    if {splits[path] for path in classes} == {"train", "val"}:
        remarks.append("There was no test split: that for validation became the test set.")
    sound = [Picture(each, parts[each.path], classes[each.path]) for each in taken if each.path not in broken]
    return Arrangement(tuple(sound), tuple(remarks), broken=tuple(broken.values()))


def _usable(splits: Mapping[str, Split | None]) -> Mapping[str, Split | None]:
    """The splits, if they are some of all pictures and there is one to train and one to test on."""
    there = set(splits.values())
    if None in there or "train" not in there or len(there) == 1:
        return dict.fromkeys(splits)
    return {path: "test" if split == "val" and "test" not in there else split for path, split in splits.items()}


def _list(member: Member, pictures: Sequence[Member]) -> _List | None:
    tables = _table(member)
    if tables is None or not tables[0].num_rows:
        return None
    table, words = tables
    keys = _keys(pictures)
    best: _List | None = None
    for name in table.column_names:
        values = words.column(name).to_pylist()
        named = [_named(value, member, keys) for value in values]
        enough = len(named) - named.count(None) >= max(1, _LEAST * len(named))
        if enough and (best is None or _different(named) > _different(best.named)):  # numbers of classes name some, too
            best = _List(member, table, name, named)
    return best


def _different(named: Sequence[Member | None]) -> int:
    return len({member.path for member in named if member is not None})


def _table(member: Member) -> tuple[pa.Table, pa.Table] | None:
    """The columns of a table, by their types and as words, such as "007"; None where it is no table."""
    import pyarrow as pa

    if member.size > _MOST_BYTES:
        return None
    with member.open() as file:
        content: IO[bytes] = io.BytesIO(file.read())
    try:
        if member.parts[-1].lower().endswith(".jsonl"):
            from pyarrow import json

            return (read := json.read_json(content)), read
        read = read_csv(content)
        content.seek(0)
        return read, read_csv(content, read.column_names)
    except (DatasetInvalid, pa.ArrowInvalid, UnicodeDecodeError):
        return None


def _keys(pictures: Sequence[Member]) -> Mapping[str, Sequence[Member]]:
    """The pictures by every end of their paths, with and without what says their format."""
    keys = defaultdict[str, list[Member]](list)
    for member in pictures:
        for first in range(len(member.parts)):
            path = "/".join(member.parts[first:])
            keys[path].append(member)
            keys[path.rpartition(".")[0]].append(member)
    return keys


def _named(value: Any, table: Member, keys: Mapping[str, Sequence[Member]]) -> Member | None:
    """The picture that an entry names: by its path from the table's folder, by its path, or by the end of it."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    path = str(value).strip().replace("\\", "/").removeprefix("./").strip("/")
    if not path:
        return None
    parts = path.split("/")
    for tried in ("/".join([*table.parts[:-1], path]), *("/".join(parts[first:]) for first in range(len(parts)))):
        if found := keys.get(tried):
            if len(found) == 1:
                return found[0]
            split = _split_of(table.parts)
            near = [member for member in found if split is not None and _split_of(member.parts[:-1]) == split]
            return near[0] if len(near) == 1 else None
    return None


def _labels(each: _List, asked: str, *, alone: bool) -> tuple[list[str | None] | None, str]:
    """The class of each row and a remark; None of a table without classes beside one that has some."""
    others = [name for name in each.table.column_names if name != each.files]
    usual = [name for name in others if name.strip().lower() in _MORE_LABELS]
    splits = [name for name in others if name.strip().lower() in SPLIT_COLUMNS]
    free = [name for name in others if name not in splits]
    if not asked and not usual and (columns := _one_of_columns(each.table, free)) is not None:
        return columns, f"The classes are the columns {listed(free)}, of which one is set in each row."
    if not asked and not usual and len(free) == 1:
        usual = free
    if not alone and asked not in others and not usual:
        return None, ""
    most = max(2, min(64, each.table.num_rows // 3))
    likely = [] if asked else [name for name in free if len(each.table.column(name).unique()) <= most]
    name, remark = label_column(asked, others, likely, usual)
    words = words_of(each.table.column(name).to_pylist(), name)
    return [word or None for word in words], remark


def _one_of_columns(table: pa.Table, names: Sequence[str]) -> list[str | None] | None:
    """The name of the column that is set in each row, where the columns are zeros and ones, one of them in a row."""
    import pyarrow as pa

    kinds = [table.column(name).type for name in names]
    if len(names) < 2 or not all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds):
        return None
    values = np.stack([table.column(name).to_numpy().astype(float) for name in names], axis=1)
    if not np.isin(values, (0, 1)).all() or (values.sum(1) != 1).any():
        return None
    return [names[place] for place in values.argmax(1).tolist()]


def _splits(each: _List) -> list[Split | None] | None:
    """The split of each row by a column of such words; None if there is none."""
    for name in each.table.column_names:
        if name != each.files and name.strip().lower() in SPLIT_COLUMNS:
            splits = [split_of(str(value)) for value in each.table.column(name).to_pylist()]
            if None not in splits:
                return splits
    return None


def _split(table: Member, picture: Member) -> Split | None:
    """The split that the table's name or a folder around the picture speaks of."""
    return _split_of((table.parts[-1].rpartition(".")[0],)) or _split_of(picture.parts[:-1])


def _split_of(parts: Sequence[str]) -> Split | None:
    return next((split for part in reversed(parts) if (split := split_of(part.rpartition(".")[0] or part))), None)
