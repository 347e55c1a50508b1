"""Pictures scaled to squares, whether they come from files of their own or from arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from core.data.folders.limits import AUTO, CHOSEN


def fitted(picture: Image.Image, size: int) -> Image.Image:
    """The middle of a picture, its shorter side scaled to `size` pixels."""
    return ImageOps.fit(picture, (size, size), Image.Resampling.LANCZOS)


def chosen_side(sizes: Sequence[tuple[int, int]]) -> int | None:
    """The side that pictures of these sizes are scaled to where nobody says one; None where they can stay as they are.

    Pictures of one size stay unless a side exceeds the largest of CHOSEN. Else it is the largest of CHOSEN that at
    least half of the pictures have.
    """
    if not sizes or (len(set(sizes)) == 1 and max(sizes[0]) <= CHOSEN[-1]):
        return None
    shorter = int(np.median([min(size) for size in sizes]))
    return max((side for side in CHOSEN if side <= shorter), default=CHOSEN[0])


def scaled_remark(size: int, *, chosen: bool) -> str:
    """The remark on pictures that were scaled, to a side that was said or `chosen` here."""
    return f"Each was scaled until its shorter side had {size} pixels, and its middle {size} x {size} kept" + (
        "; say a size to have another side." if chosen else "."
    )


def scaled(images: NDArray[np.uint8], size: int | None) -> tuple[NDArray[np.uint8], list[str]]:
    """Images [N, C, H, W] of one size, C of 1 or 3, as squares of `size` pixels where one is said, and the remark.

    Args:
        images: the pictures.
        size: their side; None: they stay as they are; AUTO: one is chosen, if need be.
    """
    height, width = images.shape[2:]
    if chosen := size == AUTO:
        size = chosen_side([(width, height)])
    if size is None or (height, width) == (size, size):
        return images, []
    kept = np.empty((*images.shape[:2], size, size), dtype=np.uint8)
    for place, image in enumerate(images):
        plain = Image.fromarray(image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0)))
        pixels = np.asarray(fitted(plain, size), dtype=np.uint8)
        kept[place] = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return kept, [scaled_remark(size, chosen=chosen)]
