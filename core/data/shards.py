"""Tables whose rows are pictures, as the library `datasets` stores them: Parquet and Arrow files, one or many.

    image  struct<bytes: binary, path: string>, or binary       a file of a picture
    label  integers, named by the feature ClassLabel in the schema's metadata, or words

Read in the process of an inspection alone: pyarrow is loaded when it is needed.
"""

from __future__ import annotations

import bisect
import io
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import IO, TYPE_CHECKING, Any, Final, final

from core.data.facts import DatasetInvalid
from core.data.folders.arrangement import Arrangement, Picture
from core.data.folders.faults import UnreadableError, left_out, listed
from core.data.folders.limits import MOST_FILES
from core.data.folders.members import Member, split_of_file
from core.data.folders.words import Split, split_of
from core.data.label_column import label_column
from core.data.labels import labels_of
from core.data.left_out import LeftOut
from core.data.reading import Reading

if TYPE_CHECKING:
    import pyarrow as pa

_PICTURES: Final = ("image", "img", "picture", "photo", "pixels")
_LABELS: Final = ("label", "labels", "fine_label", "class", "target", "y")
_METADATA: Final = b"huggingface"
_WRITE: Final = "write it anew with the library `datasets`: dataset.to_parquet(path)"


@final
class Shard:
    """An open file of rows: its schema and columns, and the picture of a row, of which a group is in memory."""

    def __init__(self, name: str, file: IO[bytes]) -> None:
        """Raises DatasetInvalid for what is no Parquet or Arrow file."""
        import pyarrow as pa
        from pyarrow import ipc, parquet

        self.name = name
        self._group, self._pictures = -1, None
        try:
            if file.read(4) == b"PAR1":
                self._file = parquet.ParquetFile(file)
                self.schema: pa.Schema = self._file.schema_arrow
                counts = [self._file.metadata.row_group(n).num_rows for n in range(self._file.num_row_groups)]
            else:
                file.seek(0)
                is_file = file.read(6) == b"ARROW1"
                file.seek(0)
                self._file, self._table = None, (ipc.open_file(file) if is_file else ipc.open_stream(file)).read_all()
                self.schema, counts = self._table.schema, [self._table.num_rows]
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as fault:
            lost = "; is it Git LFS's note of a file? Run `git lfs pull`" if _is_note(file) else ""
            raise DatasetInvalid(f"{name} cannot be read: {str(fault).splitlines()[0][:200]}{lost}; {_WRITE}") from None
        self._starts: list[int] = [0, *accumulate(counts)]

    def __len__(self) -> int:
        return self._starts[-1]

    def column(self, name: str) -> pa.ChunkedArray:
        """A whole column."""
        if self._file is None:
            return self._table.column(name)
        return self._file.read(columns=[name]).column(name)

    def open(self, column: str, row: int) -> IO[bytes]:
        """The file of the picture in a row. Raises UnreadableError where the row holds none."""
        group = bisect.bisect_right(self._starts, row) - 1
        if self._file is None:
            pictures = self._table.column(column)
        else:
            if group != self._group:
                read = self._file.read_row_group(group, columns=[column])
                self._group, self._pictures = group, read.column(column)
            pictures = self._pictures
        value = pictures[row - self._starts[group]].as_py()
        data = value.get("bytes") if isinstance(value, dict) else value
        if data is None:
            where = isinstance(value, dict) and value.get("path")
            fault = f"holds the path {where!r} in the place of a picture" if where else "holds no picture"
            raise UnreadableError(fault, f"{_WRITE} embeds pictures" if where else "leave the row out")
        return io.BytesIO(data)


@final
@dataclass(frozen=True)
class Columns:
    """The columns of pictures and labels, and the classes' names where the file has them."""

    picture: str
    label: str
    names: tuple[str, ...] | None
    remark: str


def holds_pictures(schema: pa.Schema) -> bool:
    """Whether a table's rows have a picture each."""
    return bool(_picture_columns(schema))


def arranged(shards: Sequence[tuple[Shard, Split | None]], reading: Reading, left: Sequence[str] = ()) -> Arrangement:
    """The pictures of all rows with their classes.

    Args:
        reading: the uploader's word; without one on the column of the labels it is one by its type or a usual name.
        left: files that were left out.

    Raises DatasetInvalid.
    """
    columns = _columns(shards[0][0], reading.label_column)
    if sum(len(shard) for shard, _ in shards) > MOST_FILES:
        raise DatasetInvalid(f"holds more than {MOST_FILES:,} rows; leave some of the images out: dataset.select(...)")
    pictures, bare, told = list[Picture](), defaultdict[str, int](int), list[str]()
    for shard, split in shards:
        for name in (columns.picture, columns.label):
            if name not in shard.schema.names:
                raise DatasetInvalid(f"{shard.name} has no column {name!r}, but {shards[0][0].name} has; {_WRITE}")
        labels, more = _labels(shard, columns, reading)
        told += more
        for row, label in enumerate(labels):
            if label is None:
                bare[shard.name] += 1
                continue
            read = partial(shard.open, columns.picture, row)
            member = Member((*shard.name.split("/"), f"row {row}"), f"{shard.name}/{row}", 0, 0, read)
            pictures.append(Picture(member, split, label))
    remarks = [columns.remark, *dict.fromkeys(told)]
    if left:
        remarks.append(left_out(left))
    if bare:
        counts = ", ".join(f"{count:,} of {name!r}" for name, count in bare.items())
        remarks.append(LeftOut(f"Rows without a label were left out: {counts}.", bare, sum(bare.values())))
    present = {picture.label for picture in pictures}
    if not present:
        raise DatasetInvalid(f"no row has a label in the column {columns.label!r}; name another one with label_column")
    names = None if columns.names is None else tuple(name for name in columns.names if name in present)
    if columns.names is not None and names is not None and len(names) < len(columns.names):
        missing = [name for name in columns.names if name not in present]
        remarks.append(LeftOut(f"No picture is of the classes {listed(missing)}: they were left out.", missing))
    return Arrangement(tuple(pictures), tuple(remarks), names)


def splits_of(files: Sequence[Member]) -> tuple[list[tuple[Member, Split | None]], list[str]]:
    """The files that are read, each with its split by its name or its folder's (`data/train-00000-of-00002.parquet`,
    `default/test/0000.parquet`), and the paths of those that are left out: further splits.

    Raises DatasetInvalid for several sets, and for splits that cannot be used.
    """
    placed = [(member, split_of_file(member)) for member in files]
    sets = {_set(member) for member in files}
    if len(sets) > 1:
        raise DatasetInvalid(
            f"holds several sets of tables, in {listed(sorted(each or './' for each in sets))}; leave the files of all "
            "but one out"
        )
    if not any(split for _, split in placed):
        return placed, []
    found = {split for _, split in placed}
    others = [member.path for member, split in placed if split is None]
    if "train" not in found:
        raise DatasetInvalid(
            f"holds {listed([member.path for member in files])} but no training split; name a file train.parquet, or "
            "leave the words for splits out of the names to have a fifth of each class set aside as the test set"
        )
    instead = "test" not in found
    return [
        (member, "test" if split == "val" and instead else split) for member, split in placed if split is not None
    ], others


def _set(member: Member) -> str:
    """The folder of the set that a file is of, without those that splits are called after."""
    return "/".join(part for part in member.parts[:-1] if split_of(part) is None and part != "data")


def _columns(shard: Shard, asked: str) -> Columns:
    features = _features(shard.schema)
    found = _picture_columns(shard.schema)
    picture = next((name for name in _PICTURES if name in found), found[0])
    if len(found) > 1 and picture not in _PICTURES:
        raise DatasetInvalid(
            f"the columns {listed(found)} hold pictures; keep one: dataset.select_columns([{picture!r}, 'label'])"
        )
    others = [name for name in shard.schema.names if name not in found]
    labelled = [name for name in others if features.get(name, {}).get("_type") == "ClassLabel"]
    usual = [name for name in _LABELS if name in (labelled or others)]
    if asked or not (usual or len(labelled) == 1):
        label, remark = label_column(asked, others, labelled or others, ())
    else:
        label = (usual or labelled)[0]
        rest = [name for name in labelled if name != label]
        remark = f"The pictures are the column {picture!r}, their classes {label!r}" + (
            f"; label_column may name {listed(rest)} in its place." if rest else "."
        )
    return Columns(picture, label, _names(features.get(label, {})), remark)


def _names(feature: dict[str, Any]) -> tuple[str, ...] | None:
    names = feature.get("names")
    if feature.get("_type") != "ClassLabel" or not isinstance(names, list) or not names:
        return None
    return tuple(str(name) for name in names)


def _labels(shard: Shard, columns: Columns, reading: Reading) -> tuple[list[str | None], list[str]]:
    """The class of each row, and remarks; None of those without one, which are -1 in a competition's test split."""
    words, remarks = labels_of(shard.column(columns.label).to_pylist(), columns.label, reading.missing)
    names = columns.names
    if names is None or any(word is not None and not re.fullmatch("-?[0-9]+", word) for word in words):
        return words, remarks
    numbers = [None if word is None or word == "-1" else int(word) for word in words]
    if wrong := next((each for each in numbers if each is not None and not 0 <= each < len(names)), None):
        raise DatasetInvalid(
            f"{shard.name}: {columns.label!r} holds {wrong}, but its feature names {len(names)} classes; "
            "correct its names: dataset.cast_column(name, datasets.ClassLabel(names=[...]))"
        )
    return [None if each is None else names[each] for each in numbers], remarks


def _features(schema: pa.Schema) -> dict[str, dict[str, Any]]:
    """The features that `datasets` keeps in a schema's metadata, by column; none where they are illegible."""
    try:
        features = json.loads((schema.metadata or {})[_METADATA])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    if not isinstance(features, dict):
        return {}
    return {name: each for name, each in features.items() if isinstance(each, dict)}


def _picture_columns(schema: pa.Schema) -> list[str]:
    import pyarrow as pa

    features = _features(schema)
    found = []
    for field in schema:
        struct = pa.types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0
        binary = pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type)
        is_image = features.get(field.name, {}).get("_type", "Image" if struct or binary else "") == "Image"
        if (struct or binary) and is_image:
            found.append(field.name)
    return found


def _is_note(file: IO[bytes]) -> bool:
    file.seek(0)
    return file.read(24) == b"version https://git-lfs."
