"""Splits that a source does not make itself; copies of a picture are never on both sides of one."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.data.facts import Images, Values

SPLIT_SEED: Final = 0
"""Seed of the split that is made where none is given: a fifth of each class becomes the test set."""
DRAWN: Final = f"A fifth of each class was set aside as the test set, drawn with seed {SPLIT_SEED}."
"""The remark on a source without test images."""
Pictures = NDArray[np.uint64]
"""A number for each image [N]: equal where all pixels are."""

_ENOUGH = 10


def held_out(count: int) -> int:
    """How many of a class's `count` training images go to validation: a tenth, rounded, and at least one."""
    return max(1, (count + 5) // 10)


def pictures_of(images: Iterable[Values] | Values) -> Pictures:
    """The picture each of the images is: its BLAKE2b hash."""
    return np.array([_pixel_hash(image) for image in images], dtype=np.uint64)


def validation_of(images: Images) -> NDArray[np.bool_]:
    """Which of the training images are held out, stratified: a tenth of each class, one picture at least.

    Within a class those with the smallest hash of their pixels. The choice needs no seed and does not depend on the
    order in which a source stores its images. Copies of a picture are all held out or none, those in other classes as
    well, unless a class would then have no picture on one of the sides; one that is a single picture is divided.
    """
    pictures = pictures_of(images.images)
    classes = []
    for label in np.unique(images.labels):
        members = np.flatnonzero(images.labels == label)
        ranked = members[np.argsort(pictures[members], kind="stable")]
        classes.append((ranked, held_out(len(members))))
    held = _drawn(classes, pictures, left=1)
    for members, wanted in classes:
        if held[members].all() or not held[members].any():
            held[members] = _drawn([(members, wanted)], pictures, left=1)[members]
            held[members[:wanted]] |= not held[members].any()
    return held


def held_of(images: Images, given: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Which of the training images are the validation split: the source's own, where it is given, or those drawn."""
    return validation_of(images) if given is None else given


def own_validation(train: NDArray[np.int64], validation: NDArray[np.int64], classes: int) -> tuple[bool, str]:
    """Whether choices can be made on a source's own validation split, by its labels, and a remark on what becomes of
    it: it has to have ten images of each class, or as many as would be held out of the training images."""
    counts = zip(*(np.bincount(labels, minlength=classes).tolist() for labels in (train, validation)), strict=True)
    if all(trained and validated >= min(_ENOUGH, held_out(trained)) for trained, validated in counts):
        return True, f"The validation split, {len(validation):,} images, is the source's own."
    return False, (
        f"The {len(validation):,} validation images are too few in some class to choose by: they were added to the "
        "training images, of which a tenth is held out."
    )


def split_test(
    labels: NDArray[np.int64], seed: int, images: Sequence[Values] | Values
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices (train, test) of a stratified 80/20 split, ascending, a function of `labels`, `images` and `seed`.

    Copies of a picture are on one side, whatever their classes, so a class has as nearly a fifth in the test set as
    its pictures allow. Where no two images are equal only the labels and the seed count.
    """
    rng, pictures = np.random.default_rng(seed), pictures_of(images)
    classes = []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        classes.append((members, round(len(members) * 0.2)))
    test = _drawn(classes, pictures, left=2)
    return np.flatnonzero(~test), np.flatnonzero(test)


def _drawn(classes: Iterable[tuple[NDArray[np.int64], int]], pictures: Pictures, left: int) -> NDArray[np.bool_]:
    """The images that are drawn: of each class, given in order of preference, about so many; all copies or none.

    At least `left` different pictures of a class, those that other classes left among them, are not drawn on its own
    account.
    """
    drawn, decided = np.zeros(len(pictures), dtype=bool), dict[int, bool]()
    for members, wanted in classes:
        sizes = Counter(pictures[members].tolist())  # in the order of the members
        count = sum(size for picture, size in sizes.items() if decided.get(picture))
        free = [picture for picture in sizes if picture not in decided]
        spare = len(free) + sum(decided.get(picture) is False for picture in sizes) - left
        chosen = set[int]()
        for picture in free:
            if count >= wanted or len(chosen) >= spare:
                break
            if abs(count + sizes[picture] - wanted) < wanted - count:
                chosen.add(picture)
                count += sizes[picture]
        if wanted and not count and free and spare > 0:
            chosen.add(min(free, key=lambda picture: sizes[picture]))
        decided |= {picture: picture in chosen for picture in free}
        drawn[members] = [decided[picture] for picture in pictures[members].tolist()]
    return drawn


def _pixel_hash(image: Values) -> int:
    return int.from_bytes(hashlib.blake2b(image.tobytes(), digest_size=8).digest(), "big")
