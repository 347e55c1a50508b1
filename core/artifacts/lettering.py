"""The colours and letters of an artifact's pictures."""

from __future__ import annotations

import math

from PIL import Image, ImageDraw, ImageFont

PAPER = (252, 251, 248)
INK = (32, 33, 36)
QUIET = (108, 110, 117)
FRAME = (221, 218, 210)

FINE = 4
"""Letters are drawn this many times larger and scaled down: at their own size hinting spoils their spacing."""


def write(
    canvas: Image.Image, at: tuple[int, int], text: str, size: int, colour: tuple[int, int, int], anchor: str = "la"
) -> None:
    """Write a line of text; `anchor` as of Pillow, "la" for its upper left corner."""
    if not text:
        return
    font = _font(size * FINE)
    left, top, right, bottom = (round(edge) for edge in font.getbbox(text, anchor=anchor))
    # Whole pixels of the canvas on every side, so that scaling down does not move the letters.
    left, top = math.floor(left / FINE) - 1, math.floor(top / FINE) - 1
    width, height = math.ceil(right / FINE) + 1 - left, math.ceil(bottom / FINE) + 1 - top
    letters = Image.new("L", (width * FINE, height * FINE))
    ImageDraw.Draw(letters).text((-left * FINE, -top * FINE), text, fill=255, font=font, anchor=anchor)
    mask = letters.resize((width, height), Image.Resampling.BOX)
    canvas.paste(colour, (at[0] + left, at[1] + top), mask)


def length(text: str, size: int) -> float:
    """Pixels a line of text takes."""
    return _font(size * FINE).getlength(text) / FINE


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
