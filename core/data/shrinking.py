"""Pictures averaged to few pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def shrunk(images: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Images [N, C, H, W] averaged to at most `side` pixels a side; of a mirrored one, the same mirrored."""
    rows, columns = (averaging(length, min(side, length)) for length in images.shape[2:])
    return (rows @ images @ columns.T).astype(np.float32, copy=False)


def averaging(length: int, cells: int) -> NDArray[np.float32]:
    """The matrix [cells, length] that averages a line of pixels, those on a border by their share.

    Times the root of length / cells it makes no vector longer: then its rows and its columns sum to at most 1 when
    multiplied (Schur's test).
    """
    ends, pixels = np.linspace(0, length, cells + 1), np.arange(length)
    overlap = np.minimum(ends[1:, None], pixels + 1) - np.maximum(ends[:-1, None], pixels)
    return (overlap.clip(0) * cells / length).astype(np.float32)
