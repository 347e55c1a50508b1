"""DSA augmentation as pure functions of (images, key) (Zhao & Bilen 2021, strategy "S").

One transform a call, drawn from the recipe's list and applied to the whole batch with parameters drawn for each image;
in evaluation also by other policies. Every transform is differentiable in the pixels, and the same key gives the same
view: the adjoint replays the view of a step from its key instead of storing it. Images are [B, C, H, W] in the
preprocessed space.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine.keys import Key
from core.recipe import Augment, CutMix, Policy

_SHIFT = 0.125  # of the side, in whole pixels
_CUTOUT = 0.5  # side of the hole over the side of the image
_SCALE = 1.2
_DEGREES = 15.0
_BRIGHTNESS, _SATURATION, _CONTRAST = 1.0, 2.0, 0.5


def dsa(images: Tensor, augment: Augment, key: Key, *, shared: bool = False) -> Tensor:
    """One view of a batch. `shared` gives every image the same parameters (siamese augmentation, as DM needs it)."""
    if not augment.transforms:
        return images
    name, draw = _draw(augment, key, 1 if shared else len(images))
    return _TRANSFORMS[name](images, draw.to(images.device, images.dtype).expand(4, len(images)))


def dsa_each(images: Tensor, augment: Augment, keys: Sequence[Key]) -> Tensor:
    """One view of each of S batches [S, B, C, H, W], the same as `dsa` of the batch and its key alone.

    Batches whose keys draw the same transform go through it together.
    """
    if not augment.transforms:
        return images
    drawn = [_draw(augment, key, images.shape[1]) for key in keys]
    draws = torch.stack([draw for _, draw in drawn], 1).to(images.device, images.dtype)
    names = [name for name, _ in drawn]
    views: Tensor | None = None
    for name in dict.fromkeys(names):
        members = [s for s, other in enumerate(names) if other == name]
        # a slice is no copy, and one batch or all of them are the common cases
        at = slice(members[0], members[-1] + 1) if members[-1] - members[0] < len(members) else members
        view = _TRANSFORMS[name](images[at].flatten(0, 1), draws[:, at].flatten(1)).view(-1, *images.shape[1:])
        if len(members) == len(names):
            return view
        views = torch.empty_like(images) if views is None else views
        views[at] = view
    assert views is not None, "there is at least one batch"
    return views


def views_each(
    images: Tensor, augment: Augment, policy: Policy, keys: Sequence[Key], real: Tensor | None = None
) -> Tensor:
    """One view of each of S batches [S, B, C, H, W], drawn by a policy of `core.recipe.Evaluation`.

    A batch's view depends on its own key alone. `real` bool [S, B] says which images "combined" treats as real ones;
    None stands for none. Reconstructed from the released code of SelMatch (Lee & Chung, ICML 2024), whose crop pads by
    4 pixels at 32: here by an eighth of the side, as DSA's does, which is the same at 32 and less on smaller images.
    """
    if not augment.transforms:
        return images
    if policy == "batch":
        return dsa_each(images, augment, keys)
    n, names = images.shape[1], augment.transforms
    draws = torch.cat([key.fold("parameters").uniform(4, n) for key in keys], 1).to(images.device, images.dtype)
    if policy == "simple":
        return _simple(images.flatten(0, 1), draws, augment).view_as(images)
    # Which transform an image goes through: a place in `names`, or the one after the last for the simple view.
    which = torch.cat([(key.fold("transforms").uniform(n) * len(names)).long() for key in keys])
    which.clamp_(max=len(names) - 1)
    if policy == "combined" and real is not None:
        which[real.flatten().to(which.device)] = len(names)
    flat = images.flatten(0, 1)
    views = torch.empty_like(flat)
    for place in which.unique().tolist():
        at = (which == place).nonzero().flatten().to(images.device)
        x, u = flat[at], draws[:, at]
        views[at] = _simple(x, u, augment) if place == len(names) else _TRANSFORMS[names[place]](x, u)
    return views.view_as(images)


def cutmix(images: Tensor, labels: Tensor, mix: CutMix, keys: Sequence[Key]) -> tuple[Tensor, Tensor]:
    """Each of S batches [S, B, C, H, W] with label probabilities [S, B, K], mixed as its key draws it.

    `core.recipe.CutMix` says how. A batch's mixture depends on its own key alone.
    """
    mixed = [_mixed(x, y, mix, key) for x, y, key in zip(images, labels, keys, strict=True)]
    return torch.stack([x for x, _ in mixed]), torch.stack([y for _, y in mixed])


def _mixed(images: Tensor, labels: Tensor, mix: CutMix, key: Key) -> tuple[Tensor, Tensor]:
    """One batch [B, C, H, W] and its labels [B, K]."""
    drawn, area, y, x = key.fold("box").uniform(4).tolist()
    if drawn >= mix.probability:
        return images, labels
    height, width = images.shape[2:]
    rows, columns = _span(y, area, height), _span(x, area, width)
    other = key.fold("partners").permutation(len(images)).to(images.device)
    images = images.clone()
    images[:, :, rows, columns] = images[other][:, :, rows, columns]
    share = (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)
    return images, (1 - share) * labels + share * labels[other]


def _span(middle: float, area: float, side: int) -> slice:
    """The pixels of one side of a box of that share of an image, as far as they lie in it."""
    centre, half = int(middle * side), int(side * math.sqrt(area)) // 2
    return slice(max(centre - half, 0), min(centre + half, side))


def _simple(x: Tensor, u: Tensor, augment: Augment) -> Tensor:
    """The augmentation that is usual for networks on real images: a crop, and half of the images mirrored."""
    x = _crop(x, u[:2]) if "crop" in augment.transforms else x
    return _flip(x, u[2:]) if "flip" in augment.transforms else x


def _draw(augment: Augment, key: Key, n: int) -> tuple[str, Tensor]:
    """The transform a key draws, and its parameters for n images, [4, n] on the CPU."""
    name = augment.transforms[key.fold("transform").integer(0, len(augment.transforms))]
    return name, key.fold(name).uniform(4, n)


def _color(x: Tensor, u: Tensor) -> Tensor:
    brightness, saturation, contrast = u[:3].view(3, -1, 1, 1, 1).unbind()
    x = x + (brightness - 0.5) * _BRIGHTNESS
    grey = x.mean(1, keepdim=True)
    x = (x - grey) * (saturation * _SATURATION) + grey
    level = x.mean((1, 2, 3), keepdim=True)
    return (x - level) * (contrast + _CONTRAST) + level


def _crop(x: Tensor, u: Tensor) -> Tensor:
    """Shift by up to an eighth of the side, filling with zeros."""
    height, width = x.shape[2:]
    reach_y, reach_x = int(height * _SHIFT + 0.5), int(width * _SHIFT + 0.5)
    dy = (u[0] * (2 * reach_y + 1)).long().clamp_(max=2 * reach_y)
    dx = (u[1] * (2 * reach_x + 1)).long().clamp_(max=2 * reach_x)
    padded = F.pad(x, (reach_x, reach_x, reach_y, reach_y))
    image = torch.arange(len(x), device=x.device)[:, None, None]
    rows = torch.arange(height, device=x.device)[None, :, None] + dy[:, None, None]
    columns = torch.arange(width, device=x.device)[None, None, :] + dx[:, None, None]
    return padded.permute(0, 2, 3, 1)[image, rows, columns].permute(0, 3, 1, 2).contiguous()


def _cutout(x: Tensor, u: Tensor) -> Tensor:
    """A square hole of half the side, centred anywhere; it may stick out of the image."""
    return x * (1 - _inside(u[0], x.shape[2]).unsqueeze(2) * _inside(u[1], x.shape[3]).unsqueeze(1)).unsqueeze(1)


def _inside(u: Tensor, side: int) -> Tensor:
    """1 where a coordinate of a line of `side` pixels lies in the hole, [B, side]."""
    hole = int(side * _CUTOUT + 0.5)
    places = side + (1 - hole % 2)
    start = (u * places).long().clamp_(max=places - 1) - hole // 2
    position = torch.arange(side, device=u.device)[None]
    return ((position >= start[:, None]) & (position < start[:, None] + hole)).to(u.dtype)


def _flip(x: Tensor, u: Tensor) -> Tensor:
    return torch.where((u[0] < 0.5).view(-1, 1, 1, 1), x.flip(3), x)


def _scale(x: Tensor, u: Tensor) -> Tensor:
    low, high = 1 / _SCALE, _SCALE
    sx, sy = low + (high - low) * u[0], low + (high - low) * u[1]
    zero = torch.zeros_like(sx)
    return _warp(x, torch.stack((sx, zero, zero, zero, sy, zero), 1))


def _rotate(x: Tensor, u: Tensor) -> Tensor:
    angle = (u[0] - 0.5) * 2 * math.radians(_DEGREES)
    sin, cos, zero = angle.sin(), angle.cos(), torch.zeros_like(angle)
    return _warp(x, torch.stack((cos, -sin, zero, sin, cos, zero), 1))


def _warp(x: Tensor, matrix: Tensor) -> Tensor:
    grid = F.affine_grid(matrix.view(-1, 2, 3), list(x.shape), align_corners=True)
    return F.grid_sample(x, grid, align_corners=True)


_TRANSFORMS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "color": _color,
    "crop": _crop,
    "cutout": _cutout,
    "flip": _flip,
    "scale": _scale,
    "rotate": _rotate,
}
