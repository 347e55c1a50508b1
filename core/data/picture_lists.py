"""Tables that say the class of each picture in an archive: a column of files, one of classes, maybe one of splits.

file_name,label                     id,dx                    image,MEL,NV
a/1.png,cat                         ISIC_0024306,nv          ISIC_0024306,0.0,1.0
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, final

from core.data.facts import DatasetInvalid
from core.data.folders.arrangement import Arrangement, Picture, check_sizes, faults_of
from core.data.folders.faults import Fault, left_out, listed, refusal
from core.data.folders.losses import check_losses
from core.data.folders.members import Member, split_of_folder
from core.data.folders.words import Split, is_submission, split_of
from core.data.picture_labels import labels_in
from core.data.picture_tables import PictureTable, picture_table
from core.data.reading import Reading
from core.data.split_columns import splits_in_lists

LISTS: Final = (".csv", ".tsv", ".jsonl")
"""How the names of such tables end."""


@final
@dataclass
class _Said:
    """The words of tables and folders on pictures, by their paths."""

    classes: dict[str, str] = field(default_factory=dict)
    splits: dict[str, Split | None] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    """The entries of a column of splits that name none."""
    faults: list[Fault] = field(default_factory=list)
    bare: int = 0
    """Rows that say no class."""

    def add(self, table: PictureTable, labels: Sequence[str | None] | None, asked: str) -> list[str]:
        """Take up the rows of a table; what was decided about its column of splits, in sentences.

        `asked` is the column that the uploader names for the classes.
        """
        column = splits_in_lists(table.words, [table.files, asked])
        for row, member in enumerate(table.named):
            label = None if labels is None else labels[row]
            if member is None:
                continue
            if label is None:
                self.bare += 1
                continue
            split = column.splits[row] if column.splits else _split(table.member, member)
            if self.classes.setdefault(member.path, label) != label:
                fix = "one class a picture can be distilled: leave all rows of it but one out"
                self.faults.append(Fault(member.quoted, f"is in two classes by {table.member.quoted}", fix))
            elif split and (other := self.splits.get(member.path)) and split != other:
                fix = "leave all rows of it but one out"
                self.faults.append(Fault(member.quoted, f"is said to be of {other} and of {split}", fix))
            elif split or not self.splits.get(member.path):
                self.splits[member.path] = split
                if column.splits and split is None:
                    self.unknown[member.path] = column.words[row]
        return list(column.remarks)


def listed_pictures(pictures: Sequence[Member], tables: Sequence[Member], reading: Reading) -> Arrangement | None:
    """The pictures with the classes that tables say, in the column that the uploader names, or one by a usual name, or
    the only one; None if no table names them.

    Raises DatasetInvalid for tables that do not say one class of each.
    """
    if not pictures:
        return None
    answers = [table for table in tables if is_submission(table.parts[-1].rpartition(".")[0])]
    found = [each for table in tables if table not in answers and (each := picture_table(table, pictures)) is not None]
    if not found:
        return None
    labelled = labels_in(found, reading)
    said, told = _Said(), list[str]()
    for each, labels, _ in labelled:
        if labels is not None:
            each.check_clear()
        told += said.add(each, labels, reading.label_column)
    if said.faults:
        raise refusal(said.faults)
    if not said.classes:
        raise DatasetInvalid(f"no picture has a class by {listed([each.member.path for each in found])}; fill it in")
    remarks = [f"The classes are said by {listed([each.member.path for each in found])}."]
    remarks += dict.fromkeys(remark for _, labels, remark in labelled if labels is not None and remark)
    remarks += dict.fromkeys(told)
    if answers:
        remarks.append(
            left_out([each.path for each in answers], "as they are called as forms for answers, whose labels are none")
        )
    folders = _join_folders(said, pictures)
    if folders:
        where = f"in {listed([each for each in folders if each])}" if any(folders) else "at the top"
        remarks.append(f"The classes of the pictures {where} are the names of their folders.")
    left = [member for member in pictures if member.path not in said.classes]
    parts, more = _parts(said, left)
    remarks += more
    taken = [member for member in pictures if member.path in parts]
    broken = faults_of(taken)
    if broken and not reading.skip_broken:
        raise refusal(list(broken.values()))
    if left:
        remarks.append(left_out([each.path for each in left], "as no row says the class of these pictures"))
    if said.bare:
        remarks.append(f"{said.bare:,} rows say no class.")
    if lost := sum(each.named.count(None) for each in found if not each.unclear):
        remarks.append(f"{lost:,} rows name no picture that is there.")
    every = [Picture(each, parts[each.path], said.classes[each.path]) for each in taken]
    sound = [picture for picture in every if picture.member.path not in broken]
    check_losses(*([(picture.split, picture.label) for picture in part] for part in (every, sound)))
    if folders:
        check_sizes(sound)
    return Arrangement(tuple(sound), tuple(remarks), broken=tuple(broken.values()))


def _join_folders(said: _Said, pictures: Sequence[Member]) -> list[str]:
    """Take up class folders of which no row speaks, such as a training set's beside a table of the test set.

    They are called as classes of the tables and lie beside no class folder of which some pictures are in a table: one
    who lists some of a folder's pictures has left the others out. Beside a test set alone they are the training set.
    """
    classes = set(said.classes.values())
    bases = dict[tuple[str, ...], list[Member]]()
    for member in pictures:
        if len(member.parts) > 1:
            bases.setdefault(member.parts[:-2], []).append(member)
    last: Split | None = "train" if set(said.splits.values()) in ({"test"}, {"val"}) else None
    joined, known = [], set(said.classes)
    for base, members in bases.items():
        split = next((split for part in reversed(base) if (split := split_of(part))), None)
        inside = [member for member in members if split or member.parts[-2] in classes]
        if not classes & {member.parts[-2] for member in inside} or any(member.path in known for member in inside):
            continue
        joined.append("/".join(base))
        for member in inside:
            said.classes[member.path], said.splits[member.path] = member.parts[-2], split or last
    return joined


def _parts(said: _Said, left: Sequence[Member]) -> tuple[Mapping[str, Split | None], list[str]]:
    """The split of each picture that is taken, None of all where they are split here, and what was decided.

    Raises DatasetInvalid for splits that leave open which pictures are the training set.
    """
    bare = [path for path, split in said.splits.items() if split is None]
    words = sorted({said.unknown[path] for path in bare if path in said.unknown})
    there = {split for split in said.splits.values() if split is not None}
    others = [*bare, *(each.path for each in left if split_of_folder(each) in ("train", None))]
    if there and "train" not in there and (others or len(there) > 1):
        rest = f", and nothing is said of {listed(others)}" if others else ""
        raise DatasetInvalid(
            f"nothing says which pictures are the training set: some are said to be of {' and '.join(sorted(there))}"
            f"{rest}; call its folder, its table or its rows in a column 'split' train, or leave those out that are "
            "not to be distilled"
        )
    if there == {"train"} and words:
        raise DatasetInvalid(
            f"a column says train of some pictures and {listed(words)} of others: call the rows of the test set test, "
            "or leave the column out to have a fifth of each class set aside as the test set"
        )
    remarks = list[str]()
    if len(there) < 2:
        if there and bare:
            remarks.append(f"Pictures of no split were taken with those of {there.pop()}: {listed(bare)}.")
        return dict.fromkeys(said.splits), remarks
    if bare:
        why = f"as {listed(words)} is no split" if words else "as nothing says which split they are of"
        remarks.append(left_out(bare, why))
    if "test" not in there:
        remarks.append("There was no test split: that for validation became the test set.")
    last: Mapping[Split, Split] = {} if "test" in there else {"val": "test"}
    return {path: last.get(split, split) for path, split in said.splits.items() if split is not None}, remarks


def _split(table: Member, picture: Member) -> Split | None:
    """The split that the table's name or a folder around the picture speaks of."""
    return split_of(table.parts[-1].rpartition(".")[0]) or split_of_folder(picture)
