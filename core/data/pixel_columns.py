"""Tables whose columns are the pixels of pictures, as Kaggle and others give MNIST and its kin away.

label,pixel0,pixel1,...,pixel783        rows of pixels, grey, or red, green and blue of each in turn
label,1x1,1x2,...,28x28                 the same, called by row and column
emotion,pixels,Usage                    one column with the pixels' numbers between spaces
5,0,0,...,0                             no names at all: the label first
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np
from numpy.typing import NDArray

from core.data.facts import DatasetInvalid
from core.data.reading import Turned

if TYPE_CHECKING:
    import pyarrow as pa

_NUMBERED: Final = re.compile(r"(?:pixels?|pix|px)[ _.-]?([0-9]{1,6})", re.IGNORECASE)
_PLACED: Final = re.compile(r"([0-9]{1,4})x([0-9]{1,4})")
_LEAST_SIDE: Final = 4
_LEAST_UNNAMED: Final = 8
"""Least side of pictures in a table without names, whose numbers might be anything."""
_TURNED: Final = "emnist"


@final
@dataclass(frozen=True)
class PixelColumns:
    """The columns that are pixels, in their order; a single one holds all as text."""

    names: tuple[str, ...]
    shape: tuple[int, int, int]
    """Height, width and channels of a picture."""

    @property
    def remark(self) -> str:
        """The statement that the columns were read as pictures, and how to have them as numbers."""
        height, width, channels = self.shape
        colour = " in colour" if channels == 3 else ""
        what = f"columns {self.names[0]!r} to {self.names[-1]!r} are" if len(self.names) > 1 else "column 'pixels' is"
        return f"The {what} the pixels of pictures of {width} x {height}{colour}; kind=vectors has them as numbers."


def pixel_columns(table: pa.Table) -> PixelColumns | None:
    """The columns that are pixels by their names, if they are all of a picture's; None of any other table."""
    names = [str(name) for name in table.column_names]
    if found := [name for name in names if _PLACED.fullmatch(name.strip())]:
        places = [tuple(map(int, name.strip().split("x"))) for name in found]
        (top, left), (bottom, right) = min(places), max(places)
        wanted = [(row, column) for row in range(top, bottom + 1) for column in range(left, right + 1)]
        height, width = bottom - top + 1, right - left + 1
        if sorted(places) == wanted and min(height, width) >= _LEAST_SIDE:
            ordered = [name for _, name in sorted(zip(places, found, strict=True))]
            return PixelColumns(tuple(ordered), (height, width, 1))
    if found := [name for name in names if _NUMBERED.fullmatch(name.strip())]:
        numbers = [int(re.sub(r"\D", "", name)) for name in found]
        if sorted(numbers) == list(range(min(numbers), min(numbers) + len(numbers))) and min(numbers) < 2:
            ordered = [name for _, name in sorted(zip(numbers, found, strict=True))]
            shape = _shape(len(found), _LEAST_SIDE)
            return shape and PixelColumns(tuple(ordered), shape)
    return _of_text(table, names)


def are_pixels(cells: Sequence[str]) -> bool:
    """Whether the cells of a table's first line are names of pixels, or a label and pixels without names."""
    names = [cell.strip() for cell in cells]
    called = sum(bool(_NUMBERED.fullmatch(name) or _PLACED.fullmatch(name)) for name in names)
    return called >= _LEAST_SIDE**2 or "pixels" in map(str.lower, names) or unnamed(names) is not None


def unnamed(cells: Sequence[str]) -> list[str] | None:
    """Names for the columns of a table without any, whose first cells are these: a label, and a picture's pixels."""
    numbers = all(cell.isdecimal() and int(cell) < 256 for cell in cells)
    if not cells or not numbers or _shape(len(cells) - 1, _LEAST_UNNAMED) is None:
        return None
    return ["label", *(f"pixel{number}" for number in range(len(cells) - 1))]


def images_in(table: pa.Table, found: PixelColumns, turned: bool) -> tuple[NDArray[np.uint8], list[str]]:
    """The pictures uint8 [N, H, W] or [N, H, W, C], set upright where their rows are `turned` to columns, and remarks.

    Raises DatasetInvalid for what is no pixel.
    """
    if len(found.names) == 1:
        values = _parsed(table.column(found.names[0]).to_pylist(), math.prod(found.shape))
    else:
        values = np.empty((table.num_rows, len(found.names)), dtype=np.float32)
        for place, name in enumerate(found.names):
            values[:, place] = _numbers(table, name)
    if not np.isfinite(values).all():
        rows = int((~np.isfinite(values)).any(1).sum())
        raise DatasetInvalid(f"{rows:,} rows lack pixels: leave them out: table = table.dropna()")
    low, high = float(values.min()), float(values.max())
    remarks = []
    if low >= 0 and high <= 1 and (values % 1).any():
        values *= 255
        remarks.append("Pixels from 0 to 1 were multiplied by 255.")
    elif low < 0 or high > 255 or (values % 1).any():
        raise DatasetInvalid(
            f"the pixels run from {low:g} to {high:g}: store whole numbers from 0 to 255, or upload with kind=vectors "
            "to have them as columns of numbers"
        )
    height, width, channels = found.shape
    images = np.rint(values).astype(np.uint8).reshape(-1, height, width, channels)
    if turned:
        images = images.transpose(0, 2, 1, 3)
    return np.ascontiguousarray(images[..., 0] if channels == 1 else images), remarks


def is_turned(said: Turned, *names: str) -> bool:
    """Whether pictures have their rows as columns: as the uploader says, else by the names of EMNIST's files."""
    return said == "yes" or (said == "auto" and any(_TURNED in name.lower() for name in names))


def upright_remark(said: Turned) -> str:
    """The remark on pictures that were set upright."""
    if said == "yes":
        return "The pictures were set upright: their rows were said to be columns."
    return "EMNIST stores rows as columns: its pictures were set upright; transposed=no leaves them as they are."


def _shape(count: int, least: int) -> tuple[int, int, int] | None:
    """Height, width and channels of a square picture of so many numbers."""
    for channels in (1, 3):
        side = math.isqrt(count // channels)
        if side >= least and channels * side**2 == count:
            return side, side, channels
    return None


def _of_text(table: pa.Table, names: Sequence[str]) -> PixelColumns | None:
    import pyarrow as pa

    texts = [name for name in names if name.strip().lower() == "pixels"]
    if len(texts) != 1 or not table.num_rows:
        return None
    kind = table.column(texts[0]).type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return None
    first = next((value for value in table.column(texts[0]).to_pylist() if value), "")
    if not re.fullmatch(r"\s*[0-9]+([ ,;]+[0-9]+)+\s*", first):
        return None
    shape = _shape(len(re.findall("[0-9]+", first)), _LEAST_SIDE)
    return shape and PixelColumns((texts[0],), shape)


def _parsed(texts: Sequence[Any], count: int) -> NDArray[np.float32]:
    values = np.empty((len(texts), count), dtype=np.float32)
    for place, text in enumerate(texts):
        words = str(text or "").replace(",", " ").replace(";", " ").split()
        if len(words) != count or not all(map(str.isdecimal, words)):
            raise DatasetInvalid(
                f"row {place:,} of 'pixels' holds {len(words):,} numbers, or what is none, and the first {count:,}: "
                "give every picture one size, and leave the row out if it is damaged"
            )
        values[place] = [int(word) for word in words]
    return values


def _numbers(table: pa.Table, name: str) -> NDArray[Any]:
    import pyarrow as pa

    column = table.column(name)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise DatasetInvalid(f"the column {name!r} holds {column.type}, and pixels are numbers from 0 to 255")
    return np.asarray(column.to_numpy(), dtype=np.float32)
