"""What is trained: the network that reads the images, and the experts whose training is matched."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from core.recipe.part import Part


class Network(Part):
    """ConvNet-D{depth}-W{width}: blocks of 3x3 convolution, norm, ReLU and 2x2 average pooling, then a linear layer.

    The architecture of DC, DSA, DM and MTT (Gidaris & Komodakis 2018). `depth=None` halves the image down to 4x4
    (3 for 32x32, 4 for 64x64).
    """

    width: int = Field(default=128, ge=1, le=1024, description="Channels of every convolution.")
    depth: int | None = Field(default=None, ge=1, le=7, description="Blocks; none halves the image down to 4x4.")
    norm: Literal["instance", "batch", "none"] = Field(default="instance", description="Normalisation in each block.")


class PlainSgd(Part):
    """Steps along the gradient."""

    kind: Literal["sgd"] = "sgd"


class Gsam(Part):
    """Steps towards flat minima: surrogate gap guided sharpness-aware minimisation (Zhuang et al. 2022).

    FTD's choice: students end less far from a flat trajectory. The second gradient of every step is taken where the
    parameters are moved by `rho`, each in proportion to its size; `alpha` weighs the part of the first one at right
    angles to it. Reconstructed from FTD's released code, and twice as expensive as plain SGD.
    """

    kind: Literal["gsam"] = "gsam"
    rho: float = Field(default=0.01, gt=0, le=10, description="How far the second gradient looks.")
    alpha: float = Field(default=0.3, ge=0, le=10, description="How strongly the gap to the first gradient counts.")


Optimiser = Annotated[PlainSgd | Gsam, Field(discriminator="kind")]


class Experts(Part):
    """Networks trained on the real data, whose parameters are kept after every epoch that will be read.

    The learning rate is constant, so only the epochs that are read are trained; `epochs` bounds them.
    """

    count: int = Field(default=100, ge=1, le=1000, description="Expert trajectories.")
    epochs: int = Field(default=50, ge=1, le=1000, description="Longest trajectory a segment may ask for.")
    batch_size: int = Field(default=256, ge=1, le=65_536, description="Real images a step.")
    lr: float = Field(default=0.01, gt=0, le=10, description="Learning rate, constant.")
    momentum: float = Field(default=0.0, ge=0, lt=1, description="Momentum.")
    weight_decay: float = Field(default=0.0, ge=0, le=1, description="L2 penalty.")
    optimiser: Optimiser = Field(default=PlainSgd(), description="What a step follows.")
    augment: bool = Field(default=True, description="Whether experts see augmented images.")
