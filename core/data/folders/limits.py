"""The limits of an archive of class folders."""

from __future__ import annotations

from typing import Final

MOST_FILES: Final = 200_000
MOST_PIXELS: Final = 50_000_000
"""Most pixels of one picture, before it is made smaller."""
MOST_BYTES: Final = 2 * 2**30
"""Most bytes of all arrays together."""
SIDES: Final = (4, 512)
"""Least and most pixels of a side of the images that are kept."""
AUTO: Final = 0
"""In the place of a side: it is chosen by the pictures."""
CHOSEN: Final = (4, 8, 16, 32, 64)
"""Sides that are chosen; larger ones are for those who say so, for the cost grows with the square."""
LAYOUT: Final = (
    "a zip or tar of class folders (cat/1.png, dog/7.jpg), or of train/ and test/ with the same class folders in both"
)
PICTURES: Final = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff")
"""How the names of files end that are read as pictures."""
