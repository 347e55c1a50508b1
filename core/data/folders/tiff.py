"""The samples of a TIFF of more than 8 bits, of which Pillow keeps the upper byte alone where it has colours."""

from __future__ import annotations

import io
import sys
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from core.data.folders.faults import UnreadableError

_BITS, _PHOTOMETRIC, _PLANAR, _EXTRA, _FORMAT = 258, 262, 284, 338, 339
_WHITE_IS_NOUGHT, _SEPARATE, _PREMULTIPLIED, _UNSIGNED = 0, 2, 1, 1
_OTHER_END: Final = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}
_READ: Final = ("I;16", "I;16B", "I;16L", "RGB", "RGBA")


def deep_of_tiff(picture: TiffImageFile, data: bytes) -> NDArray[np.uint16] | None:
    """The samples [H, W, channels] of an opened TIFF of 9 to 16 bits, alpha the last; None if it has 8 or fewer.

    Raises UnreadableError for other numbers, and for layouts of which Pillow would make other pixels.
    """
    tags = picture.tag_v2
    bits = max(tags.get(_BITS, (1,)))
    if bits <= 8:
        return None
    unsigned = set(tags.get(_FORMAT, (_UNSIGNED,))) == {_UNSIGNED}
    odd = tags.get(_PHOTOMETRIC) == _WHITE_IS_NOUGHT or tags.get(_PLANAR) == _SEPARATE
    if not unsigned or bits > 16 or odd or picture.mode not in _READ or _PREMULTIPLIED in tags.get(_EXTRA, ()):
        kind = f"{bits} bits a channel, signed or floating-point" if not unsigned else f"{bits} bits a channel"
        raise UnreadableError(
            f"is a TIFF of {kind}, stored as is not read",
            "scale its values to 0..65535 and save it as a PNG of 16 bits, or to 0..255 with 8, or leave it out",
        )
    if picture.mode.startswith("I"):
        return np.asarray(picture).astype(np.uint16)[..., None]
    upper = np.asarray(picture).astype(np.uint16)
    return (upper << np.uint16(8)) | _lower(data).astype(np.uint16)


def _lower(data: bytes) -> NDArray[Any]:
    """The lower bytes: Pillow has an unpacker for either order of bytes, and takes the first for the upper one."""
    with Image.open(io.BytesIO(data), formats=["TIFF"]) as picture:
        picture.tile = [tile._replace(args=_swapped(tile.args)) for tile in picture.tile]
        return np.asarray(picture)


def _swapped(args: Any) -> tuple[Any, ...]:
    return (f"{args[0][:-1]}{_OTHER_END[args[0][-1]]}", *args[1:])
