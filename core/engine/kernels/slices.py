"""A step in slices of its batch, so that what lies between a convolution and its pooling stays in the cache.

The mean over a batch is that over its slices, all of one size, and so are the derivatives in the parameters; those in
images and labels lie side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine.kernels.passes import Kept
from core.engine.kernels.step import Adjoint


class Slice(NamedTuple):
    """Some images of a batch [b, C, H, W], or of each student's [S, b, C, H, W], and their labels [b, K]."""

    images: Tensor
    labels: Tensor


class Sliced(NamedTuple):
    """The residuals of each slice, which its adjoint reads."""

    each: tuple[Kept, ...]


def slices(images: Tensor, labels: Tensor, size: int) -> list[Slice]:
    """The slices of a batch; the whole one where it is no larger."""
    if labels.shape[-2] == size:
        return [Slice(images, labels)]
    return [Slice(*each) for each in zip(images.split(size, -4), labels.split(size, -2), strict=True)]


def filled(images: Tensor, size: int) -> list[Tensor]:
    """Parts of the images [B, C, H, W] that all have one size: the last one is filled up with noughts."""
    short = -len(images) % size
    return list((F.pad(images, (*(0, 0) * 3, 0, short)) if short else images).split(size))


def mean(each: Sequence[Tensor]) -> Tensor:
    """The mean of tensors of one shape."""
    return each[0] if len(each) == 1 else torch.stack([*each]).mean(0)


def joined(each: Sequence[Adjoint]) -> Adjoint:
    """The adjoint of a batch's step, from those of its slices' steps."""
    if len(each) == 1:
        return each[0]
    along, theta, images, labels = zip(*each, strict=True)
    return Adjoint(mean(along), mean(theta), torch.cat(images) / len(each), torch.cat(labels) / len(each))
