"""Which folders of an archive are classes, and which of its files are pictures."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from core.data.facts import DatasetInvalid
from core.data.folders.faults import Fault, left_out, listed, refusal
from core.data.folders.limits import LAYOUT, PICTURES
from core.data.folders.losses import check_losses
from core.data.folders.members import Member
from core.data.folders.splits import Splits, splits_of
from core.data.folders.words import Split, are_parts, is_submission, split_of
from core.data.reading import Reading

_LARGEST_FILE = 64 * 2**20
_SMALL = 2**20
_MOST_RATIO = 200
_OTHER_PICTURES = (
    *(".heic", ".heif", ".avif", ".jp2", ".jxl", ".tga", ".ico", ".dcm", ".svg"),
    *(".j2k", ".pgm", ".ppm", ".pbm", ".pnm", ".psd", ".dng", ".nef", ".cr2", ".arw"),
)
_MASK = re.compile("[_ -](mask|masks|seg|segmentation|gt|label|annotation)(_[0-9]+)?$", re.IGNORECASE)
_ARRAYS = (".npz", ".npy")
_TABLES = (".csv", ".tsv", ".xls", ".xlsx", ".parquet", ".json", ".jsonl")


@final
@dataclass(frozen=True)
class Picture:
    """A member with its class, and its split where the archive has one."""

    member: Member
    split: Split | None
    label: str


@final
@dataclass(frozen=True)
class Arrangement:
    """All pictures, and in sentences what was decided about where they lie."""

    pictures: tuple[Picture, ...]
    remarks: tuple[str, ...]
    names: tuple[str, ...] | None = None
    """The classes in their order, where the source has one of its own."""
    broken: tuple[Fault, ...] = ()
    """Files that cannot be taken, where these are skipped."""


def arrangement_of(files: Sequence[Member], reading: Reading) -> Arrangement:
    """The pictures among the files, each with its class. Raises DatasetInvalid, which says how to arrange them."""
    drawn = drawn_of(files)
    others = [member for member in files if not (member.is_picture or _ends(member, _OTHER_PICTURES))]
    if not drawn:
        if arrays := [member.path for member in others if _ends(member, _ARRAYS)]:
            raise DatasetInvalid(
                f"holds no pictures, but {listed(arrays)}: arrays are sent as one npz file that is in no archive, with "
                "x_train, y_train, x_test and y_test, as np.savez writes it"
            )
        held = f", only {listed([member.path for member in others])}" if others else ""
        raise DatasetInvalid(f"holds no pictures{held}; send {LAYOUT}")
    splits = splits_of(drawn, {"train": reading.train_folder, "test": reading.test_folder})
    placed = _classes(splits, [member.path for member in others if _ends(member, _TABLES)])
    pictures, left, broken = _checked(placed, others)
    if broken and not (reading.skip_broken and pictures):
        raise refusal(broken)
    check_losses(*([(each.split, each.label) for each in part] for part in (placed, pictures)))
    check_sizes(pictures)
    remarks = list(splits.remarks)
    if bare := _without_pictures(broken, others, placed):
        remarks.append(f"No class was made of these folders, as they hold no picture: {listed(bare)}.")
    if left:
        remarks.append(left_out([member.path for member in left], "as they are no pictures"))
    if tables := [member.path for member in left if _ends(member, _TABLES)]:
        remarks.append(f"The folders' names are the classes; labels in {listed(tables)} were not read.")
    if masks := _masks(pictures):
        remarks.append(
            f"Pictures that are called as masks of others are taken as pictures of their class: {listed(masks)}."
        )
    return Arrangement(tuple(pictures), tuple(remarks), broken=tuple(broken))


def drawn_of(files: Sequence[Member]) -> list[Member]:
    """The pictures among the files, those of formats that are not read among them."""
    return [member for member in files if member.is_picture or _ends(member, _OTHER_PICTURES)]


def faults_of(pictures: Sequence[Member]) -> dict[str, Fault]:
    """By path, why pictures cannot be taken: those of formats that are not read, and those that are too large."""
    return {member.path: fault for member in pictures if (fault := _fault(member))}


def _classes(splits: Splits, tables: Sequence[str]) -> list[Picture]:
    answers = [name for name in tables if is_submission(name.rpartition("/")[2].rpartition(".")[0])]
    unread = (
        f" (and no column of {listed(rest)} names them)"
        if (rest := [name for name in tables if name not in answers])
        else ""
    )
    unread += f" ({listed(answers)} was not read: it is called as a form for answers)" if answers else ""
    placed = [(member, split, parts) for split, each in splits.pictures.items() for member, parts in each]
    if all(len(parts) == 1 for _, _, parts in placed):
        raise DatasetInvalid(f"all pictures lie in no class folder{unread}; send {LAYOUT}")
    if all(len(parts) == 3 and split is None for _, split, parts in placed):
        inner = {parts[1] for _, _, parts in placed}
        if all(split_of(name) for name in inner):
            raise DatasetInvalid(
                f"holds {listed(sorted(inner))} inside of class folders; turn it round: train/cat/1.png, test/cat/2.png"
            )
    faults = [_misplaced(member, parts) for member, _, parts in placed if len(parts) != 2]
    if faults:
        raise refusal(faults)
    names = sorted({parts[0] for _, _, parts in placed})
    if len(names) == 1:
        raise DatasetInvalid(
            f"all pictures lie in one class folder, {names[0][:60]!r}{unread}, and a classification task needs two "
            "classes or more; put the pictures of each class into a folder named after it"
        )
    if None in splits.pictures and are_parts(names):
        raise DatasetInvalid(
            f"its folders {listed(names)} look like parts of one set, not like classes{unread}; put the pictures of "
            "each class into a folder named after it. If they are the classes, put them into a folder train/"
        )
    return [Picture(member, split, parts[0]) for member, split, parts in placed]


def _misplaced(member: Member, parts: Sequence[str]) -> Fault:
    if len(parts) == 1:
        return Fault(member.quoted, "lies in no class folder", f"put it into one, or leave it out: send {LAYOUT}")
    return Fault(
        member.quoted,
        "lies deeper than in a class folder",
        f"put all pictures of a class directly into its folder: send {LAYOUT}",
    )


def _masks(pictures: Sequence[Picture]) -> list[str]:
    """Pictures that lie beside the one that their name says they mark: `7_mask.png` beside `7.png`."""
    stems = {(*picture.member.parts[:-1], _stem(picture.member)) for picture in pictures}
    masks = []
    for picture in pictures:
        stem = _stem(picture.member)
        if (mark := _MASK.search(stem)) and (*picture.member.parts[:-1], stem[: mark.start()]) in stems:
            masks.append(picture.member.path)
    return masks


def _checked(pictures: Sequence[Picture], others: Sequence[Member]) -> tuple[list[Picture], list[Member], list[Fault]]:
    """The pictures that may be read, the files that may be left out, and the faults of those that may not be there."""
    found = [(picture, _fault(picture.member)) for picture in pictures]
    faults = [fault for _, fault in found if fault]
    classes = {picture.member.parts[:-1] for picture in pictures}
    beside = {folder[:-1] for folder in classes}
    left = []
    for member in others:
        folder = member.parts[:-1]
        if (folder and folder[:-1] in beside) or any(folder[:end] in classes for end in range(len(folder))):
            fix = f"a class folder holds {', '.join(PICTURES)} and no more: leave it out"
            faults.append(Fault(member.quoted, "is no picture that is read", fix, member.path))
        else:
            left.append(member)
    return [picture for picture, fault in found if not fault], left, faults


def _fault(member: Member) -> Fault | None:
    if not member.is_picture:
        return Fault(member.quoted, "is no picture that is read", "save it as PNG, or leave it out", member.path)
    if member.size > _LARGEST_FILE:
        return Fault(
            member.quoted,
            f"has {member.size:,} bytes, more than {_LARGEST_FILE:,}",
            "make it smaller, or leave it out",
            member.path,
        )
    if member.size > max(_SMALL, _MOST_RATIO * member.packed):
        return Fault(
            member.quoted,
            f"unpacks to more than {_MOST_RATIO} times its packed size, as a zip bomb does",
            "save the picture as PNG or JPEG, or leave it out",
            member.path,
        )
    return None


def check_sizes(pictures: Sequence[Picture]) -> None:
    """Refuse classes of which a split has none or too few."""
    train, test = (
        Counter(each.label for each in pictures if (each.split == "test") == is_test) for is_test in (False, True)
    )
    if test and not train.keys() & test.keys():
        raise DatasetInvalid(
            f"the test set has none of the classes of train/, only {listed(sorted(test))}; name its class folders as "
            "those of train/, or leave it out to have a fifth of each class set aside"
        )
    if test and train.keys() ^ test.keys():
        alone = [
            f"{listed(sorted(names))} {where}"
            for names, where in (
                (train.keys() - test.keys(), "in train/ but not in test/"),
                (test.keys() - train.keys(), "in test/ but not in train/"),
            )
            if names
        ]
        raise DatasetInvalid(f"classes are not the same: {' and '.join(alone)}; put each into both, or into neither")
    least = 2 if test else 3
    if rare := sorted(name for name, count in train.items() if count < least):
        what = "one to train and one for validation" if test else "one to train, one for validation, one to test"
        raise DatasetInvalid(
            f"too few pictures in the class folders {listed(rare)}, {train[rare[0]]} in the first; give each class "
            f"{'two' if test else 'three'} or more ({what}), or leave it out"
        )


def _without_pictures(broken: Sequence[Fault], others: Sequence[Member], pictures: Sequence[Picture]) -> list[str]:
    """Folders beside those of classes, of whose files none is a picture."""
    classes, paths = {picture.member.parts[:-1] for picture in pictures}, {fault.path for fault in broken}
    around = {member.parts[:-1] for member in others if member.path in paths}
    return ["/".join(folder) for folder in sorted(around) if not any(folder[: len(each)] == each for each in classes)]


def _ends(member: Member, ends: tuple[str, ...]) -> bool:
    return member.parts[-1].lower().endswith(ends)


def _stem(member: Member) -> str:
    return member.parts[-1].rpartition(".")[0]
