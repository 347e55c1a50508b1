"""A few pictures of a dataset that is on disk, read without reading the dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.data.array_names import assigned
from core.data.bundle import read_bundle
from core.data.facts import Images
from core.data.npz import opened
from core.data.plots import plotted, standardised

CLASSES = 10
"""Classes that are shown: one picture of each."""

_BYTES = 32 * 2**20  # of a bundle's images, read to find them


def firsts(data: Images) -> Images:
    """The first picture of each of the first classes."""
    return data.take(_places(data.labels))


def read_plots(path: Path) -> Images | None:
    """The same of the vectors or series in the sound bundle at `path`, as plots; None of one that is large.

    Raises DatasetInvalid or FileNotFoundError, as reading it whole does.
    """
    if path.stat().st_size > _BYTES:
        return None
    train = read_bundle(path).train
    shown = firsts(train)
    whole = train.images.astype(np.float32, copy=False)
    return Images(plotted(standardised(shown.images.astype(np.float32, copy=False), whole)), shown.labels)


def read_glimpse(path: Path) -> Images:
    """The first picture of each of the first classes of the sound bundle at `path`, as far as its beginning has them.

    Raises DatasetInvalid or FileNotFoundError, as reading it whole does.
    """
    with opened(path, "a bundle holds plain arrays") as npz:
        names = assigned(npz.members).unsplit.of
        labels = npz.array(names["y_train"]).reshape(-1).astype(np.int64)
        places = _places(labels)
        one = npz.rows(names["x_train"], 1)
        places = places[places < max(1, _BYTES // max(1, one.nbytes))]
        pixels = npz.rows(names["x_train"], int(places.max()) + 1)[places]
    pixels = pixels[:, None] if pixels.ndim == 3 else pixels.transpose(0, 3, 1, 2)
    return Images(np.ascontiguousarray(pixels), labels[places])


def _places(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    present, places = np.unique(labels, return_index=True)
    return places[np.argsort(present)][:CLASSES]
