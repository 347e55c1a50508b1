"""Which folders of an archive are splits. Names alone do not tell, since a class may be called `train`; depth does."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import final

from core.data.facts import DatasetInvalid
from core.data.folders.faults import listed
from core.data.folders.members import Member
from core.data.folders.words import Split, is_split, split_of
from core.data.left_out import LeftOut

Placed = tuple[Member, tuple[str, ...]]
"""A picture, and of its path what is left below the folders that were looked at."""


@final
@dataclass(frozen=True)
class Splits:
    """The pictures below each split's folder; all of them under None where the archive has no splits."""

    pictures: Mapping[Split | None, Sequence[Placed]]
    remarks: tuple[str, ...]


def splits_of(members: Sequence[Member], said: Mapping[Split, str]) -> Splits:
    """The splits of the pictures; `said` are the names of their folders, where the uploader says any.

    Raises DatasetInvalid for splits that say no class or cannot all be used.
    """
    placed = _unwrapped([(member, member.parts) for member in members])
    tops = defaultdict[str, list[Placed]](list)
    for member, parts in placed:
        tops[parts[0] if len(parts) > 1 else ""].append((member, parts))
    if any(said.values()):
        return _as_said(said, tops)
    called = {top: split for top in tops if (split := split_of(top))}
    flat = [top for top in called if all(len(parts) == 2 for _, parts in tops[top])]
    classes = {parts[-2] for top in called for _, parts in tops[top] if len(parts) > 2}
    named = {top: split for top, split in called.items() if top not in flat or top not in classes}
    others, flat = [top for top in tops if top and top not in named], [top for top in flat if top in named]
    shared = classes & {parts[-2] for top in others for _, parts in tops[top]}
    if not named or _are_classes(named, others, flat, bool(shared)):
        return Splits({None: placed}, ())
    if others:
        loose = all(len(parts) == 2 for top in others for _, parts in tops[top])
        raise DatasetInvalid(
            f"holds {listed(others)} beside {listed(list(named))}; {_placed_better(named, others, loose)}"
            f"{'' if flat else _said_instead(named, others)}. If all of these are classes, put their pictures "
            "directly into them"
        )
    if flat:
        out = "" if "train" in {named[top] for top in flat} else f"leave {listed(flat)} out, or "
        raise DatasetInvalid(
            f"pictures lie directly in {listed(flat)}, so that nothing says the class of each; {out}make a folder of "
            "each class in there, called as in the other split"
        )
    return _used(named, tops)


def _as_said(said: Mapping[Split, str], tops: Mapping[str, Sequence[Placed]]) -> Splits:
    """The splits by the uploader's word; what it leaves open is told by the folders' names. Others are left out."""
    folders = sorted(top for top in tops if top)
    named: dict[str, Split] = {name.strip("/"): split for split, name in said.items() if name}
    if unknown := [name for name in named if name not in folders]:
        raise DatasetInvalid(f"holds no folder {listed(unknown)} at the top, only {listed(folders)}; name these")
    if len(named) < sum(map(bool, said.values())):
        raise DatasetInvalid(f"{listed(list(named))} cannot be both training and test set; name two folders")
    rest = [top for top in folders if top not in named]
    named |= {top: split for top in rest if (split := split_of(top)) and split not in named.values()}
    if "train" not in named.values():
        if len(rest) != 1:
            raise DatasetInvalid(f"which of {listed(rest)} is the training set? Say it as train_folder")
        named[rest[0]] = "train"
    used = _used(named, {top: each for top, each in tops.items() if top in named})
    left = [top for top in folders if top not in named] + [member.path for member, _ in tops.get("", ())]
    told = LeftOut(f"The folders of the splits were said; left out beside them: {listed(left)}.", left)
    return Splits(used.pictures, (*used.remarks, *([told] if left else [])))


def _placed_better(named: Mapping[str, Split], others: Sequence[str], loose: bool) -> str:
    """The fix for folders beside those of splits; `loose`: pictures lie directly in them."""
    missing = next((split for split in ("train", "test") if split not in named.values()), None)
    moved = listed(others) if loose else f"the class folders in {listed(others)}"
    if missing == "train":
        return f"move {moved} into a folder train/"
    called = f"call {listed(others)} test/, " if missing and len(others) == 1 and not loose else ""
    into = listed([top for top, split in named.items() if split == "train"])
    return f"{called}leave {listed(others)} out, or move {moved} into {into}"


def _said_instead(named: Mapping[str, Split], others: Sequence[str]) -> str:
    """The words that name the folders of the splits as they are, where each of these is one folder."""
    tops = {split: [top for top, each in named.items() if each == split] for split in ("train", "test")}
    if len(tops["train"]) != 1 or len(tops["test"]) > 1:
        return ""
    said = " and ".join(f"{split}_folder={each[0]}" for split, each in tops.items() if each)
    flags = " ".join(f"--{split}-folder {shlex.quote(each[0])}" for split, each in tops.items() if each)
    return f", or send it as it is with {said} ({flags}), which leaves {listed(others)} out"


def _are_classes(named: Mapping[str, Split], others: Collection[str], flat: Collection[str], shared: bool) -> bool:
    """Whether folders that are called as splits are classes: pictures lie directly in all of them, beside others.

    If folders of pictures in them are called as others beside them (`shared`), they are splits. Raises DatasetInvalid
    where that cannot be known.
    """
    exact = {split for name, split in named.items() if is_split(name)}
    if len(flat) < len(named):
        return bool(others) and not exact and len(set(named.values())) < 2 and not shared
    if len(named) > 1 and (not others or len(exact) > 1):
        raise DatasetInvalid(
            f"pictures lie directly in {listed(list(named))}, which are called as splits, not as classes; make a "
            "folder of each class in each of them. If they are the classes, put all class folders into a folder train/"
        )
    return True


def _used(named: Mapping[str, Split], tops: Mapping[str, Sequence[Placed]]) -> Splits:
    found = defaultdict[Split, list[str]](list)
    for top, split in named.items():
        found[split].append(top)
    if "train" not in found:
        raise DatasetInvalid(
            f"holds {listed(list(named))} but no train/; add train/ with the same class folders, or call the folder "
            "train/ to have a fifth of each class set aside as the test set"
        )
    remarks = []
    if "val" in found and "test" not in found:
        remarks.append(f"There was no test/: {listed(found['val'])} became the test set.")
        found["test"] = found.pop("val")
    taken = [f"{top!r} as {split}/" for split, each in found.items() for top in each if not is_split(top)]
    if taken:
        remarks.append(f"Taken as splits: {', '.join(taken)}.")
    below: dict[Split | None, list[Placed]] = {
        split: _unwrapped([(member, parts[1:]) for top in each for member, parts in tops[top]], splits=False)
        for split, each in found.items()
    }
    if "" in tops:
        below[None] = list(tops[""])
    return Splits(below, tuple(remarks))


def _unwrapped(placed: Sequence[Placed], splits: bool = True) -> list[Placed]:
    """Without the folders that everything was packed in; never without a class folder.

    Args:
        splits: a folder that is called as a split stays, too.
    """
    levels = [set(level) for level in zip(*(parts[:-1] for _, parts in placed), strict=False)]
    inside = len(list(takewhile(lambda place: _packs(levels[place:], splits), range(len(levels)))))
    cut = max(0, min(inside, max(len(parts) for _, parts in placed) - 2))
    return [(member, parts[cut:]) for member, parts in placed]


def _packs(levels: Sequence[Collection[str]], splits: bool) -> bool:
    """Whether the first level of folders is one that all others were packed in, whatever it is called.

    One that is called as a split is that split, unless all it holds are several splits and class folders in them.
    """
    (name, *more), *lower = levels
    holds_splits = len(lower) > 1 and len(lower[0]) > 1 and all(map(is_split, lower[0]))
    return not more and (holds_splits or not (splits and is_split(name)))
