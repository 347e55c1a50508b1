"""Doubts about a dataset from its own numbers: copies of images, and pixels that are all dark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from core.data.facts import Copies, DatasetFacts, Images, NearCopies
from core.data.split import pictures_of

BRIGHT = 16
"""Least value of 255 that some pixel of a set of pictures is expected to have."""
UNSEARCHED = "There are too many images to look for near copies among them."
CUT_SHORT = "So many images are alike that they were not all compared: there may be near copies."
_MOST_NAMED = 10


def copies_in(train: Images, test: Images) -> Copies:
    """How many images of the two splits are others to the last pixel."""
    known, tested = pictures_of(train.images), pictures_of(test.images)
    pictures, labels = np.concatenate([known, tested]), np.concatenate([train.labels, test.labels])
    distinct = np.unique(pictures)
    named = np.unique(np.stack([pictures, labels.astype(np.uint64)]), axis=1)[0]
    return Copies(
        train=len(known) - len(np.unique(known)),
        test=len(tested) - len(np.unique(tested)),
        across=int(np.isin(tested, known).sum()),
        classes=int((np.unique(named, return_counts=True)[1] > 1).sum()) if len(named) > len(distinct) else 0,
    )


def single_pictures(train: Images, class_names: Sequence[str]) -> Iterator[str]:
    """The sentence on classes that are one training picture each, some of whose copies are held out for validation."""
    pictures = pictures_of(train.images)
    different = np.unique(np.stack([train.labels.astype(np.uint64), pictures]), axis=1)
    labels, counts = np.unique(different[0], return_counts=True)
    single = [class_names[int(label)] for label in labels[counts == 1]]
    if single:
        more = f" and {len(single) - _MOST_NAMED:,} more" if len(single) > _MOST_NAMED else ""
        yield (
            f"All training images of a class are equal, so that it is validated on what it was trained on: "
            f"{', '.join(map(repr, single[:_MOST_NAMED]))}{more}."
        )


def near_within(near: NearCopies) -> Iterator[str]:
    """The sentence on images that nearly are another one of the same split, or that nobody knows of any."""
    if count := near.train + near.test:
        least = "" if near.complete else "At least "
        yield f"{least}{count:,} {'image is' if count == 1 else 'images are'} nearly another one in the same split."
    elif not (near.complete or near.across or near.classes):
        yield CUT_SHORT


def doubts(facts: DatasetFacts) -> list[str]:
    """The reasons to doubt numbers on a dataset, in sentences."""
    return [
        *_of_copies(facts.copies, facts.test_count),
        *_of_near_copies(facts.near, facts.test_count),
        *_of_values(facts.brightest),
        *_of_sizes(facts),
    ]


def _of_copies(copies: Copies | None, test_count: int) -> Iterator[str]:
    if copies is None:
        return
    if copies.across:
        yield (
            f"{_counted(copies.across, test_count, 'test image')} {_are(copies.across)} equal to a training image in "
            "every pixel: the accuracy on the test set is partly that on images that were learned. Take copies out of "
            "the test set."
        )
    if copies.classes:
        yield (
            f"{copies.classes:,} {'picture is' if copies.classes == 1 else 'pictures are'} in more than one class, "
            "with equal pixels: no network can name all of their classes. Leave each in one class."
        )


def _of_near_copies(near: NearCopies | None, test_count: int) -> Iterator[str]:
    if near is None:
        return
    least = "" if near.complete else "At least "
    if near.across:
        told = _counted(near.across, test_count, "test image")
        yield (
            f"{least}{told} {'is' if near.across == 1 else 'are'} nearly a training image, such as one saved anew, in "
            "other brightness or scaled: the accuracy on the test set is partly that on images that were learned. "
            "Take them out of the test set."
        )
    if near.classes:
        one = near.classes == 1
        yield (
            f"{least}{near.classes:,} {'image is' if one else 'images are'} nearly an image of another class: "
            "leave each picture in one class."
        )


def _of_sizes(facts: DatasetFacts) -> Iterator[str]:
    if not facts.members or not facts.unequal:
        return
    most, least = (facts.members.index(size) for size in (max(facts.members), min(facts.members)))
    yield (
        f"The classes are of unequal size: {facts.class_names[most]!r} has {facts.members[most]:,} images to train on, "
        f"{facts.class_names[least]!r} {facts.members[least]:,}. Recipes count each class alike, and reports state "
        "balanced accuracy, too."
    )


def _of_values(brightest: tuple[int, int] | None) -> Iterator[str]:
    if brightest is None:
        return
    train, test = brightest
    if train < BRIGHT and test < BRIGHT:
        largest = max(train, test)
        yield (
            f"The pixels' values run from 0 to {largest} of 255, so that all pictures are next to black: multiply "
            f"them by {255 // max(largest, 1)}?"
        )
    elif min(train, test) < BRIGHT:
        yield (
            f"The pixels' values run from 0 to {train} of 255 in the training images and to {test} in the test images: "
            "scale both alike."
        )


def _counted(part: int, whole: int, noun: str) -> str:
    return f"{part:,} of {whole:,} {noun}s" if whole != 1 else f"The one {noun}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
