"""The changes to an image before a network sees it: preprocessing, fitted once; augmentation, drawn at every call."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from core.recipe.component import Component, invalid_combination
from core.recipe.traits import PreprocessTraits


class MeanStd(PreprocessTraits):
    """Per-channel standardisation, fitted on the training split."""

    kind: Literal["mean_std"] = "mean_std"


class Zca(PreprocessTraits):
    """ZCA whitening, W = U diag((S + eps)^-1/2) U^T of the pixel covariance, fitted on the training split.

    The MTT line uses eps = 0.1 on images in [0, 1].
    """

    kind: Literal["zca"] = "zca"
    mixes_pixels: ClassVar[bool] = True
    eps: float = Field(default=0.1, gt=0, le=10, description="Added to every eigenvalue of the covariance.")


class Unprocessed(PreprocessTraits):
    """Images in [0, 1], untouched."""

    kind: Literal["none"] = "none"


Preprocess = Annotated[MeanStd | Zca | Unprocessed, Field(discriminator="kind")]

Transform = Literal["color", "crop", "cutout", "flip", "scale", "rotate"]


class Augment(Component):
    """DSA augmentation (Zhao & Bilen 2021): each call draws one of `transforms` and applies it to the whole batch."""

    transforms: tuple[Transform, ...] = Field(
        default=("color", "crop", "cutout", "flip", "scale", "rotate"),
        description="The transforms to draw from; empty switches augmentation off.",
    )

    @model_validator(mode="after")
    def _no_repeats(self) -> Self:
        if len(set(self.transforms)) != len(self.transforms):
            raise invalid_combination("transforms", "A transform is listed twice.", "List each transform once.")
        return self
