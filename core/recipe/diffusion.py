"""A generator of labelled images as the objective: what it is made of, how it is trained, how it is sampled from."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from core.recipe.component import Component, invalid_combination
from core.recipe.selection import Embedding
from core.recipe.traits import ObjectiveTraits


class Identity(Component):
    """No autoencoder: the latents are the preprocessed images themselves. For images of few pixels."""

    kind: Literal["identity"] = "identity"

    @property
    def factor(self) -> int:
        """Pixels along each side of an image to one of its latent."""
        return 1


class KlAutoencoder(Component):
    """A small convolutional autoencoder whose latents are drawn towards a normal distribution (Kingma & Welling 2014).

    Its loss is the mean squared error of a pixel plus `kl` times the mean divergence of a latent's number. Unlike the
    autoencoders of published latent diffusion it has no perceptual and no adversarial loss: fine texture is blurred,
    the more the larger `factor` is.
    """

    kind: Literal["kl"] = "kl"
    factor: Literal[2, 4, 8] = Field(default=4, description="Pixels along each side of an image to one of its latent.")
    channels: int = Field(default=4, ge=1, le=64, description="Of a latent.")
    width: int = Field(default=32, ge=4, le=512, description="Channels of its convolutions.")
    kl: float = Field(default=1e-3, ge=0, le=100, description="Weight of the divergence.")
    steps: int = Field(default=1500, ge=1, le=1_000_000, description="Training steps.")
    batch_size: int = Field(default=128, ge=1, le=65_536, description="Real images a step.")
    lr: float = Field(default=1e-3, gt=0, le=1, description="Learning rate of Adam, down to 0 by a cosine.")


class UVit(Component):
    """A vision transformer with long skip connections that predicts the noise in a latent (Bao et al., CVPR 2023).

    Time, class and patches are tokens alike. It is trained by AdamW with betas 0.99 and 0.999, its learning rate raised
    over `warmup` steps and lowered to 0 by a cosine (constant in the paper, whose trainings are a hundred times as
    long). Sampled from is the running mean of its parameters. The paper predicts the noise. The velocity says the same
    (Salimans & Ho 2022, eps = sigma z + alpha v), but weighs noisy latents, where the class is decided, by 1 / alpha^2:
    short trainings need that.
    """

    predicts: Literal["noise", "velocity"] = Field(
        default="velocity", description="What of a noisy latent: its noise eps, or alpha eps - sigma z_0."
    )
    patch: int = Field(default=2, ge=1, le=16, description="Side of the square of a latent that is one token.")
    width: int = Field(default=128, ge=4, le=2048, description="Numbers of a token.")
    depth: int = Field(default=7, ge=1, le=63, description="Transformer blocks; an odd number.")
    heads: int = Field(default=4, ge=1, le=64, description="Attention heads; they divide the width.")
    steps: int = Field(default=3000, ge=1, le=10_000_000, description="Training steps.")
    batch_size: int = Field(default=128, ge=1, le=65_536, description="Real images a step.")
    lr: float = Field(default=1e-3, gt=0, le=1, description="Peak learning rate.")
    warmup: int = Field(default=100, ge=0, le=1_000_000, description="Steps over which it is raised.")
    weight_decay: float = Field(default=0.03, ge=0, le=1, description="Decoupled weight decay.")
    unlabelled: float = Field(
        default=0.15, ge=0, lt=1, description="Share of the images shown without their class, which guidance needs."
    )
    ema: float = Field(default=0.999, ge=0, lt=1, description="Decay of the running mean of its parameters.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.depth % 2 == 0:
            raise invalid_combination(
                "depth",
                f"Of {self.depth} blocks none is in the middle.",
                f"Set objective.denoiser.depth to {self.depth - 1}.",
            )
        if self.width % 2 or self.width % self.heads:
            raise invalid_combination(
                "width",
                f"A width of {self.width} can't be divided into cosines and sines and {self.heads} heads.",
                f"Set objective.denoiser.width to {2 * self.heads * max(1, self.width // (2 * self.heads))}.",
            )
        return self


class Generative(ObjectiveTraits):
    """Learn the distribution of the real images with a generator, and take images that it draws.

    Class-conditional latent diffusion with guidance without a classifier, eps' = (1 + s) eps(z, y) - s eps(z), sampled
    by DPM-Solver++(2M). It starts from the recipe's `init` noise, whose `std` narrows or widens what is drawn. A judge
    trained on the real images says how many of the samples are of the class they stand for; with `candidates` above 1
    it also chooses: of so many times ipc samples of a class those it agrees with and is surest of, of them the ones
    nearest to ipc centroids of its features.
    """

    kind: Literal["generative"] = "generative"
    optimises_images: ClassVar[bool] = False
    draws_images: ClassVar[bool] = True
    autoencoder: Identity | KlAutoencoder = Field(
        default=KlAutoencoder(), discriminator="kind", description="What stands between images and latents."
    )
    denoiser: UVit = UVit()
    guidance: float = Field(default=0.4, ge=0, le=20, description="How far predictions are led to their class, s.")
    sampler_steps: int = Field(default=20, ge=1, le=1000, description="Evaluations of the denoiser for a sample.")
    candidates: int = Field(default=1, ge=1, le=100, description="Samples drawn for each one taken; 1 takes them all.")
    judge: Embedding | None = Field(
        default=Embedding(), description="The network that judges samples; none leaves them unjudged."
    )
    publish: bool = Field(default=True, description="Whether the artifact holds the generator itself.")

    @model_validator(mode="after")
    def _guided_and_judged(self) -> Self:
        if self.guidance > 0 and self.denoiser.unlabelled == 0:
            raise invalid_combination(
                "guidance",
                "A denoiser that always sees the class can't predict without it.",
                "Set objective.guidance to 0, or objective.denoiser.unlabelled to 0.15.",
            )
        if self.candidates > 1 and self.judge is None:
            raise invalid_combination(
                "candidates",
                "Nobody chooses among the candidates.",
                'Set objective.candidates to 1, or objective.judge to {"epochs": 20}.',
            )
        return self
