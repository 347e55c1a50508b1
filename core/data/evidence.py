"""The pictures that led to what is said of an upload: copies in pairs, mirrored pictures, a picture of each class.

They are kept in the upload's bundle, in an array beside its own, so that a page shows them without reading the bundle.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from core.data.bundle import Bundle
from core.data.facts import Mirroring, NearCopies, Values
from core.data.near_copies import SHOWN, Near
from core.data.npz import opened
from core.data.split import Pictures, pictures_of

Split = Literal["train", "test"]
Of = Literal[
    "copies_across", "near_across", "copies_classes", "near_classes", "copies_train", "near_train", "copies_test",
    "near_test", "mirrored", "classes",
]  # fmt: skip
"""The remark that pictures belong to."""

_ARRAY: Final = "evidence"
_NEAR: Final = "near"
_LARGEST_SIDE: Final = 64
_CLASSES: Final = 20


@final
@dataclass(frozen=True)
class Shown:
    """A picture of an upload."""

    split: Split
    place: int
    label: int
    mirrored: bool = False
    taken_for: int | None = None
    """The class that the probe took it for, where it was asked."""
    file: str | None = None
    """The member of the archive that it was read from."""


@final
@dataclass(frozen=True)
class Row:
    """Pictures that are to be seen side by side."""

    of: Of
    pictures: tuple[Shown, ...]


def evidence_of(bundle: Bundle, near: Near | None, mirroring: Mirroring) -> tuple[Row, ...]:
    """The rows of pictures that belong to the remarks on a bundle of pictures."""
    return (*_copies(bundle), *_near(bundle, near), *_mirrored(bundle, mirroring), *_classes(bundle))


def named(rows: Iterable[Row], files: Mapping[str, Sequence[str]]) -> tuple[Row, ...]:
    """The same rows, each picture with its file; of a bundle, which has no `files`, without."""
    if not files:
        return tuple(rows)
    return tuple(
        Row(row.of, tuple(replace(each, file=files[each.split][each.place]) for each in row.pictures)) for row in rows
    )


def keep(path: Path, bundle: Bundle, rows: Iterable[Row], near: Near | None = None) -> None:
    """Add the pictures of all rows, one after the other, to the bundle at `path`, made smaller if they are large.

    The counts of near copies are added, too, for those who load the bundle and nothing else.
    """
    parts = {"train": bundle.train.images, "test": bundle.test.images}
    shown = [each for row in rows for each in row.pictures]
    small = [_small(parts[each.split][each.place], mirrored=each.mirrored) for each in shown]
    arrays: dict[str, NDArray[Any]] = {_ARRAY: np.stack(small)}
    if near is not None:
        arrays[_NEAR] = np.array(astuple(near.counts), dtype=np.int64)
    for name, array in arrays.items():
        member = zipfile.ZipInfo(f"{name}.npy")  # with the date that NumPy gives its own
        member.compress_type = zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(path, "a") as archive, archive.open(member, "w") as file:
            npy.write_array(file, array, allow_pickle=False)


def read_near(path: Path) -> NearCopies | None:
    """The counts of near copies that `keep` added; None where there are none. Raises as `read_evidence` does."""
    with opened(path, "a bundle holds plain arrays") as npz:
        if _NEAR not in npz.members:
            return None
        train, test, across, classes, complete = npz.array(_NEAR).tolist()
    return NearCopies(train, test, across, classes, bool(complete))


def read_evidence(path: Path) -> NDArray[np.uint8] | None:
    """The pictures uint8 [n, C, H, W] that `keep` added; None where there are none.

    Raises DatasetInvalid or FileNotFoundError, as reading the bundle does.
    """
    with opened(path, "a bundle holds plain arrays") as npz:
        if _ARRAY not in npz.members:
            return None
        npz.check_sizes([_ARRAY])
        npz.header(_ARRAY)
        return npz.array(_ARRAY)


def rows_of(stored: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
    """The rows that were stored as dictionaries."""
    return tuple(Row(row["of"], tuple(Shown(**each) for each in row["pictures"])) for row in stored)


def _copies(bundle: Bundle) -> Iterator[Row]:
    """Pairs of equal pictures: across the splits, in more than one class, within a split."""
    ids = {"train": pictures_of(bundle.train.images), "test": pictures_of(bundle.test.images)}
    labels = {"train": bundle.train.labels, "test": bundle.test.labels}

    def shown(split: Split, place: int) -> Shown:
        return Shown(split, place, int(labels[split][place]))

    first = dict(zip(ids["train"][::-1].tolist(), range(len(ids["train"]) - 1, -1, -1), strict=True))
    across = np.flatnonzero(np.isin(ids["test"], ids["train"]))[:SHOWN].tolist()
    yield from (
        Row("copies_across", (shown("train", first[int(ids["test"][place])]), shown("test", place))) for place in across
    )
    pairs: dict[str, list[tuple[Shown, Shown]]] = {"copies_classes": [], "copies_train": [], "copies_test": []}
    met: dict[int, Shown] = {}
    splits: tuple[Split, ...] = ("train", "test")
    for split in splits:
        within: dict[int, Shown] = {}
        for place in _again(ids[split], across=met).tolist():
            picture, this = int(ids[split][place]), shown(split, place)
            earlier, other = within.setdefault(picture, this), met.setdefault(picture, this)
            if earlier is not this:
                pairs[f"copies_{split}"].append((earlier, this))
            if other.label != this.label:
                pairs["copies_classes"].append((other, this))
    kinds: tuple[Of, ...] = ("copies_classes", "copies_train", "copies_test")
    yield from (Row(of, pair) for of in kinds for pair in pairs[of][:SHOWN])


def _again(ids: Pictures, across: Mapping[int, Shown]) -> NDArray[np.intp]:
    """Places of pictures that a split has more than once, or that were met in another."""
    _, inverse, counts = np.unique(ids, return_inverse=True, return_counts=True)
    known = np.fromiter(across, dtype=np.uint64, count=len(across))
    return np.flatnonzero((counts[inverse] > 1) | np.isin(ids, known))


def _near(bundle: Bundle, near: Near | None) -> Iterator[Row]:
    if near is None:
        return
    count, labels = len(bundle.train), np.concatenate([bundle.train.labels, bundle.test.labels])

    def shown(place: int) -> Shown:
        split: Split = "train" if place < count else "test"
        return Shown(split, place - (0 if place < count else count), int(labels[place]))

    kinds: tuple[tuple[Of, Iterable[tuple[int, int]]], ...] = (
        ("near_across", ((one, other + count) for one, other in near.across)),
        ("near_classes", near.classes),
        ("near_train", near.train),
        ("near_test", ((one + count, other + count) for one, other in near.test)),
    )
    yield from (Row(of, (shown(one), shown(other))) for of, pairs in kinds for one, other in pairs)


def _mirrored(bundle: Bundle, mirroring: Mirroring) -> Iterator[Row]:
    """Pictures beside their mirrored selves: those that the probe was shown, else one of each class."""
    labels = bundle.train.labels
    firsts = np.unique(labels, return_index=True)[1][:SHOWN].tolist()
    for place, taken_for in mirroring.examples or [(place, None) for place in firsts]:
        upright = Shown("train", place, int(labels[place]))
        yield Row("mirrored", (upright, Shown("train", place, int(labels[place]), mirrored=True, taken_for=taken_for)))


def _classes(bundle: Bundle) -> Iterator[Row]:
    """The first picture of each of the first classes, of both splits."""
    firsts = [np.unique(part.labels, return_index=True)[1].tolist() for part in (bundle.train, bundle.test)]
    for label, (trained, tested) in enumerate(zip(*firsts, strict=True)):
        if label < _CLASSES:
            yield Row("classes", (Shown("train", trained, label), Shown("test", tested, label)))


def _small(image: Values, *, mirrored: bool) -> NDArray[np.uint8]:
    """A picture of at most so many pixels a side, by means of whole squares of them."""
    _, height, width = image.shape
    step = -(-max(height, width) // _LARGEST_SIDE)
    rows, columns = max(1, height // step), max(1, width // step)
    down, across = min(step, height), min(step, width)
    cut = image[:, : rows * down, : columns * across].reshape(len(image), rows, down, columns, across)
    small = np.rint(cut.mean((2, 4))).astype(np.uint8)
    return np.ascontiguousarray(small[..., ::-1] if mirrored else small)
