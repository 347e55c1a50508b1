"""Names of folders that say something of a set rather than of a class."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final, Literal

Split = Literal["train", "test", "val"]

_WORDS: Final[dict[Split, tuple[str, ...]]] = {
    "train": ("train", "training", "trn", "trainset", "traindata", "trainval"),
    "test": ("test", "tests", "testing", "tst", "testset", "testdata"),
    "val": ("val", "valid", "validation", "validate", "valset", "dev", "eval", "evaluation"),
}
SPLIT_COLUMNS: Final = ("split", "set", "subset", "partition", "usage")
"""Names of a table's column that says the split of each row."""
_SPLITS = {word: split for split, words in _WORDS.items() for word in words}
_PICTURES = {"image", "images", "img", "imgs", "picture", "pictures", "pic", "pics", "photo", "photos", "jpegimages"}
_MARKS = {
    *("mask", "masks", "labels", "annotation", "annotations", "segmentation", "segmentations", "bboxes", "gt"),
    *("groundtruth", "groundtruths"),
}
_PARTS = {"part", "parts", "batch", "batches", "chunk", "chunks", "data", "dataset", "files", "folder", "fold", "set"}
_SETS = _PICTURES | _MARKS | _PARTS | set(_SPLITS)


def split_of(name: str) -> Split | None:
    """The split that a folder's name speaks of (`Training`, `test_set`, `val2017`); None if of none, or of several."""
    found = {_SPLITS[word] for word in _words(name) if word in _SPLITS}
    return found.pop() if len(found) == 1 else None


def is_submission(name: str) -> bool:
    """Whether a table is called as a form for answers (`sample_submission.csv`), whose entries are placeholders."""
    return any(word.endswith(("submission", "submissions")) for word in _words(name))


def is_split(name: str) -> bool:
    """Whether a folder's name is a split's and nothing else."""
    return name.strip().lower() in _SPLITS


def are_parts(names: Collection[str]) -> bool:
    """Whether folders look like the parts of one set (`images_1`, `images_2`; `images`, `masks`), not like classes."""
    words = [_words(name) for name in names]
    shared = set[str]().union(*words).intersection(*words)
    return all(
        _SETS & set(each) and all(word in _SETS or word in shared or word.isdecimal() for word in each)
        for each in words
    )


def _words(name: str) -> list[str]:
    """The words of a name in small letters; a number and a capital begin a new one."""
    return [word.lower() for word in re.findall(r"[0-9]+|[A-Z]?[^\W\dA-Z_]+|[A-Z]+(?![a-z])|[^\W\d_]", name)]
