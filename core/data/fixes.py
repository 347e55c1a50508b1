"""Statements of Python that mend arrays which a bundle cannot have; `np` is NumPy, and arrays have the file's names.

A refusal ends with one of them: once it was run and the arrays were saved again, that fault is not refused any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from core.data.header import Extent, Header


def pixels(names: Sequence[str], header: Header, extent: Extent) -> str:
    """Makes uint8 of arrays of pixels that have one type and together one extent."""
    made = _as_bytes("x" if len(names) > 1 else names[0], header.dtype.kind, extent)
    return f"{', '.join(names)} = ({made} for x in ({', '.join(names)}))" if len(names) > 1 else f"{names[0]} = {made}"


def renumbered(labels: Sequence[str], class_names: str, kind: str) -> str:
    """Makes labels 0..K-1 and their class names of whatever all label arrays hold."""
    named = 'np.char.decode(names, "utf-8")' if kind == "S" else "names.astype(str)"
    ends = [" + ".join(f"{name}.size" for name in labels[:place]) for place in range(len(labels))] + [""]
    parts = ", ".join(f"y[{first}:{last}]" for first, last in pairwise(ends))
    together = ", ".join(labels)
    return (
        f"names, y = np.unique(np.concatenate([{together}], axis=None), return_inverse=True); "
        f"{class_names}, {together} = {named}, {parts}"
    )


def one_of_columns(name: str) -> str:
    """Makes one label an image of one column a class."""
    return f"{name} = {name}.argmax(1)"


def one_label_alone(images: str, labels: str) -> str:
    """Leaves only images of which one column is set, and one label an image."""
    return f"one = {labels}.sum(1) == 1; {images}, {labels} = {images}[one], {labels}[one].argmax(1)"


AS_SERIES: Final = "kind = np.array('series')"
"""Says that floats with three axes are series and no pictures."""


def as_table(name: str) -> str:
    """Makes an array of two axes a table, which its floats say."""
    return f"{name} = {name}.astype(np.float32)"


def without_alpha(name: str, channels: int) -> str:
    """Puts uint8 pictures whose last channel is their opacity on a white ground."""
    left = f"{name}[..., :{channels - 1}]"
    return f"{name} = np.rint(255 - (255 - {left}.astype(float)) * ({name}[..., -1:] / 255)).astype(np.uint8)"


def _as_bytes(x: str, kind: str, extent: Extent) -> str:
    low, high = extent.low, extent.high
    if kind == "b":
        return f"{x}.astype(np.uint8) * 255"
    if not extent.finite:
        return f"np.nan_to_num({x}, posinf=0, neginf=0)"
    if kind in "iu":
        if low >= 0 and high <= 255:
            return f"{x}.astype(np.uint8)"
        if low >= 0 and 2**15 <= high < 2**16:
            return f"({x} // 257).astype(np.uint8)"
    elif low >= 0 and high <= 1:
        return f"np.rint({x} * 255).astype(np.uint8)"
    elif low >= 0 and high <= 255:
        return f"np.rint({x}).astype(np.uint8)"
    elif low >= -1 and high <= 1:
        return f"np.rint(({x} + 1) * 127.5).astype(np.uint8)"
    if low >= 0:
        return f"np.rint({x}.astype(float) / {high!r} * 255).astype(np.uint8)"
    return f"np.rint(({x}.astype(float) - ({low!r})) / {(high - low) or 1!r} * 255).astype(np.uint8)"
