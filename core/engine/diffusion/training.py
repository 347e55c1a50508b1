"""Training a generator: first the autoencoder, then the denoiser of its latents; a generator that yields every step.

A progress and the arguments of `train` determine everything that follows: a training resumed from a stored progress
equals, bit for bit, one that never stopped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from core.engine.diffusion import autoencoder
from core.engine.diffusion.generator import (
    Architecture,
    Generator,
    Weights,
    decoder_layout,
    denoise,
    denoiser_layout,
    signal,
    unflatten,
)
from core.engine.distill import Diverged
from core.engine.keys import Key
from core.engine.optimise import Adam
from core.engine.real import Labelled
from core.recipe import Generative, KlAutoencoder

SCALED_ON = 2048
"""Real images, at most, whose latents are normalised to mean 0 and variance 1."""

_BETA_1 = 0.99  # of AdamW; beta_2 is 0.999
_EARLIEST = 1e-3  # time drawn at least


@dataclass(frozen=True)
class Progress:
    """Training between two steps; theta, its moments and its running mean are vectors [P].

    `autoencoder` are the parameters of the one that is done, empty before that and where there is none.
    """

    stage: Literal["autoencoder", "denoiser"]
    step: int
    theta: Tensor
    first: Tensor
    second: Tensor
    average: Tensor
    autoencoder: Tensor
    loss: float = float("nan")


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of the latents' channels [c], and the largest modulus after normalising."""

    mean: Tensor
    std: Tensor
    limit: float

    def normal(self, latents: Tensor) -> Tensor:
        """Latents with mean 0 and variance 1."""
        return (latents - self.mean[:, None, None]) / self.std[:, None, None]


def architecture(wanted: Generative, shape: tuple[int, int, int], classes: int) -> Architecture:
    """The architecture of a recipe's generator, for images of a shape."""
    own = wanted.autoencoder
    made = (own.channels, own.width) if isinstance(own, KlAutoencoder) else (shape[0], 0)
    return Architecture(
        image=shape,
        classes=classes,
        factor=own.factor,
        channels=made[0],
        autoencoder_width=made[1],
        patch=wanted.denoiser.patch,
        width=wanted.denoiser.width,
        depth=wanted.denoiser.depth,
        heads=wanted.denoiser.heads,
        predicts=wanted.denoiser.predicts,
    )


def begin(wanted: Generative, a: Architecture, key: Key, device: torch.device) -> Progress:
    """Training before its first step."""
    if a.factor == 1:
        return _denoising(a, key, torch.empty(0, device=device))
    own = autoencoder.layout(a)
    theta = autoencoder.initial(own, key.fold("autoencoder").normal(_size(own))).to(device)
    still = torch.zeros_like(theta)
    return Progress("autoencoder", 0, theta, still, still, theta, torch.empty(0, device=device))


def train(
    wanted: Generative, a: Architecture, real: Labelled, key: Key, progress: Progress, mirror: bool
) -> Iterator[Progress]:
    """Yield the progress after every step, from `progress` to the end of the denoiser's training.

    Args:
        wanted, a: the generator.
        real: the images it learns from.
        key: draws everything that is drawn.
        progress: where to go on; `begin` gives the first.
        mirror: whether half of the images are mirrored, where they stay what they are.

    Raises:
        Diverged: the loss was not finite.
    """
    if progress.stage == "autoencoder":
        own = wanted.autoencoder
        assert isinstance(own, KlAutoencoder), "only an autoencoder that learns has a stage of its own"
        names = autoencoder.layout(a)

        def reconstruction(theta: Tensor, draw: Key) -> Tensor:
            images, _ = batch(real, own.batch_size, mirror, draw)
            noise = draw.fold("noise").normal(len(images), *a.latent).to(images.device)
            return autoencoder.loss(unflatten(theta, names), a, images, noise, own.kl)

        def rate(step: int) -> float:
            return own.lr * _cosine(step, own.steps)

        while progress.step < own.steps:
            progress = _step(progress, reconstruction, rate, 0.0, 0.99, key, "objective.autoencoder.lr")
            yield progress
        progress = _denoising(a, key, progress.average)
    yield from _train_denoiser(wanted, a, real, key, progress, mirror)


def _train_denoiser(
    wanted: Generative, a: Architecture, real: Labelled, key: Key, progress: Progress, mirror: bool
) -> Iterator[Progress]:
    own, names = wanted.denoiser, denoiser_layout(a)
    p = unflatten(progress.autoencoder, autoencoder.layout(a))
    normalised = scale(p, a, real)

    def error(theta: Tensor, draw: Key) -> Tensor:
        images, labels = batch(real, own.batch_size, mirror, draw)
        with torch.no_grad():
            clean = normalised.normal(autoencoder.latents(p, a, images))
        labels = unlabelled(labels, a.classes, own.unlabelled, draw.fold("unlabelled"))
        # One time in each of B equal parts: uniform like independent ones, and the loss varies less.
        u = (torch.arange(len(labels)) + draw.fold("time").uniform(len(labels))) / len(labels)
        t = (_EARLIEST + (1 - _EARLIEST) * u).to(clean.device)
        noise = draw.fold("noise").normal(*clean.shape).to(clean.device)
        alpha, sigma = (share[:, None, None, None] for share in signal(t))
        target = noise if a.predicts == "noise" else alpha * noise - sigma * clean
        found = denoise(unflatten(theta, names), a, alpha * clean + sigma * noise, t, labels)
        return (found - target).square().mean()

    def rate(step: int) -> float:
        return own.lr * min(1.0, (step + 1) / max(1, own.warmup)) * _cosine(step, own.steps)

    while progress.step < own.steps:
        progress = _step(progress, error, rate, own.weight_decay, own.ema, key, "objective.denoiser.lr")
        yield progress


def finished(wanted: Generative, a: Architecture, real: Labelled, progress: Progress) -> Generator:
    """The generator at the end of its training."""
    p = unflatten(progress.autoencoder, autoencoder.layout(a))
    normalised = scale(p, a, real)
    weights = unflatten(progress.average, denoiser_layout(a)) | {name: p[name] for name in decoder_layout(a)}
    weights |= {"latent.mean": normalised.mean, "latent.std": normalised.std}
    return Generator(a, weights, wanted.guidance, wanted.sampler_steps, normalised.limit)


def scale(p: Weights, a: Architecture, real: Labelled) -> Scale:
    """How the latents of real images are normalised."""
    with torch.no_grad():
        some = torch.cat([autoencoder.latents(p, a, part) for part in real.sample(SCALED_ON).batches(256)])
    std, mean = torch.std_mean(some, (0, 2, 3))
    found = Scale(mean, std.clamp_min(1e-6), 0.0)
    return replace(found, limit=float(found.normal(some).abs().max()))


def unlabelled(labels: Tensor, classes: int, share: float, key: Key) -> Tensor:
    """Labels [n], a share of them replaced by K, which stands for none and which no image has."""
    hidden = (key.uniform(len(labels)) < share).to(labels.device)
    return torch.where(hidden, classes, labels)


def steps(wanted: Generative) -> int:
    """The number of steps of the whole training."""
    own = wanted.autoencoder
    return wanted.denoiser.steps + (own.steps if isinstance(own, KlAutoencoder) else 0)


def done(wanted: Generative, progress: Progress) -> int:
    """How many of them are behind it."""
    before = steps(wanted) - wanted.denoiser.steps if progress.stage == "denoiser" else 0
    return before + progress.step


def _denoising(a: Architecture, key: Key, known: Tensor) -> Progress:
    theta = _initial(a, key.fold("denoiser")).to(known.device)
    still = torch.zeros_like(theta)
    return Progress("denoiser", 0, theta, still, still, theta, known)


def _initial(a: Architecture, key: Key) -> Tensor:
    """theta [P]: unit norms, zero biases, deviations by which every token keeps its size at any width.

    The paper's 0.02 throughout fits its 512 numbers a token; a small denoiser hardly leaves that start. The last
    convolution passes on what it is given.
    """
    names = denoiser_layout(a)
    p = unflatten(key.normal(_size(names)), names)
    for name, values in p.items():
        if "norm" in name and name.endswith("weight"):
            values.fill_(1.0)
        elif name.endswith("bias"):
            values.zero_()
        elif name == "position":
            values.mul_(0.5)
        elif name.endswith("weight"):
            lasting = (2 * a.depth) ** -0.5 if name.endswith(("proj.weight", "mlp2.weight")) else 1.0
            values.mul_(lasting * math.prod(values.shape[1:]) ** -0.5)
    p["head.weight"].mul_(0.1)
    p["final.weight"].mul_(0.1)
    p["final.weight"][:, :, 1, 1] += torch.eye(a.channels)
    return torch.cat([values.flatten() for values in p.values()])


def _step(
    progress: Progress,
    loss: Callable[[Tensor, Key], Tensor],
    rate: Callable[[int], float],
    decay: float,
    ema: float,
    key: Key,
    field: str,
) -> Progress:
    """One step of AdamW, and of the running mean, which forgets its start faster than `ema` says."""
    theta = progress.theta.detach().requires_grad_()
    value = loss(theta, key.fold(progress.stage, progress.step))
    (gradient,) = torch.autograd.grad(value, theta)
    value = value.detach()
    if not bool(value.isfinite()) or not bool(gradient.isfinite().all()):
        raise Diverged(f"The loss of the generator was not finite at step {progress.step}. Lower {field} tenfold.")
    lr = rate(progress.step)
    moved, first, second = Adam(lr, _BETA_1).update(
        progress.theta * (1 - lr * decay), gradient, progress.first, progress.second, progress.step
    )
    kept = min(ema, (1 + progress.step) / (10 + progress.step))
    average = progress.average.lerp(moved, 1 - kept)
    return replace(
        progress, step=progress.step + 1, theta=moved, first=first, second=second, average=average, loss=float(value)
    )


def batch(real: Labelled, size: int, mirror: bool, draw: Key) -> tuple[Tensor, Tensor]:
    """Images [B, C, H, W] drawn with replacement, half of them mirrored if so asked, and their labels."""
    index = (draw.fold("images").uniform(min(size, len(real))) * len(real)).long().to(real.device)
    images = real.take(index)
    if mirror:
        turned = (draw.fold("mirror").uniform(len(index)) < 0.5).to(real.device)
        images = torch.where(turned[:, None, None, None], images.flip(3), images)
    return images, real.labels[index]


def _cosine(step: int, steps: int) -> float:
    return 0.5 * (1 + math.cos(math.pi * step / steps))


def _size(names: dict[str, tuple[int, ...]]) -> int:
    return sum(map(math.prod, names.values()))
