"""Pictures with their classes, as the arrays of a bundle."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from core.data.bundle import Bundle, bundle_arrays
from core.data.facts import DatasetInvalid, Images
from core.data.folders.arrangement import Arrangement, Picture, check_sizes
from core.data.folders.faults import listed, skipped
from core.data.folders.limits import AUTO
from core.data.folders.losses import check_losses
from core.data.folders.pictures import images_of, side_of
from core.data.folders.scaling import scaled, scaled_remark
from core.data.labels import alike
from core.data.rules import HELD_OUT, check_class_names, check_counts, check_pictures, check_share, check_splittable
from core.data.split import DRAWN, SPLIT_SEED, own_validation, pictures_of, split_test

_NUMBERED: Final = (
    re.compile("(?P<same>)(?P<number>-?[0-9]{1,18}([.][0-9]{1,18})?)"),  # 2.5
    re.compile("(?P<number>[0-9]{1,18})(?P<same>[ ._-]+)[^0-9 ._-].*"),  # 10_daisy
    re.compile("(?P<same>.*[^0-9.])(?P<number>[0-9]{1,18})"),  # class10
)


@final
@dataclass(frozen=True)
class Folders:
    """The content of a file: the arrays of a bundle, and the decisions about them in sentences."""

    arrays: dict[str, NDArray[Any]]
    remarks: tuple[str, ...]
    files: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The file that each row of `train` and of `test` was read from."""
    scaled: bool = False
    """Whether its pictures were scaled."""


def assembled(
    arrangement: Arrangement, size: int | None, remarks: Sequence[str] = (), *, skip_broken: bool = False
) -> Folders:
    """The pictures of an arrangement as a dataset; `remarks` on where they are from come last.

    Args:
        size: each picture is scaled until its shorter side has so many pixels, and the middle square of it is kept;
            None: all pictures have to have one size already; AUTO: a side is chosen by the pictures, if need be.
        skip_broken: pictures that cannot be read are left out; else all are refused.

    Raises DatasetInvalid, which names the pictures at fault and how to mend them.
    """
    if chosen := size == AUTO:
        size = side_of(arrangement.pictures)
    found = images_of(arrangement.pictures, size, skip_broken=skip_broken)
    pictures = found.pictures
    if found.broken:
        check_losses(*([(each.split, each.label) for each in part] for part in (arrangement.pictures, pictures)))
        check_sizes(pictures)
    names = arrangement.names or tuple(_ordered({picture.label for picture in pictures}))
    check_class_names(names)
    arrays, split, files = _assembled(pictures, found.images, names)
    for part in ("train", "test"):
        check_counts(part, arrays[f"y_{part}"], names)
    check_pictures(arrays["x_train"])
    of_names = [] if arrangement.names else _of_names(names)
    told = [split, *found.remarks, *arrangement.remarks, *remarks, *of_names]
    if broken := (*arrangement.broken, *found.broken):
        told.append(skipped(broken))
    if size is not None:
        told.append(scaled_remark(size, chosen=chosen))
    return Folders(arrays, tuple(told), files, scaled=size is not None)


def of_bundle(bundle: Bundle, size: int | None, remarks: Sequence[str] = ()) -> Folders:
    """The dataset of a bundle that was made of another file's arrays; `remarks` are said after its own.

    Args:
        bundle: pictures of one size, vectors or series.
        size: of pictures, as in `assembled`.
        remarks: on the file.

    Raises DatasetInvalid for a size that is said of what is no picture.
    """
    told, more = [*bundle.remarks, *remarks], list[str]()
    if bundle.kind == "pictures":
        (train, more), (test, _) = (
            scaled(np.asarray(part.images, dtype=np.uint8), size) for part in (bundle.train, bundle.test)
        )
        told += more
        bundle = replace(bundle, train=Images(train, bundle.train.labels), test=Images(test, bundle.test.labels))
    elif size not in (None, AUTO):
        raise DatasetInvalid("`size` is for pictures, and this is a table: leave it out")
    return Folders(bundle_arrays(bundle), tuple(told), scaled=bool(more))


def _assembled(
    pictures: Sequence[Picture], images: list[NDArray[np.uint8]], names: Sequence[str]
) -> tuple[dict[str, NDArray[Any]], str, dict[str, list[str]]]:
    """The arrays, in a sentence where their split is from, and by split the member of each row."""
    numbers = {name: number for number, name in enumerate(names)}
    labels = np.array([numbers[picture.label] for picture in pictures], dtype=np.int64)
    is_test, is_held = (np.array([picture.split == split for picture in pictures]) for split in ("test", "val"))
    if is_test.any():
        indices = np.flatnonzero(~is_test), np.flatnonzero(is_test)
        split = "The split into train and test is the archive's own."
    else:
        is_held &= False
        check_splittable(labels, pictures_of(images), names)
        indices = split_test(labels, SPLIT_SEED, images)
        for part, index in zip(("train", "test"), indices, strict=True):
            check_share(part, labels[index], names)
        split = DRAWN
    channels = (3,) if any(image.ndim == 3 for image in images) else ()
    arrays: dict[str, NDArray[Any]] = {"class_names": np.array(names)}
    for part, index in zip(("train", "test"), indices, strict=True):
        kept = np.empty((len(index), *images[0].shape[:2], *channels), dtype=np.uint8)
        for place, source in enumerate(index):
            image = images[source]
            kept[place] = image[..., None] if channels and image.ndim == 2 else image
        arrays |= {f"x_{part}": kept, f"y_{part}": labels[index]}
    if is_held.any():
        held = is_held[indices[0]]
        is_own, told = own_validation(labels[~is_held & ~is_test], labels[is_held], len(names))
        arrays |= {HELD_OUT: held} if is_own else {}
        split = f"{split} {told}"
    parts = zip(("train", "test"), indices, strict=True)
    return arrays, split, {part: [pictures[place].member.path for place in index.tolist()] for part, index in parts}


def _ordered(names: Collection[str]) -> list[str]:
    """The names in the order of their labels: that of numbers where all are, or begin or end as such; else letters'.

    Where they begin or end with numbers, it is the same sign or the same words that part these from the rest.
    """
    for form in _NUMBERED:
        found = {name: form.fullmatch(name) for name in names}
        told = {name: match for name, match in found.items() if match}
        if len(told) == len(names) and len({match["same"] for match in told.values()}) == 1:
            return sorted(names, key=lambda name: (Decimal(told[name]["number"]), name))
    return sorted(names)


def _of_names(names: Sequence[str]) -> list[str]:
    remarks = []
    if list(names) != sorted(names):
        remarks.append(f"The class folders are numbers, or have some, and were ordered as such: {listed(names)}.")
    return remarks + alike(names)
