"""One picture, from the bytes of its file to the pixels that are kept of it."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from core.data.folders.faults import UnreadableError
from core.data.folders.limits import MOST_PIXELS
from core.data.folders.png import bit_depth, deep_samples, low_transparency
from core.data.folders.scaling import fitted
from core.data.folders.tiff import deep_of_tiff

DEEPEST: Final = 2**16 - 1
"""The largest sample of 16 bits."""

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
_ANIMATED = ("PNG", "WEBP", "GIF", "TIFF")
"""Formats whose files hold several pictures; a JPEG's others are views of the same."""
_TURNS: dict[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The turn that each value of EXIF's orientation asks for (Exif 2.32, 4.6.4)."""
_LYING = (
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)
_BLANK = 16
"""A picture whose pixels differ by less, of 255, shows nothing."""


@final
@dataclass(frozen=True)
class Look:
    """The changes to pictures that cannot be kept as they are: the same ones for a whole archive."""

    ground: int = 255
    """Grey that is laid under transparent pictures, 0 (black) or 255 (white)."""
    brightest: int = DEEPEST
    """Sample of 16 bits that becomes 255."""


@final
@dataclass(frozen=True)
class Pixels:
    """A picture as it is kept, and what was seen of its file."""

    kept: NDArray[np.uint8]
    """[H, W] if red, green and blue are equal everywhere, else [H, W, 3]."""
    stored_grey: bool
    """Whether its file has one channel as well."""
    brightest: int | None
    """Largest visible sample, if they have 16 bits."""
    blank: dict[int, bool] | None
    """By ground, whether the picture shows nothing on it; None if nothing of it is transparent."""
    animated: bool
    exif_lost: bool
    """Whether its EXIF could not be read, so that it was not turned."""


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height of the picture in `data` as its header has them, upright. Raises UnreadableError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
                lies = not isinstance(picture, TiffImageFile) and _turn(picture)[0] in _LYING  # TIFFs open upright
                return (picture.height, picture.width) if lies else picture.size
    except MemoryError:
        raise
    except Exception as fault:  # as in `pixels_of`
        raise UnreadableError(
            f"has no header ({_reason(fault, data)})", "save it anew as PNG, or leave it out"
        ) from None


def pixels_of(data: bytes, size: int | None, look: Look) -> Pixels:
    """The picture in `data`, upright, on a plain ground, scaled and cut to a square if `size` is said.

    Raises UnreadableError, whatever Pillow makes of the bytes; MemoryError alone is let through.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _pixels(data, size, look)
    except (UnreadableError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UnreadableError(f"has more than {MOST_PIXELS:,} pixels", "make it smaller, or leave it out") from None
    except Exception as fault:  # a decoder of strangers' bytes raises whatever comes to its mind
        raise UnreadableError(
            f"cannot be read as a picture ({_reason(fault, data)})", "save it anew as PNG, or leave it out"
        ) from None


def _reason(fault: Exception, data: bytes) -> str:
    if not data:
        return "the file is empty"
    if isinstance(fault, UnidentifiedImageError):
        pointer = data.startswith(b"version https://git-lfs")
        return "it is Git LFS's note of one: run `git lfs pull`" if pointer else f"it is no {', '.join(_FORMATS)}"
    return type(fault).__name__


def _pixels(data: bytes, size: int | None, look: Look) -> Pixels:
    with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
        if picture.width * picture.height > MOST_PIXELS:
            raise Image.DecompressionBombError
        animated = picture.format in _ANIMATED and getattr(picture, "n_frames", 1) > 1
        picture.load()
        turn, exif_lost = _turn(picture)
        brightest = None
        stored_grey = picture.mode in ("1", "L", "LA", "I;16")
        if isinstance(picture, TiffImageFile):
            samples = deep_of_tiff(picture, data)
        else:
            samples = deep_samples(data) if bit_depth(data) == 16 else None
        if samples is not None:
            stored_grey = samples.shape[2] < 3
            brightest = _brightest(samples)
            colours, alpha = _eighths(samples, look.brightest)
        else:
            low_transparency(picture, data)
            colours, alpha = _samples(picture)
    blank = None
    if alpha is not None and (alpha < 255).any():
        grounds = {ground: _laid(colours, alpha, ground) for ground in (0, 255)}
        blank = {ground: int(np.ptp(laid)) < _BLANK for ground, laid in grounds.items()}
        colours = grounds[look.ground]
    if colours.shape[2] == 3 and (colours == colours[..., :1]).all():
        colours = colours[..., :1]
    plain = Image.fromarray(colours[..., 0] if colours.shape[2] == 1 else colours)
    if turn is not None:
        plain = plain.transpose(turn)
    if size is not None:
        plain = fitted(plain, size)
    return Pixels(np.asarray(plain, dtype=np.uint8), stored_grey, brightest, blank, animated, exif_lost)


def _turn(picture: Image.Image) -> tuple[Image.Transpose | None, bool]:
    """How its EXIF, of which nothing else is looked at, says to turn the picture, and whether it was illegible."""
    try:
        orientation = picture.getexif().get(ExifTags.Base.Orientation)
    except MemoryError:
        raise
    except Exception:  # as above
        return None, True
    return _TURNS.get(orientation) if isinstance(orientation, int) else None, False


def _samples(picture: Image.Image) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Colours [H, W, 1 or 3] and alpha [H, W, 1] of a picture of 8 bits or less."""
    if picture.has_transparency_data:
        both = np.asarray(picture.convert("RGBA"))
        return both[..., :3], both[..., 3:]
    plain = np.asarray(picture.convert("L" if picture.mode in ("1", "L") else "RGB"))
    return (plain if plain.ndim == 3 else plain[..., None]), None


def _brightest(samples: NDArray[np.uint16]) -> int:
    colours = samples[..., : 3 if samples.shape[2] > 2 else 1]
    if samples.shape[2] in (2, 4):
        colours = np.where(samples[..., -1:] > 0, colours, 0)
    return int(colours.max())


def _eighths(samples: NDArray[np.uint16], brightest: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    channels = 3 if samples.shape[2] > 2 else 1
    colours = _scaled(samples[..., :channels], brightest)
    return colours, _scaled(samples[..., -1:], DEEPEST) if samples.shape[2] in (2, 4) else None


def _scaled(samples: NDArray[np.uint16], brightest: int) -> NDArray[np.uint8]:
    scaled: NDArray[Any] = np.rint(np.minimum(samples, brightest) * (255 / max(1, brightest)))
    return scaled.astype(np.uint8)


def _laid(colours: NDArray[np.uint8], alpha: NDArray[np.uint8], ground: int) -> NDArray[np.uint8]:
    """The colours on a plain ground: each a mean of both, weighted by alpha."""
    share = alpha.astype(np.uint32)
    laid: NDArray[Any] = (colours * share + ground * (255 - share) + 127) // 255
    return laid.astype(np.uint8)
