"""The validation split: one training image in ten, chosen by its own pixels."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from core.data.facts import Images


def held_out(count: int) -> int:
    """How many of a class's `count` training images go to validation: a tenth, rounded, and at least one."""
    return max(1, (count + 5) // 10)


def validation_of(images: Images) -> NDArray[np.bool_]:
    """Which of the training images are held out, stratified.

    Within a class those with the smallest BLAKE2b hash of their pixels. The choice needs no seed and does not depend on
    the order in which a source stores its images.
    """
    hashes = np.array([_pixel_hash(image) for image in images.images], dtype=np.uint64)
    validation = np.zeros(len(images), dtype=bool)
    for label in np.unique(images.labels):
        members = np.flatnonzero(images.labels == label)
        ranked = members[np.argsort(hashes[members], kind="stable")]
        validation[ranked[: held_out(len(members))]] = True
    return validation


def split_test(labels: NDArray[np.int64], seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices (train, test) of a stratified 80/20 split, ascending, a function of `labels` and `seed` alone."""
    rng = np.random.default_rng(seed)
    test = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        test[members[: round(len(members) * 0.2)]] = True
    return np.flatnonzero(~test), np.flatnonzero(test)


def _pixel_hash(image: NDArray[np.uint8]) -> int:
    return int.from_bytes(hashlib.blake2b(image.tobytes(), digest_size=8).digest(), "big")
