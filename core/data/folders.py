"""A zip of class folders of pictures, as the arrays of a bundle. Nothing in it is believed before it was checked.

No member is ever written to disk, no name of a member becomes a path, and no picture is decoded before its header said
how large it is. Whatever is refused is refused with the way to mend it.
"""

from __future__ import annotations

import io
import stat
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from core.data.facts import DatasetInvalid
from core.data.split import split_test

MOST_FILES: Final = 200_000
MOST_PIXELS: Final = 50_000_000
"""Of one picture, before it is made smaller."""
MOST_BYTES: Final = 2 * 2**30
"""Of all arrays together."""
SIDES: Final = (4, 512)
"""Least and most pixels of a side of the images that are kept."""
SPLIT_SEED: Final = 0
"""Seed of the split that is made where none is given: a fifth of each class becomes the test set."""
LAYOUT: Final = (
    "a zip of class folders (cat/1.png, dog/7.jpg), or of train/ and test/ with the same class folders in both"
)

_LARGEST_FILE = 64 * 2**20
_SMALL = 2**20
_MOST_RATIO = 200
_PICTURES = (".png", ".jpg", ".jpeg", ".webp")
_FORMATS = ("PNG", "JPEG", "WEBP")
_GREY, _COLOUR = ("1", "L", "LA"), ("P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
_LITTER = ("thumbs.db", "desktop.ini")
_VALIDATION = ("val", "valid", "validation")


_File = tuple[zipfile.ZipInfo, tuple[str, ...]]


@final
@dataclass(frozen=True)
class Folders:
    """What the archive holds: the arrays of a bundle, and in sentences what was decided about them."""

    arrays: dict[str, NDArray[Any]]
    remarks: tuple[str, ...]


@final
@dataclass(frozen=True)
class _Picture:
    info: zipfile.ZipInfo
    split: str
    label: str


def read_folders(path: Path, size: int | None = None) -> Folders:
    """The pictures of a zip of class folders.

    Args:
        path: the archive.
        size: each picture is scaled until its shorter side has so many pixels, and the middle square of it is kept;
            None: all pictures have to have one size already.

    Raises DatasetInvalid, which names the member at fault and how to mend it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            pictures = list(_sorted_out(archive.infolist()))
            images = _images(archive, pictures, size)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as fault:
        raise DatasetInvalid(f"not a whole zip archive ({fault}); pack it anew: {LAYOUT}") from None
    return _assembled(pictures, images, size)


def _sorted_out(members: Sequence[zipfile.ZipInfo]) -> Iterator[_Picture]:
    """The pictures among the members, with their split and class."""
    if len(members) > MOST_FILES:
        raise DatasetInvalid(f"holds {len(members):,} files, more than {MOST_FILES:,}; leave some of the images out")
    files = [(info, parts) for info in members if (parts := _parts(info)) and not _is_litter(parts)]
    seen: set[str] = set()
    for info, parts in files:
        if (folded := "/".join(parts).casefold()) in seen:
            raise DatasetInvalid(f"holds {_quoted(info)} twice; give every file a name of its own")
        seen.add(folded)
    files = _unwrapped(files)
    if not files:
        raise DatasetInvalid(f"holds no pictures; send {LAYOUT}")
    tops = {parts[0].lower() for _, parts in files}
    if tops & set(_VALIDATION) and tops & {"train", "test"}:
        raise DatasetInvalid(
            "holds a folder of validation images; move them into train/: a tenth of it is held out for validation"
        )
    splits = bool(tops & {"train", "test"})
    if splits and not tops <= {"train", "test"}:
        other = sorted(tops - {"train", "test"})[0]
        raise DatasetInvalid(f"holds {other!r} beside train/ or test/; send {LAYOUT}")
    for info, parts in files:
        if len(parts) != 2 + splits:
            raise DatasetInvalid(f"{_quoted(info)} lies in no class folder of its own; send {LAYOUT}")
        if not _is_picture(parts):
            raise DatasetInvalid(
                f"{_quoted(info)} is no picture that is read; a class folder holds {', '.join(_PICTURES)} and no more"
            )
        _check_size(info)
        yield _Picture(info, parts[0].lower() if splits else "", parts[-2])


def _unwrapped(files: list[_File]) -> list[_File]:
    """Without the folder that everything was packed in, and without what lies beside the class folders: a licence."""
    while True:
        files = [(info, parts) for info, parts in files if len(parts) > 1 or _is_picture(parts)]
        tops = {parts[0] for _, parts in files}
        if (
            len(tops) != 1
            or {top.lower() for top in tops} & {"train", "test"}
            or any(len(p) < 3 and _is_picture(p) for _, p in files)
        ):
            return files
        files = [(info, parts[1:]) for info, parts in files]


def _parts(info: zipfile.ZipInfo) -> tuple[str, ...]:
    """The member's path, taken apart; empty for a folder."""
    name = info.orig_filename
    parts = name.rstrip("/").split("/")
    if "\\" in name or "\0" in name or ":" in parts[0] or name.startswith("/") or {"", ".", ".."} & set(parts):
        raise DatasetInvalid(
            f"{_quoted(info)} leads out of the archive or is no plain path; "
            "pack the folder anew, with relative paths and '/'"
        )
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise DatasetInvalid(f"{_quoted(info)} is a link or a device; pack the files themselves")
    if info.flag_bits & 1:
        raise DatasetInvalid(f"{_quoted(info)} is encrypted; pack it without a password")
    return () if info.is_dir() or kind == stat.S_IFDIR else tuple(parts)


def _check_size(info: zipfile.ZipInfo) -> None:
    if info.file_size > _LARGEST_FILE:
        raise DatasetInvalid(
            f"{_quoted(info)} has {info.file_size:,} bytes, more than {_LARGEST_FILE:,}; make it smaller"
        )
    if info.file_size > max(_SMALL, _MOST_RATIO * info.compress_size):
        raise DatasetInvalid(
            f"{_quoted(info)} unpacks to more than {_MOST_RATIO} times its packed size, as a zip bomb does; "
            "save the picture as PNG or JPEG"
        )


def _images(archive: zipfile.ZipFile, pictures: Sequence[_Picture], size: int | None) -> list[NDArray[np.uint8]]:
    """Each picture as uint8 [H, W] if it is grey, else [H, W, 3]; all of one height and width."""
    images: list[NDArray[np.uint8]] = []
    total, least, most = 0, *SIDES
    for picture in pictures:
        image = _decoded(archive, picture.info, size)
        if images and image.shape[:2] != images[0].shape[:2]:
            (height, width), (first_height, first_width) = image.shape[:2], images[0].shape[:2]
            raise DatasetInvalid(
                f"{_quoted(picture.info)} has {width} x {height} pixels, but {_quoted(pictures[0].info)} has "
                f"{first_width} x {first_height}; say `size` (e.g. size=32) to have each scaled and cut to one square"
            )
        if not all(least <= side <= most for side in image.shape[:2]):
            raise DatasetInvalid(
                f"{_quoted(picture.info)} has {image.shape[1]} x {image.shape[0]} pixels; "
                f"sides have {least} to {most}: "
                "say `size` (e.g. size=64) to have each picture scaled"
            )
        total += image.shape[0] * image.shape[1] * 3
        if total > MOST_BYTES:
            raise DatasetInvalid(
                f"unpacks to more than {MOST_BYTES:,} bytes of pixels; say a smaller `size`, or leave images out"
            )
        images.append(image)
    return images


def _decoded(archive: zipfile.ZipFile, info: zipfile.ZipInfo, size: int | None) -> NDArray[np.uint8]:
    try:
        data = archive.read(info)
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    raise Image.DecompressionBombError
                if picture.mode not in _GREY + _COLOUR:
                    raise DatasetInvalid(
                        f"{_quoted(info)} has pixels of kind {picture.mode}; save it with 8 bits a channel"
                    )
                picture.load()
                upright = ImageOps.exif_transpose(picture)
                plain = upright.convert("L" if upright.mode in _GREY else "RGB")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DatasetInvalid(f"{_quoted(info)} has more than {MOST_PIXELS:,} pixels; make it smaller") from None
    except DatasetInvalid:
        raise
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as fault:
        raise DatasetInvalid(
            f"{_quoted(info)} cannot be read as a picture ({type(fault).__name__}); "
            "save it anew as PNG, or leave it out"
        ) from None
    return np.asarray(plain if size is None else _square(plain, size), dtype=np.uint8)


def _square(picture: Image.Image, size: int) -> Image.Image:
    """The middle of the picture, its shorter side scaled to `size` pixels."""
    return ImageOps.fit(picture, (size, size), Image.Resampling.LANCZOS)


def _assembled(pictures: Sequence[_Picture], images: list[NDArray[np.uint8]], size: int | None) -> Folders:
    names = sorted({picture.label for picture in pictures})
    train, test = ({each.label for each in pictures if each.split == split} for split in ("train", "test"))
    if test and train != test:
        missing = sorted(train ^ test)[0]
        where = "train/ but not in test/" if missing in train else "test/ but not in train/"
        raise DatasetInvalid(f"the class {missing[:60]!r} is in {where}; put it into both, or into neither")
    labels = np.array([names.index(picture.label) for picture in pictures], dtype=np.int64)
    if coloured := any(image.ndim == 3 for image in images):
        images = [image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2) for image in images]
    if test:
        is_test = np.array([picture.split == "test" for picture in pictures])
        indices = np.flatnonzero(~is_test), np.flatnonzero(is_test)
        split = "The split into train and test is the archive's own."
    else:
        indices = split_test(labels, SPLIT_SEED, images)
        split = f"A fifth of each class was set aside as the test set, drawn with seed {SPLIT_SEED}."
    arrays: dict[str, NDArray[Any]] = {"class_names": np.array(names)}
    for part, index in zip(("train", "test"), indices, strict=True):
        chosen = [images[place] for place in index]
        shape = (0, *images[0].shape[:2], *([3] if coloured else []))
        arrays[f"x_{part}"] = np.stack(chosen) if chosen else np.zeros(shape, dtype=np.uint8)
        arrays[f"y_{part}"] = labels[index]
    remarks = [split, "Images are in colour." if coloured else "All images are grey: they have one channel."]
    if size is not None:
        remarks.append(
            f"Each was scaled until its shorter side had {size} pixels, and its middle {size} x {size} kept."
        )
    return Folders(arrays, tuple(remarks))


def _is_litter(parts: Sequence[str]) -> bool:
    """What file managers leave behind."""
    return parts[0] == "__MACOSX" or parts[-1].lower() in _LITTER or any(part.startswith(".") for part in parts)


def _is_picture(parts: Sequence[str]) -> bool:
    return parts[-1].lower().endswith(_PICTURES)


def _quoted(info: zipfile.ZipInfo) -> str:
    name = info.orig_filename
    return repr(name if len(name) <= 100 else f"...{name[-97:]}")
