"""Sample labelled images from the generator in this folder. Needs PyTorch and safetensors; nothing is ever unpickled.

python generate.py more.npz --ipc 100 --seed 1      writes x_train uint8, y_train and class_names, class by class

from generate import load
generator = load()
labels = torch.arange(10).repeat_interleave(100)
images = generator.draw(labels, seed=1)             float32 [n, C, H, W], in the space of `dataset.safetensors`

Class-conditional latent diffusion: noise z_1 is led back to a latent z_0 by a denoiser eps(z_t, t, y), with
z_t = alpha_t z_0 + sigma_t eps, and the latent is decoded to an image. The denoiser is a U-ViT (Bao et al., "All are
Worth Words", CVPR 2023), guided without a classifier (Ho & Salimans 2022): (1 + s) eps(z, t, y) - s eps(z, t, null).
The way back is DPM-Solver++(2M) (Lu et al. 2022, arXiv 2211.01095, algorithm 2).

This file stands alone, so that whoever has it and `generator.safetensors` needs nothing else of the project. The solver
is written out for the same reason: `diffusers` has it too, and takes 8 seconds of processor time to import, twice as
long as PyTorch, with a client of a model hub among its dependencies.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, final

import torch
import torch.nn.functional as F
from torch import Tensor

HERE = Path(__file__).resolve().parent
BATCH = 256
"""Images sampled at a time."""

Weights = Mapping[str, Tensor]
Layout = dict[str, tuple[int, ...]]

_LEAST, _MOST = 0.1, 20.0  # of the noise added in a unit of time (Song et al. 2021, the variance preserving process)
_END = 1e-3  # time at which what is left of the noise no longer matters
_GROUPS = 8  # of the autoencoder's norms


@final
@dataclass(frozen=True)
class Architecture:
    """The sizes of autoencoder and denoiser; with a `factor` of 1 the latents are the images themselves."""

    image: tuple[int, int, int]
    """(channels, height, width)."""
    classes: int
    factor: int
    """Pixels along each side of an image to one of its latent."""
    channels: int
    """The number of a latent's channels."""
    autoencoder_width: int
    patch: int
    """Side of the square of a latent that is one token."""
    width: int
    """Numbers of a token."""
    depth: int
    """Transformer blocks, an odd number: in, middle, out."""
    heads: int
    predicts: Literal["noise", "velocity"]

    @property
    def padded(self) -> tuple[int, int]:
        """Sides of an image after repeating its border, so that it can be cut into patches of latents."""
        unit = self.factor * self.patch
        return -(-self.image[1] // unit) * unit, -(-self.image[2] // unit) * unit

    @property
    def latent(self) -> tuple[int, int, int]:
        """Shape of a latent."""
        height, width = self.padded
        return self.channels, height // self.factor, width // self.factor

    @property
    def tokens(self) -> int:
        """Patches of a latent, without the tokens of time and class."""
        return self.latent[1] * self.latent[2] // self.patch**2


def denoiser_layout(a: Architecture) -> Layout:
    """Names and shapes of the denoiser's parameters, in the order in which they lie in theta."""
    d, cut = a.width, a.channels * a.patch**2
    layout: Layout = {
        "patch.weight": (d, cut),
        "patch.bias": (d,),
        "label": (a.classes + 1, d),
        "position": (a.tokens + 2, d),
    }
    for name in _blocks(a):
        if name.startswith("out"):
            layout |= {f"{name}.skip.weight": (d, 2 * d), f"{name}.skip.bias": (d,)}
        layout |= {f"{name}.norm1.weight": (d,), f"{name}.norm1.bias": (d,), f"{name}.qkv.weight": (3 * d, d)}
        layout |= {f"{name}.proj.weight": (d, d), f"{name}.proj.bias": (d,)}
        layout |= {f"{name}.norm2.weight": (d,), f"{name}.norm2.bias": (d,)}
        layout |= {f"{name}.mlp1.weight": (4 * d, d), f"{name}.mlp1.bias": (4 * d,)}
        layout |= {f"{name}.mlp2.weight": (d, 4 * d), f"{name}.mlp2.bias": (d,)}
    layout |= {"norm.weight": (d,), "norm.bias": (d,), "head.weight": (cut, d), "head.bias": (cut,)}
    return layout | {"final.weight": (a.channels, a.channels, 3, 3), "final.bias": (a.channels,)}


def decoder_layout(a: Architecture) -> Layout:
    """The same of the autoencoder's half that makes images of latents; none where the latents are the images."""
    if a.factor == 1:
        return {}
    w = a.autoencoder_width
    layout = _convolution("decoder.in", a.channels, w)
    for level in range(a.factor.bit_length() - 1):
        layout |= residual_layout(f"decoder.res{level}", w) | _convolution(f"decoder.up{level}", w, w)
    layout |= {"decoder.norm.weight": (w,), "decoder.norm.bias": (w,)}
    return layout | _convolution("decoder.out", w, a.image[0])


def residual_layout(name: str, w: int) -> Layout:
    """The layout of a residual block: norm, SiLU and convolution, twice."""
    layout: Layout = {}
    for place in "12":
        layout |= {f"{name}.norm{place}.weight": (w,), f"{name}.norm{place}.bias": (w,)}
        layout |= _convolution(f"{name}.conv{place}", w, w)
    return layout


def unflatten(theta: Tensor, layout: Layout) -> dict[str, Tensor]:
    """Views of theta [P] by name."""
    pieces = theta.split([math.prod(shape) for shape in layout.values()])
    return {name: piece.view(shape) for (name, shape), piece in zip(layout.items(), pieces, strict=True)}


def denoise(p: Weights, a: Architecture, z: Tensor, t: Tensor, labels: Tensor) -> Tensor:
    """The prediction for latents z [B, c, h, w] at times t [B], of classes labels [B]; class K stands for none.

    The noise eps in them, or the velocity alpha eps - sigma z_0.
    """
    height, width = z.shape[2] // a.patch, z.shape[3] // a.patch
    cut = F.pixel_unshuffle(z, a.patch).flatten(2).transpose(1, 2)
    patches = F.linear(cut, p["patch.weight"], p["patch.bias"])
    x = torch.cat([_time(t, a.width)[:, None], p["label"][labels][:, None], patches], 1) + p["position"]
    kept: list[Tensor] = []
    for name in _blocks(a):
        if name.startswith("out"):
            x = F.linear(torch.cat([x, kept.pop()], -1), p[f"{name}.skip.weight"], p[f"{name}.skip.bias"])
        x = _block(p, name, x, a.heads)
        if name.startswith("in"):
            kept.append(x)
    x = F.layer_norm(x, (a.width,), p["norm.weight"], p["norm.bias"])[:, 2:]
    x = F.linear(x, p["head.weight"], p["head.bias"]).transpose(1, 2).unflatten(2, (height, width))
    return F.conv2d(F.pixel_shuffle(x, a.patch), p["final.weight"], p["final.bias"], padding=1)


def decode(p: Weights, a: Architecture, latents: Tensor) -> Tensor:
    """Images [B, C, H, W] of latents [B, c, h, w]."""
    if a.factor > 1:
        x = convolve(p, "decoder.in", latents)
        for level in range(a.factor.bit_length() - 1):
            x = F.interpolate(residual(p, f"decoder.res{level}", x), scale_factor=2.0, mode="nearest")
            x = convolve(p, f"decoder.up{level}", x)
        latents = convolve(p, "decoder.out", activated(p, "decoder.norm", x))
    top, left = ((a.padded[axis] - a.image[axis + 1]) // 2 for axis in (0, 1))
    return latents[:, :, top : top + a.image[1], left : left + a.image[2]]


def residual(p: Weights, name: str, x: Tensor) -> Tensor:
    """A residual block."""
    y = convolve(p, f"{name}.conv1", activated(p, f"{name}.norm1", x))
    return x + convolve(p, f"{name}.conv2", activated(p, f"{name}.norm2", y))


def activated(p: Weights, name: str, x: Tensor) -> Tensor:
    """Group norm, SiLU."""
    groups = math.gcd(_GROUPS, x.shape[1])
    return F.silu(F.group_norm(x, groups, p[f"{name}.weight"], p[f"{name}.bias"]))


def convolve(p: Weights, name: str, x: Tensor, stride: int = 1) -> Tensor:
    """A 3x3 convolution."""
    return F.conv2d(x, p[f"{name}.weight"], p[f"{name}.bias"], stride=stride, padding=1)


class Point(NamedTuple):
    """A time, and the shares of latent and noise at it: z_t = alpha z_0 + sigma eps."""

    t: float
    alpha: float
    sigma: float

    @property
    def log_snr(self) -> float:
        """Half the logarithm of the ratio of their squares."""
        return math.log(self.alpha / self.sigma)


def signal(t: Tensor) -> tuple[Tensor, Tensor]:
    """alpha and sigma at times t in [0, 1]; their squares sum to 1."""
    logarithm = -0.25 * t**2 * (_MOST - _LEAST) - 0.5 * t * _LEAST
    return logarithm.exp(), (-torch.expm1(2 * logarithm)).sqrt()


def points(n: int) -> list[Point]:
    """n points from pure noise to the end, evenly spaced in the logarithm of signal over noise."""
    ends = [Point(t, *(float(s) for s in signal(torch.tensor(t, dtype=torch.float64)))) for t in (1.0, _END)]
    if n == 1:
        return ends[:1]
    first, last = (end.log_snr for end in ends)
    found = []
    for i in range(n):
        log_alpha = -0.5 * math.log1p(math.exp(-2 * (first + (last - first) * i / (n - 1))))
        t = (math.sqrt(_LEAST**2 - 4 * (_MOST - _LEAST) * log_alpha) - _LEAST) / (_MOST - _LEAST)
        found.append(Point(t, math.exp(log_alpha), math.sqrt(-math.expm1(2 * log_alpha))))
    return found


def solve(clean: Callable[[Tensor, Point], Tensor], z: Tensor, path: Sequence[Point]) -> Tensor:
    """DPM-Solver++(2M): the latents that noise z at the first point of a path is led back to.

    `clean` predicts z_0 from z at a point; it is asked once a point, and the last answer is the result.
    """
    before, step_before = None, 0.0
    for here, there in itertools.pairwise(path):
        found, step = clean(z, here), there.log_snr - here.log_snr
        ahead = found
        if before is not None:  # extrapolated from the two last predictions
            ratio = step / (2 * step_before)
            ahead = (1 + ratio) * found - ratio * before
        z = there.sigma / here.sigma * z - there.alpha * math.expm1(-step) * ahead
        before, step_before = found, step
    return clean(z, path[-1])


@final
@dataclass(frozen=True, eq=False)
class Generator:
    """A trained generator. `weights` are those of the denoiser and the decoder, and mean and std [c] of the latents.

    `limit` is the largest modulus of a normalised latent of a real image: no prediction goes beyond it.
    """

    architecture: Architecture
    weights: Weights
    guidance: float
    steps: int
    limit: float

    @property
    def parameters(self) -> int:
        """Numbers in its weights."""
        return sum(tensor.numel() for tensor in self.weights.values())

    def sample(self, labels: Tensor, noise: Tensor) -> Tensor:
        """Images float32 [n, C, H, W] of classes labels [n], led back from noise [n, c, h, w].

        Raises:
            ValueError: it was trained on fewer classes.
        """
        known = self.architecture.classes
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < known:
            raise ValueError(f"This generator knows {known} classes: let labels be from 0 to {known - 1}.")
        with torch.no_grad():
            pairs = zip(labels.split(BATCH), noise.split(BATCH), strict=True)
            return torch.cat([self._led_back(y, z) for y, z in pairs])

    def draw(self, labels: Tensor, seed: int) -> Tensor:
        """The same from noise that a seed draws."""
        noise = torch.randn(len(labels), *self.architecture.latent, generator=torch.Generator().manual_seed(seed))
        return self.sample(labels, noise.to(labels.device))

    def _led_back(self, labels: Tensor, z: Tensor) -> Tensor:
        a, p, s = self.architecture, self.weights, self.guidance
        none = torch.full_like(labels, a.classes)

        def clean(z: Tensor, here: Point) -> Tensor:
            t = torch.full((len(z),), here.t, device=z.device)
            if s:
                both = denoise(p, a, torch.cat([z, z]), torch.cat([t, t]), torch.cat([labels, none]))
                own, free = both.chunk(2)
                said = (1 + s) * own - s * free
            else:
                said = denoise(p, a, z, t, labels)
            if a.predicts == "noise":
                latent = (z - here.sigma * said) / here.alpha
            else:
                latent = here.alpha * z - here.sigma * said
            return latent.clamp(-self.limit, self.limit)

        latents = solve(clean, z, points(self.steps))
        mean, std = (p[name][:, None, None] for name in ("latent.mean", "latent.std"))
        return decode(p, a, latents * std + mean)


def load(folder: Path | str = HERE, device: str = "cpu") -> Generator:
    """Read `generator.safetensors` from `folder`, the one this file lies in unless told otherwise."""
    return read(Path(folder, "generator.safetensors"), device)


def read(path: Path, device: str) -> Generator:
    """The generator of a file."""
    from safetensors import safe_open

    with safe_open(path, framework="pt", device=device) as file:
        about = json.loads(file.metadata()["stillhouse"])
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
    about["architecture"]["image"] = tuple(about["architecture"]["image"])
    return Generator(Architecture(**about.pop("architecture")), weights, **about)


def _blocks(a: Architecture) -> list[str]:
    half = a.depth // 2
    return [*(f"in{i}" for i in range(half)), "middle", *(f"out{i}" for i in range(half))]


def _block(p: Weights, name: str, x: Tensor, heads: int) -> Tensor:
    width = (x.shape[-1],)
    y = F.layer_norm(x, width, p[f"{name}.norm1.weight"], p[f"{name}.norm1.bias"])
    parts = F.linear(y, p[f"{name}.qkv.weight"]).unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4)
    y = F.scaled_dot_product_attention(parts[0], parts[1], parts[2]).transpose(1, 2).flatten(2)
    x = x + F.linear(y, p[f"{name}.proj.weight"], p[f"{name}.proj.bias"])
    y = F.layer_norm(x, width, p[f"{name}.norm2.weight"], p[f"{name}.norm2.bias"])
    y = F.gelu(F.linear(y, p[f"{name}.mlp1.weight"], p[f"{name}.mlp1.bias"]))
    return x + F.linear(y, p[f"{name}.mlp2.weight"], p[f"{name}.mlp2.bias"])


def _time(t: Tensor, width: int) -> Tensor:
    """Cosines and sines of 1,000 t at geometrically spaced frequencies, [B, width]."""
    frequencies = torch.exp(-math.log(10_000) * torch.arange(width // 2, device=t.device) / (width // 2))
    angles = 1000 * t[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], 1)


def _convolution(name: str, inputs: int, outputs: int) -> Layout:
    return {f"{name}.weight": (outputs, inputs, 3, 3), f"{name}.bias": (outputs,)}


def foreign(a: Architecture, classes: int, image: Sequence[int]) -> str | None:
    """Why a generator is not that of a dataset of so many classes and images of that shape; None where it may be."""
    if (a.classes, a.image) == (classes, tuple(image)):
        return None
    own, other = (f"{k} classes of images {c} x {h} x {w}" for k, (c, h, w) in ((a.classes, a.image), (classes, image)))
    return f"generator.safetensors is of {own}, the dataset of {other}: keep the files of an artifact together."


def main() -> None:
    """Write images of every class into an npz file."""
    import numpy as np
    from load import load as load_dataset  # of the same folder

    parser = argparse.ArgumentParser(description="Sample labelled images from the generator in this folder.")
    parser.add_argument("out", type=Path, help="the npz file to write")
    parser.add_argument("--ipc", type=int, default=100, help="images of each class")
    parser.add_argument("--seed", type=int, default=0, help="other seeds give other images")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda")
    options = parser.parse_args()
    generator, dataset = load(device=options.device), load_dataset()
    if told := foreign(generator.architecture, len(dataset.class_names), dataset.images.shape[1:]):
        parser.error(told)
    labels = torch.arange(generator.architecture.classes).repeat_interleave(options.ipc)
    images = generator.draw(labels.to(options.device), options.seed)
    pixels = dataset.to_pixels(images.cpu().numpy()).transpose(0, 2, 3, 1)
    pixels = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    names = np.array(dataset.class_names)
    np.savez(options.out, allow_pickle=False, x_train=pixels, y_train=labels.numpy(), class_names=names)


if __name__ == "__main__":
    main()
