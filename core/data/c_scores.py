"""C-scores somebody gave: how consistently networks classify each training image without having learned from it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from core.data.facts import DatasetInvalid
from core.data.header import Header
from core.data.npz import naming, read_npz

FORMAT = (
    "an npz file (np.savez) with scores, floats from 0 (hard) to 1 (easy), and labels, integers: one of each for every "
    "image of x_train, in its order"
)
_FORM = f"C-scores are {FORMAT}"


@final
@dataclass(frozen=True, eq=False)
class CScores:
    """`scores` float64 [N] from 0 to 1 and `labels` int64 [N] of a source's training images, validation included.

    The format in which Jiang, Zhang, Talwar & Mozer ("Characterizing Structural Regularities of Labeled Data in
    Overparameterized Models", ICML 2021) published those of CIFAR. The labels are what tells whether the order is the
    source's.
    """

    scores: NDArray[np.float64]
    labels: NDArray[np.int64]

    @property
    def digest(self) -> str:
        """`sha256:<hex>` over both, whatever types a file gave them."""
        content = hashlib.sha256()
        for array in (self.scores.astype("<f8"), self.labels.astype("<i8")):
            content.update(np.ascontiguousarray(array).data.cast("B"))
        return f"sha256:{content.hexdigest()}"


def read_c_scores(path: Path, images: int) -> CScores:
    """Read the scores of so many training images from the file at `path`, and check them.

    Raises DatasetInvalid, which names the file, the fault and its fix.
    """

    def check(headers: Mapping[str, Header]) -> None:
        _check_headers(headers, images)

    try:
        arrays = read_npz(path, ("scores", "labels"), _FORM, check)
    except FileNotFoundError:
        raise DatasetInvalid(f"{path.name}: it was deleted a moment ago; put it back at {path}") from None
    with naming(path, _FORM):
        return _checked(arrays)


def in_order(path: Path, given: CScores, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """The scores, if they are those of images with these labels in this order.

    Raises DatasetInvalid, which names the file, where it departs and the fix.
    """
    wrong = np.flatnonzero(given.labels != labels)
    if not len(wrong):
        return given.scores
    first = int(wrong[0])
    mixed = np.array_equal(np.sort(given.labels), np.sort(labels))
    raise DatasetInvalid(
        f"{path.name}: {len(wrong):,} of {len(labels):,} labels are not those of y_train, the first at image {first} "
        f"({given.labels[first]} instead of {labels[first]}); "
        + (
            "bring scores and labels into the order of x_train"
            if mixed
            else "number the classes as y_train does, or give the scores of this dataset"
        )
    )


def _check_headers(headers: Mapping[str, Header], images: int) -> None:
    for name, kinds, example in (("scores", "f", "astype(np.float64)"), ("labels", "iu", "astype(np.int64)")):
        header = headers[name]
        if header.dtype.kind not in kinds:
            raise DatasetInvalid(f"{name} is {header.dtype.name}; store {name}.{example}")
        if header.shape != (images,):
            raise DatasetInvalid(
                f"{name} has shape {header.shape} but the dataset {images:,} training images; "
                f"store one value for each image of x_train, of shape ({images},)"
            )


def _checked(arrays: Mapping[str, NDArray[Any]]) -> CScores:
    scores = arrays["scores"].astype(np.float64)
    if odd := int((~np.isfinite(scores)).sum()):
        raise DatasetInvalid(f"scores holds {odd:,} values that are no finite numbers; give every image a score")
    low, high = float(scores.min()), float(scores.max())
    if low < 0 or high > 1:
        raise DatasetInvalid(
            f"scores runs from {low:g} to {high:g}; a C-score is the share of networks that are right about an image, "
            "from 0 (hard) to 1 (easy)"
        )
    if low == high:
        raise DatasetInvalid(f"scores is {low:g} everywhere; scores that do not differ rank nothing")
    return CScores(scores, arrays["labels"].astype(np.int64))
