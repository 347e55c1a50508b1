"""Pixels to the space the networks see, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from core.recipe import MeanStd, Preprocess, Unprocessed, Zca

_BATCH = 4096  # images whitened at a time
_ROUNDING = 1e-3  # of the range of a pixel, a quarter of a level of 8 bits
_PULLS = 30  # steps to the nearest pixels; more bring them closer by less than a thousandth of the distance left


@dataclass(frozen=True)
class Transform:
    """A fitted preprocessing, as data.

    mean_std: mean and std [C]. zca: mean [D], whiten and unwhiten [D, D] with D = C * H * W. none: nothing.
    `pixels` says that it is of uint8 pixels, which are brought into [0, 1] before; else it is of numbers as they are.
    """

    kind: str
    arrays: dict[str, Tensor] = field(default_factory=dict)
    pixels: bool = True

    def forward(self, pixels: Tensor) -> Tensor:
        """uint8 or float32 [N, C, H, W] to float32 of the same shape."""
        x = pixels.float() / 255 if self.pixels else pixels
        a = self.arrays
        match self.kind:
            case "mean_std":
                return (x - a["mean"].view(-1, 1, 1)) / a["std"].view(-1, 1, 1)
            case "zca":
                return torch.cat([self._mix(chunk, "whiten") for chunk in x.split(_BATCH)])
            case _:
                return x

    def inverse(self, images: Tensor) -> Tensor:
        """The pixels uint8 whose images are nearest to these [N, C, H, W], or the numbers of the source, float32.

        Standardised images are clipped, pixel by pixel, to the range that pixels have. Of whitened ones that leaves
        much less than could be had: what they have of coarse shapes is large in pixels and small to a network, and
        clipping it bends the fine detail that a network sees best. They become the pixels within the range whose
        whitened images have the least squared distance to them; one that lies within it is rounded alone.
        """
        values = self._values(images)
        if not self.pixels:
            return values
        if self.kind == "zca":
            values = self._nearest(images, values)
        return (values * 255).round().clamp(0, 255).to(torch.uint8)

    def clipped(self, images: Tensor) -> float:
        """The share of the values of images [N, C, H, W] that uint8 pixels cannot have; numbers may have any value."""
        if not self.pixels:
            return 0.0
        x = (self._values(images) * 255).round()
        return float(((x < 0) | (x > 255)).float().mean())

    def _values(self, images: Tensor) -> Tensor:
        """Pixels as numbers of any size, 1 for white, or the numbers of the source, float32."""
        a = self.arrays
        match self.kind:
            case "mean_std":
                return images * a["std"].view(-1, 1, 1) + a["mean"].view(-1, 1, 1)
            case "zca":
                return (images.flatten(1) @ a["unwhiten"] + a["mean"]).view_as(images)
            case _:
                return images

    def _nearest(self, images: Tensor, values: Tensor) -> Tensor:
        """Pixels in [0, 1] nearest to whitened images, of which `values` are those that may lie outside.

        Accelerated projected gradient (Beck & Teboulle 2009) of || (p - mean) W - x ||^2 over p in [0, 1].
        """
        outside = ((values - 0.5).abs() > 0.5 + _ROUNDING).flatten(1).any(1).nonzero().flatten()
        if not len(outside):
            return values
        whiten, mean, found = self.arrays["whiten"], self.arrays["mean"], values.clone()
        rate = 1 / _largest(whiten) ** 2
        for chosen in outside.split(_BATCH):
            goal, here = images[chosen].flatten(1), values[chosen].flatten(1).clamp(0, 1)
            ahead, momentum = here, 1.0
            for _ in range(_PULLS):
                last, here = here, (ahead - rate * ((ahead - mean) @ whiten - goal) @ whiten).clamp(0, 1)
                before, momentum = momentum, (1 + math.sqrt(1 + 4 * momentum**2)) / 2
                ahead = here + (before - 1) / momentum * (here - last)
            found[chosen] = here.view(-1, *images.shape[1:])
        return found

    def clamp(self, images: Tensor) -> Tensor:
        """Images [N, C, H, W] whose every pixel is brought into [0, 1], in the space of the networks.

        Whitened images are clamped as the pixels that they stand for, and whitened again; one that rounding alone takes
        out of the range stays as it is, to the bit.
        """
        a = self.arrays
        match self.kind:
            case "mean_std":
                mean, std = a["mean"].view(-1, 1, 1), a["std"].view(-1, 1, 1)
                return images.maximum(-mean / std).minimum((1 - mean) / std)
            case "zca":
                pixels = (images.flatten(1) @ a["unwhiten"] + a["mean"]).view_as(images)
                inside = ((pixels - 0.5).abs() <= 0.5 + _ROUNDING).flatten(1).all(1)
                return torch.where(inside.view(-1, 1, 1, 1), images, self._mix(pixels.clamp(0, 1), "whiten"))
            case _:
                return images.clamp(0, 1)

    def _mix(self, x: Tensor, matrix: str) -> Tensor:
        return ((x.flatten(1) - self.arrays["mean"]) @ self.arrays[matrix]).view_as(x)


def _largest(matrix: Tensor) -> float:
    """A number above the largest eigenvalue of a positive matrix [D, D], by some per cent: twenty powers of it."""
    direction = matrix[matrix.diagonal().argmax()]
    for _ in range(20):
        direction = matrix @ (direction / direction.norm())
    return 1.05 * float(direction.norm())


def fit(preprocess: Preprocess, pixels: Tensor) -> Transform:
    """Fit on training pixels, uint8 [N, C, H, W]; everything is computed in float64 and kept in float32.

    Numbers, float32, may have any scale: each channel is divided by its own standard deviation, however small.
    """
    if pixels.dtype != torch.uint8:
        return _fit_numbers(preprocess, pixels)
    match preprocess:
        case MeanStd():
            flat = pixels.transpose(0, 1).flatten(1)
            # by channel, so that float64 needs room for one of them only
            stats = [torch.std_mean(channel.double() / 255) for channel in flat]
            std = torch.stack([s for s, _ in stats]).clamp_min(1e-3).float()
            return Transform("mean_std", {"mean": torch.stack([m for _, m in stats]).float(), "std": std})
        case Zca(eps=eps):
            return _fit_zca(pixels, eps)
        case Unprocessed():
            return Transform("none")


def _fit_numbers(preprocess: Preprocess, values: Tensor) -> Transform:
    """Standardisation of each channel of values [N, C, H, W], or nothing."""
    assert not preprocess.mixes_pixels, "whitening of numbers is refused with its recipe"
    if isinstance(preprocess, Unprocessed):
        return Transform("none", pixels=False)
    std, mean = torch.std_mean(values.double().transpose(0, 1).flatten(1), 1)
    std = torch.where(std > 0, std, 1.0)  # constant in what validation has left of it
    return Transform("mean_std", {"mean": mean.float(), "std": std.float()}, pixels=False)


def _fit_zca(pixels: Tensor, eps: float) -> Transform:
    """W = U diag((S + eps)^-1/2) U^T of the unbiased covariance of images in [0, 1]."""
    n, size = len(pixels), pixels[0].numel()
    total, square = torch.zeros(size, dtype=torch.float64), torch.zeros(size, size, dtype=torch.float64)
    for chunk in pixels.cpu().flatten(1).split(_BATCH):
        x = chunk.double() / 255
        total += x.sum(0)
        square += x.T @ x
    mean = total / n
    covariance = (square - n * torch.outer(mean, mean)) / (n - 1)
    values, vectors = torch.linalg.eigh(covariance)
    scale = (values.clamp_min(0) + eps).sqrt()
    whiten, unwhiten = (vectors / scale) @ vectors.T, (vectors * scale) @ vectors.T
    arrays = {"mean": mean, "whiten": whiten, "unwhiten": unwhiten}
    return Transform("zca", {name: value.float().to(pixels.device) for name, value in arrays.items()})
