"""How groups of images are seen while they are recovered: crop, mirror and roll, one of each for a group's images.

Differentiable in the pixels. Images are [G, B, C, H, W], groups first.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine.keys import Key
from core.recipe import Views

DRAWS = 7
"""Numbers that a group's view takes."""

_RATIO = math.log(4 / 3)  # sides of a crop differ by this factor at most


def draw(key: Key, groups: int) -> Tensor:
    """The numbers of each group's view, uniform on [0, 1), [groups, DRAWS] on the CPU."""
    return key.uniform(groups, DRAWS)


def view(images: Tensor, views: Views, draws: Tensor, done: float) -> Tensor:
    """The views of images that a teacher sees, [G, B, C, H, W].

    Args:
        images: [G, B, C, H, W].
        views: what is drawn from.
        draws: [G, DRAWS] of these groups.
        done: share of the outer steps behind, which a curriculum of crops goes by.
    """
    u = draws.to(images.device, images.dtype)
    if views.crop is not None:
        images = _crop(images, u[:, :4], smallest(views, done))
    if views.flip:
        images = torch.where((u[:, 4] < 0.5).view(-1, 1, 1, 1, 1), images.flip(4), images)
    for place, axis in ((5, 3), (6, 4)):
        reach = int(views.roll * images.shape[axis] + 0.5)
        if reach:
            images = _roll(images, (u[:, place] * (reach + 1)).long().clamp_(max=reach), axis)
    return images


def smallest(views: Views, done: float) -> float:
    """The smallest share of the area that a crop may keep; CDA's curriculum (Yin & Shen 2024) lowers it from 1."""
    assert views.crop is not None, "asked for where images are cropped"
    return views.crop + (1 - views.crop) * 0.5 * (1 + math.cos(math.pi * done)) if views.curriculum else views.crop


def boxes(u: Tensor, least: float) -> Tensor:
    """Height, width, top and left of crops in shares of the image, [n, 4], from uniform numbers [n, 4].

    Area uniform on [least, 1], the ratio of the sides log-uniform on [3/4, 4/3] as far as they fit, any place.
    """
    area, ratio = least + (1 - least) * u[:, 0], ((2 * u[:, 1] - 1) * _RATIO).exp()
    height, width = (area / ratio).sqrt().clamp(max=1), (area * ratio).sqrt().clamp(max=1)
    return torch.stack((height, width, u[:, 2] * (1 - height), u[:, 3] * (1 - width)), 1)


def enlarge(images: Tensor, boxes: Tensor) -> Tensor:
    """The boxes [n, 4] of images [n, C, H, W], each at the size of an image; bilinear."""
    height, width, top, left = boxes.unbind(1)
    zero = torch.zeros_like(height)
    rows = torch.stack((width, zero, 2 * left + width - 1, zero, height, 2 * top + height - 1), 1)
    grid = F.affine_grid(rows.view(-1, 2, 3), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _crop(images: Tensor, u: Tensor, least: float) -> Tensor:
    each = boxes(u, least).repeat_interleave(images.shape[1], 0)
    return enlarge(images.flatten(0, 1), each).view_as(images)


def _roll(images: Tensor, by: Tensor, axis: int) -> Tensor:
    side = images.shape[axis]
    shape = [len(images), 1, 1, 1, 1]
    shape[axis] = side
    index = (torch.arange(side, device=images.device)[None] - by[:, None]) % side
    return images.gather(axis, index.view(shape).expand(images.shape))
