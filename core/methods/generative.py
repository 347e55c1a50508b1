"""Methods whose images are drawn by a generator trained on the real ones."""

from __future__ import annotations

from typing import Final

from core.methods.task import Presets, Task, augment, embedding, evaluation, network, preset, tiny
from core.recipe import Generative, Identity, KlAutoencoder, Noise, Recipe, Schedule, UVit

__all__ = ["diffusion"]

OF_PICTURES: Final = frozenset(__all__)
"""Methods that mean nothing for vectors and series."""


def diffusion(task: Task) -> Recipe:
    """Latent diffusion.

    A class-conditional diffusion model of the latents of a small autoencoder (of the pixels themselves, where images
    are tiny) learns the real images, and the images are drawn from it. It is trained once: another ipc takes seconds,
    and the generator itself is in the artifact, for as many images as are wanted. Reconstructed from the abstract of
    the paper, with U-ViT and its settings from the released code of Bao et al. 2023.

    Family: generative
    Equation: min_w E_{x, y, eps, t} || eps - eps_w(alpha_t E(x) + sigma_t eps, t, y) ||^2; x = D(z_0), z_0 by
        DPM-Solver++ along (1 + s) eps_w(z_t, t, y) - s eps_w(z_t, t, null)
    Citation: Li, Zhang, Cechnicka & Kainz, "Data-Efficient Generation for Dataset Distillation", ECCV Workshops 2024,
        arXiv 2409.03929
    Published: rank 1 in The First Dataset Distillation Challenge (ECCV 2024) on CIFAR-100 and Tiny-ImageNet, says its
        abstract; the score is not known here
    Use: for any number of images from an artifact of fixed size, or many sizes of one dataset; images that look real.
    Avoid: for the most accuracy from few images: with one class an image it is that of random real ones at best.
    """
    shape = min(task.shape[1:])
    if tiny(task):
        objective = Generative(
            autoencoder=Identity(),
            denoiser=UVit(width=64, depth=5, batch_size=64, steps=1500),
            judge=embedding(task),
        )
    elif shape <= 28:
        objective = Generative(autoencoder=KlAutoencoder(), denoiser=UVit(), judge=embedding(task))
    else:
        objective = Generative(
            autoencoder=KlAutoencoder(factor=2 if shape <= 32 else 4, width=64, steps=10_000),
            denoiser=UVit(width=256, depth=13, heads=8, steps=100_000, lr=3e-4, warmup=2500, ema=0.9999),
            judge=embedding(task),
        )
    return preset(
        PRESETS["diffusion"],
        task,
        Recipe(
            augment=augment(task),
            network=network(task),
            init=Noise(),
            objective=objective,
            schedule=Schedule(steps=0),
            evaluation=evaluation(task, lr=0.01),
        ),
    )


# Ours: the paper's settings are not known.
PRESETS: Presets = {
    "diffusion": {
        ("digits", 10): {"objective.guidance": 0.4},
        ("mnist", 10): {"objective.denoiser.steps": 3000},
        ("fashion-mnist", 10): {"objective.denoiser.steps": 3000},
        ("cifar10", 10): {"objective.denoiser.steps": 100_000},
        ("cifar100", 10): {"objective.denoiser.steps": 200_000},
    }
}
