"""Pixels to the space the networks see, and back."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from core.recipe import MeanStd, Preprocess, Unprocessed, Zca

_BATCH = 4096  # images whitened at a time
_ROUNDING = 1e-3  # of the range of a pixel, a quarter of a level of 8 bits


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
        """Back to uint8 pixels, rounded and clipped, or to the numbers of the source, float32."""
        values = self._values(images)
        return values.clamp(0, 255).to(torch.uint8) if self.pixels else values

    def clipped(self, images: Tensor) -> float:
        """The share of the values of images [N, C, H, W] that uint8 pixels clip; numbers are never clipped."""
        if not self.pixels:
            return 0.0
        x = self._values(images)
        return float(((x < 0) | (x > 255)).float().mean())

    def _values(self, images: Tensor) -> Tensor:
        """Pixels as whole numbers of any size, or the numbers of the source, float32."""
        a = self.arrays
        match self.kind:
            case "mean_std":
                x = images * a["std"].view(-1, 1, 1) + a["mean"].view(-1, 1, 1)
            case "zca":
                x = (images.flatten(1) @ a["unwhiten"] + a["mean"]).view_as(images)
            case _:
                x = images
        return (x * 255).round() if self.pixels else x

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
