"""The properties of a PNG that Pillow does not tell: samples of 16 bits, and which grey is transparent."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_GREY, _COLOUR, _GREY_ALPHA, _COLOUR_ALPHA = 0, 2, 4, 6


def bit_depth(data: bytes) -> int | None:
    """Bits of a sample, by the header (PNG specification, 11.2.1); None if it is no PNG."""
    return data[24] if data.startswith(_SIGNATURE) and len(data) > 25 else None


def deep_samples(data: bytes) -> NDArray[np.uint16]:
    """The samples [H, W, channels] of a PNG of 16 bits; 1 or 3 channels, and alpha as the last where it has some.

    Pillow keeps the upper byte alone of all but grey. It has an unpacker for the other order of bytes, so that the
    lower byte is read as if it were the upper one. Grey with alpha has as many bytes a pixel as RGBA of 8 bits, and is
    read as that.
    """
    kind = data[25]
    if kind == _GREY:
        grey = _read(data).astype(np.uint16)[..., None]
        clear = _clear(data)
        return grey if clear is None else np.concatenate([grey, _alpha((grey == clear).all(-1))], axis=2)
    if kind == _GREY_ALPHA:
        header = data[12:24] + bytes([8, _COLOUR_ALPHA]) + data[26:29]
        pairs = _read(data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]).astype(np.uint16)
        return _joined(pairs[..., ::2], pairs[..., 1::2])
    samples = _joined(_read(data), _read(data, lower=True))
    clear = _clear(data) if kind == _COLOUR else None
    return samples if clear is None else np.concatenate([samples, _alpha((samples == clear).all(-1))], axis=2)


def low_transparency(picture: Image.Image, data: bytes) -> None:
    """Mend which grey is transparent in a picture of 2 or 4 bits: Pillow scales the greys and not that one."""
    clear, depth = picture.info.get("transparency"), bit_depth(data)
    if depth in (2, 4) and picture.mode == "L" and isinstance(clear, int):
        picture.info["transparency"] = clear * 255 // (2**depth - 1)


def _read(data: bytes, lower: bool = False) -> NDArray[Any]:
    with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
        if lower:
            picture.tile = [tile._replace(args=str(tile.args).replace("16B", "16L")) for tile in picture.tile]
        return np.asarray(picture)


def _joined(upper: NDArray[Any], lower: NDArray[Any]) -> NDArray[np.uint16]:
    return (upper.astype(np.uint16) << np.uint16(8)) | lower.astype(np.uint16)


def _clear(data: bytes) -> NDArray[np.uint16] | None:
    """The colour that is transparent."""
    with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
        picture.load()
        clear = picture.info.get("transparency")
    return None if clear is None else np.array(clear, dtype=np.uint16)


def _alpha(clear: NDArray[np.bool_]) -> NDArray[np.uint16]:
    return np.where(clear, 0, 65535).astype(np.uint16)[..., None]
