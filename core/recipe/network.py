"""The networks that are trained: the one that reads the images, and the experts whose training is matched."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from core.recipe.balance import Balance
from core.recipe.component import Component
from core.recipe.traits import NetworkTraits, OptimiserTraits

Norm = Literal["instance", "batch", "none"]


class Network(NetworkTraits):
    """ConvNet-D{depth}-W{width}: blocks of 3x3 convolution, norm, ReLU and 2x2 average pooling, then a linear layer.

    The architecture of DC, DSA, DM and MTT (Gidaris & Komodakis 2018). `depth=None` halves the image down to 4x4
    (3 for 32x32, 4 for 64x64).
    """

    kind: Literal["convnet"] = "convnet"
    compiles: ClassVar[bool] = True
    width: int = Field(default=128, ge=1, le=1024, description="Channels of every convolution.")
    depth: int | None = Field(default=None, ge=1, le=7, description="Blocks; none halves the image down to 4x4.")
    norm: Norm = Field(default="instance", description="Normalisation in each block.")


class Mlp(NetworkTraits):
    """Two hidden layers and ReLUs on the pixels, without normalisation."""

    kind: Literal["mlp"] = "mlp"
    convolves: ClassVar[bool] = False
    width: int = Field(default=128, ge=1, le=4096, description="Units of each hidden layer.")

    @property
    def norm(self) -> Norm:
        """None of its layers is normalised."""
        return "none"


class Linear(NetworkTraits):
    """One linear layer on the values: multinomial logistic regression."""

    kind: Literal["linear"] = "linear"
    convolves: ClassVar[bool] = False

    @property
    def norm(self) -> Norm:
        """None of its layers is normalised."""
        return "none"

    @property
    def width(self) -> int:
        """It has no hidden layer."""
        return 0


class SeriesConvNet(NetworkTraits):
    """The ConvNet along time: blocks of convolution over 3 steps, norm, ReLU and average pooling of 2, then one linear
    layer.

    The form that the ConvNet of DC takes on series in condensation for time series (CondTSC, ShapeCond). `depth=None`
    halves a series down to 4 steps, in three blocks at most.
    """

    kind: Literal["convnet-1d"] = "convnet-1d"
    width: int = Field(default=128, ge=1, le=1024, description="Channels of every convolution.")
    depth: int | None = Field(
        default=None, ge=1, le=10, description="Blocks; none halves a series down to 4 steps, in three at most."
    )
    norm: Norm = Field(default="instance", description="Normalisation in each block.")


class LeNet(NetworkTraits):
    """LeNet-5 with ReLUs and max pooling (LeCun et al. 1998, in the form of DC's code), without normalisation."""

    kind: Literal["lenet"] = "lenet"
    width: int = Field(default=6, ge=1, le=1024, description="Channels of the first convolution.")

    @property
    def norm(self) -> Norm:
        """None of its layers is normalised."""
        return "none"


class AlexNet(NetworkTraits):
    """Five convolutions, the first of stride 1, three max poolings and one linear layer: DC's AlexNet for small images.

    After Krizhevsky, Sutskever & Hinton 2012; the literature's tables have it without normalisation.
    """

    kind: Literal["alexnet"] = "alexnet"
    width: int = Field(default=128, ge=2, le=1024, description="Channels of the first convolution.")
    norm: Norm = Field(default="none", description="Normalisation after each convolution.")


class Vgg11(NetworkTraits):
    """VGG11 (Simonyan & Zisserman 2015) with a norm after each of eight convolutions and one linear layer."""

    kind: Literal["vgg11"] = "vgg11"
    width: int = Field(default=64, ge=1, le=256, description="Channels of the first convolution; the last have 8 x it.")
    norm: Norm = Field(default="instance", description="Normalisation after each convolution.")


class ResNet18(NetworkTraits):
    """ResNet-18 (He et al. 2016) for small images: a first convolution of 3x3 and stride 1, and no pooling after it.

    Images below 9 pixels end in maps of one pixel, of which instance norm leaves nothing: take batch norm there.
    """

    kind: Literal["resnet18"] = "resnet18"
    width: int = Field(default=64, ge=1, le=256, description="Channels of the first convolution; the last have 8 x it.")
    norm: Norm = Field(default="instance", description="Normalisation after each convolution.")


def _or_convnet(value: Any) -> Any:
    """The value with a kind: 'convnet' where it has none, as recipes once knew no other network."""
    return {"kind": "convnet", **value} if isinstance(value, dict) else value


Architecture = Annotated[
    Network | Mlp | LeNet | AlexNet | Vgg11 | ResNet18 | Linear | SeriesConvNet,
    Field(discriminator="kind"),
    BeforeValidator(_or_convnet),
]
"""A network that can be trained: the ConvNet, another one of the field's cross-architecture tables (Zhao, Mopuri &
Bilen 2021, as released), or one for vectors and series."""


class PlainSgd(OptimiserTraits):
    """Steps along the gradient."""

    kind: Literal["sgd"] = "sgd"


class Gsam(OptimiserTraits):
    """Steps towards flat minima: surrogate gap guided sharpness-aware minimisation (Zhuang et al. 2022).

    FTD's choice: students end less far from a flat trajectory. The second gradient of every step is taken where the
    parameters are moved by `rho`, each in proportion to its size; `alpha` weighs the part of the first one at right
    angles to it. Reconstructed from FTD's released code, and twice as expensive as plain SGD.
    """

    kind: Literal["gsam"] = "gsam"
    gradients: ClassVar[int] = 2
    rho: float = Field(default=0.01, gt=0, le=10, description="How far the second gradient looks.")
    alpha: float = Field(default=0.3, ge=0, le=10, description="How strongly the gap to the first gradient counts.")


Optimiser = Annotated[PlainSgd | Gsam, Field(discriminator="kind")]


class Experts(Component):
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
    balance: Balance = Field(
        default="none", description="Real images as there are, as many of each class, or each class of equal weight."
    )
