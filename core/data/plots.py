"""Rows and series as small line plots, so that what shows pictures shows them, too."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

WIDTH: Final = 64
HEIGHT: Final = 32
REACH: Final = 3.0
"""Standard deviations from the mean that a plot's edges stand for; what is farther lies on an edge."""

_FINE: Final = 4
_PAPER: Final = (252, 251, 248)
_AXIS: Final = (221, 218, 210)
_INKS: Final = ((31, 111, 139), (196, 84, 38), (92, 122, 54), (128, 84, 148), (108, 110, 117))


def plotted(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Standardised vectors [n, F, 1, 1] or series [n, C, 1, T] as plots uint8 [n, 3, HEIGHT, WIDTH].

    A row is one line over its columns, as in parallel coordinates; a series has a line a channel, up to five.
    """
    lines = values[:, None, :, 0, 0] if values.shape[3] == 1 else values[:, : len(_INKS), 0]
    return np.stack([_plot(each) for each in lines])


def standardised(values: NDArray[np.float32], whole: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values [n, C, H, W] less the mean of each channel of a whole set, divided by its standard deviation."""
    mean, std = (take(whole, axis=(0, 2, 3), keepdims=True) for take in (np.mean, np.std))
    return np.asarray((values - mean) / np.where(std > 0, std, 1), dtype=np.float32)


def _plot(lines: NDArray[np.float32]) -> NDArray[np.uint8]:
    width, height = WIDTH * _FINE, HEIGHT * _FINE
    canvas = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(canvas)
    pen.line((0, height // 2, width, height // 2), fill=_AXIS, width=_FINE // 2)
    for line, ink in zip(lines, _INKS, strict=False):
        x = np.linspace(_FINE, width - _FINE, len(line)) if len(line) > 1 else np.array([width / 2])
        y = height / 2 - np.clip(np.nan_to_num(line), -REACH, REACH) / REACH * (height / 2 - _FINE)
        points = list(zip(x.tolist(), y.tolist(), strict=True))
        if len(points) > 1:
            pen.line(points, fill=ink, width=_FINE, joint="curve")
        else:
            pen.circle(points[0], _FINE, fill=ink)
    small = canvas.resize((WIDTH, HEIGHT), Image.Resampling.BOX)
    return np.ascontiguousarray(np.asarray(small).transpose(2, 0, 1))
