"""All pictures of an archive, read one after the other and judged together."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from core.data.facts import DatasetInvalid
from core.data.folders.arrangement import Picture
from core.data.folders.faults import Fault, UnreadableError, listed, refusal
from core.data.folders.limits import MOST_BYTES, SIDES
from core.data.folders.pixels import DEEPEST, Look, Pixels, pixels_of, size_of
from core.data.folders.scaling import chosen_side

_GROUNDS = {255: "white", 0: "black"}


@final
@dataclass(frozen=True)
class Images:
    """Each picture as uint8 [H, W] if it is grey, else [H, W, 3], all of one height and width, and what was decided."""

    images: list[NDArray[np.uint8]]
    pictures: tuple[Picture, ...]
    """The ones that were read; fewer where broken files are skipped."""
    remarks: tuple[str, ...]
    broken: tuple[Fault, ...]


def images_of(pictures: Sequence[Picture], size: int | None, *, skip_broken: bool = False) -> Images:
    """The pictures' pixels. Raises DatasetInvalid, which names the members at fault and how to mend them."""
    look = Look()
    seen, faults = _read(pictures, size, look, skip_broken=skip_broken)
    pictures = [each for each in pictures if each.member.path not in faults]
    if (better := _look(seen)) != look:
        seen.clear()  # of many pictures there is no room for two looks
        seen, _ = _read(pictures, size, better)
    remarks = tuple(_remarks(pictures, seen, better))
    return Images([each.kept for each in seen], tuple(pictures), remarks, tuple(faults.values()))


def side_of(pictures: Sequence[Picture]) -> int | None:
    """The side that pictures are scaled to where nobody says one (`chosen_side`); None where they can stay as they are.

    A picture that cannot be read is passed over: reading the pixels says so.
    """
    return chosen_side([size for each in pictures if (size := _size(each)) is not None])


def _size(picture: Picture) -> tuple[int, int] | None:
    with suppress(UnreadableError):
        return size_of(_unpacked(picture))
    return None


def _read(
    pictures: Sequence[Picture], size: int | None, look: Look, *, skip_broken: bool = False
) -> tuple[list[Pixels], dict[str, Fault]]:
    """The pixels of the pictures that can be read, and by path the faults of the others, where these are skipped."""
    seen, faults = list[Pixels](), dict[str, Fault]()
    odd: DatasetInvalid | None = None
    first, pixels, channels = pictures[0], 0, 1
    least, most = SIDES
    for picture in pictures:
        try:
            each = pixels_of(_unpacked(picture), size, look)
        except UnreadableError as fault:
            faults[picture.member.path] = Fault(picture.member.quoted, fault.fault, fault.fix, picture.member.path)
            continue
        (height, width), quoted = each.kept.shape[:2], picture.member.quoted
        if not seen:
            first = picture
        if odd is None and seen and each.kept.shape[:2] != seen[0].kept.shape[:2]:
            odd = DatasetInvalid(
                f"{quoted} has {width} x {height} pixels, but {first.member.quoted} has {seen[0].kept.shape[1]} x "
                f"{seen[0].kept.shape[0]}; say `size` (e.g. size=32) to have each scaled and cut to one square"
            )
        if odd is None and not all(least <= side <= most for side in (height, width)):
            odd = DatasetInvalid(
                f"{quoted} has {width} x {height} pixels; sides have {least} to {most}: "
                "say `size` (e.g. size=64) to have each picture scaled"
            )
        pixels, channels = pixels + height * width, max(channels, each.kept.ndim * 2 - 3)
        if pixels * channels > MOST_BYTES and odd is None:
            raise DatasetInvalid(
                f"unpacks to more than {MOST_BYTES:,} bytes of pixels; say a smaller `size`, or leave images out"
            )
        if odd is None:
            seen.append(each)
    if faults and not (skip_broken and len(faults) < len(pictures)):
        raise refusal(list(faults.values()))
    if odd:
        raise odd
    return seen, faults


def _unpacked(picture: Picture) -> bytes:
    try:
        with picture.member.open() as file:
            return file.read()
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as fault:
        raise UnreadableError(f"is damaged in the archive ({fault})", "pack the folder anew, or leave it out") from None


def _look(seen: Sequence[Pixels]) -> Look:
    """The look under which most is seen of the pictures: on white, unless fewer are blank on black."""
    blank = {ground: sum(each.blank[ground] for each in seen if each.blank) for ground in _GROUNDS}
    deep = [each.brightest for each in seen if each.brightest is not None]
    own = max(deep, default=0) if len(deep) == len(seen) else DEEPEST
    if deep and own == DEEPEST and max(deep) * 2 < DEEPEST:
        raise DatasetInvalid(
            f"{len(deep):,} of {len(seen):,} pictures have 16 bits a channel and values up to {max(deep):,} "
            f"of {DEEPEST:,}, so that they are dark beside the others; save all with 16 bits, or all with 8, or send "
            "those of 8 or of 16 bits alone"
        )
    return Look(0 if blank[0] < blank[255] else 255, own or DEEPEST)


def _remarks(pictures: Sequence[Picture], seen: Sequence[Pixels], look: Look) -> list[str]:
    remarks = []
    if any(each.kept.ndim == 3 for each in seen):
        remarks.append("Images are in colour.")
    else:
        stored = "" if all(each.stored_grey for each in seen) else " though not all were stored so"
        remarks.append(f"All images are grey{stored}: they have one channel.")
    if laid := [each.blank for each in seen if each.blank]:
        blank = sum(each[look.ground] for each in laid)
        remarks.append(
            f"{len(laid):,} of {len(seen):,} pictures are transparent in places: they were laid on "
            f"{_GROUNDS[look.ground]}" + (f", on which {blank:,} show nothing." if blank else ".")
        )
    if deep := sum(each.brightest is not None for each in seen):
        remarks.append(
            f"{deep:,} of {len(seen):,} pictures have 16 bits a channel: they were scaled so that {look.brightest:,} "
            "became 255."
        )
    names = [picture.member.path for picture in pictures]
    if animated := [name for name, each in zip(names, seen, strict=True) if each.animated]:
        remarks.append(f"The first picture alone was kept of files with several: {listed(animated)}.")
    if lost := [name for name, each in zip(names, seen, strict=True) if each.exif_lost]:
        remarks.append(f"The EXIF of these could not be read, so they were not turned: {listed(lost)}.")
    return remarks
