"""`digits`: the 1,797 real 8x8 handwritten digits inside scikit-learn; the one dataset that is always there."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

import numpy as np

from core.data.bundle import Bundle
from core.data.digest import Measured, measure
from core.data.facts import Images
from core.data.split import split_test

SPLIT_SEED = 0
"""Seed of the 80/20 split into train and test; part of what `digits` means here."""


def digits() -> Bundle:
    """All digits as uint8 [N, 1, 8, 8], the source's 0..16 brought to 0..255 by rounding value * 255 / 16."""
    table = np.loadtxt(_table(), delimiter=",", dtype=np.int64)
    pixels = np.rint(table[:, :-1] * 255 / 16).astype(np.uint8).reshape(-1, 1, 8, 8)
    everything = Images(pixels, table[:, -1].copy())
    train, test = split_test(everything.labels, SPLIT_SEED, pixels)
    return Bundle(everything.take(train), everything.take(test), tuple(str(digit) for digit in range(10)))


@functools.cache
def measured_digits() -> Measured:
    """Shape, counts and digest of `digits`, read once in the life of a process."""
    return measure(digits())


def _table() -> Path:
    # Found, not imported: importing sklearn.datasets takes seconds, and the API lists datasets without them.
    sklearn = importlib.util.find_spec("sklearn")
    assert sklearn is not None, "scikit-learn is a dependency"
    assert sklearn.submodule_search_locations is not None, "scikit-learn is a package"
    return Path(sklearn.submodule_search_locations[0], "datasets", "data", "digits.csv.gz")
