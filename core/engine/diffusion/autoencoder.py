"""The half of the autoencoder that artifacts do without: from images to latents, and the loss both halves learn by."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine.diffusion.generator import (
    Architecture,
    Layout,
    Weights,
    activated,
    convolve,
    decode,
    decoder_layout,
    residual,
    residual_layout,
)


def layout(a: Architecture) -> Layout:
    """Names and shapes of the parameters of both halves, in the order in which they lie in theta."""
    if a.factor == 1:
        return {}
    w, found = a.autoencoder_width, dict[str, tuple[int, ...]]()
    sizes = {"in": (a.image[0], w), "out": (w, 2 * a.channels)}
    sizes |= {f"down{level}": (w, w) for level in range(a.factor.bit_length() - 1)}
    for name, (inputs, outputs) in sizes.items():
        found |= {f"encoder.{name}.weight": (outputs, inputs, 3, 3), f"encoder.{name}.bias": (outputs,)}
        if name.startswith("down"):
            found |= residual_layout(f"encoder.res{name[4:]}", w)
    found |= {"encoder.norm.weight": (w,), "encoder.norm.bias": (w,)}
    return found | decoder_layout(a)


def padded(a: Architecture, images: Tensor) -> Tensor:
    """Images [B, C, H, W] with their border repeated until they can be cut into patches of latents."""
    missing = [side - own for side, own in zip(a.padded, a.image[1:], strict=True)]
    if not any(missing):
        return images
    (top, left), (height, width) = ((gap // 2 for gap in missing), missing)
    return F.pad(images, (left, width - left, top, height - top), mode="replicate")


def encode(p: Weights, a: Architecture, images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and logarithm of the variance of the latents [B, c, h, w] of images [B, C, H, W]."""
    x = convolve(p, "encoder.in", padded(a, images))
    for level in range(a.factor.bit_length() - 1):
        x = residual(p, f"encoder.res{level}", convolve(p, f"encoder.down{level}", x, stride=2))
    mean, spread = convolve(p, "encoder.out", activated(p, "encoder.norm", x)).chunk(2, 1)
    return mean, spread.clamp(-20, 10)


def latents(p: Weights, a: Architecture, images: Tensor) -> Tensor:
    """The latents that stand for images: the means, or the padded images themselves where there is no autoencoder."""
    return padded(a, images) if a.factor == 1 else encode(p, a, images)[0]


def loss(p: Weights, a: Architecture, images: Tensor, noise: Tensor, kl: float) -> Tensor:
    """Mean squared error of a pixel plus `kl` times the mean divergence of a latent's number from N(0, 1)."""
    mean, spread = encode(p, a, images)
    error = (decode(p, a, mean + (0.5 * spread).exp() * noise) - images).square().mean()
    divergence = 0.5 * (mean.square() + spread.exp() - 1 - spread).mean()
    return error + kl * divergence


def initial(own: Layout, draws: Tensor) -> Tensor:
    """theta [P] from standard normal draws [P]: He's scale for convolutions, unit norms, zero biases."""
    parts = []
    for (name, shape), draw in zip(own.items(), draws.split([_size(s) for s in own.values()]), strict=True):
        if ".norm" in name:
            parts.append(torch.ones_like(draw) if name.endswith("weight") else torch.zeros_like(draw))
        elif name.endswith("bias"):
            parts.append(torch.zeros_like(draw))
        else:
            small = 0.1 if ".conv2" in name else 1.0  # residual blocks begin close to doing nothing
            parts.append(draw * small * (2 / (shape[1] * 9)) ** 0.5)
    return torch.cat(parts)


def _size(shape: tuple[int, ...]) -> int:
    return torch.Size(shape).numel()
