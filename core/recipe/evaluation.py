"""How a result is judged."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from core.recipe.balance import Measure, Weighting
from core.recipe.component import Component, Later, invalid_combination
from core.recipe.network import Architecture
from core.recipe.selection import Embedding

Policy = Literal["batch", "sample", "simple", "combined"]


class FullTraining(Component):
    """How the reference on the full training set is trained: SGD, cosine decay, the recipe's augmentation."""

    epochs: int = Field(default=30, ge=1, le=1000, description="Passes over the full training set.")
    batch_size: int = Field(default=256, ge=1, le=65_536, description="Images a step.")
    lr: float = Field(default=0.05, gt=0, le=10, description="Initial learning rate.")
    balance: Weighting = Field(
        default="none", description="Images as there are, or of a weight with which each class counts alike."
    )


class Coverage(Embedding):
    """How much of the test split lies near the result, of its easy and of its hard half, in the features of a network.

    SelMatch's analysis of what a set leaves out. Its network learns from the training split without augmentation, and
    how hard it finds the test images while it does divides them into halves. It is made once the result is known, and
    nothing is ever chosen by it: it looks at the test split.
    """


class CutMix(Component):
    """A box of each image is that of another image of the batch, whose label counts by the box's share of the pixels.

    Yun, Han, Oh, Chun, Choe & Yoo 2019; one box for a whole batch, of an area that is uniform up to all of the image
    before its border cuts it off (their beta distribution at 1). It takes the place of cutout, which no view is then
    drawn from. IDC is evaluated with it, of half of the batches.
    """

    probability: float = Field(default=1.0, gt=0, le=1, description="Share of the batches that are mixed.")


class Evaluation(Component):
    """Fresh networks trained on the synthetic set, tested on the untouched test split.

    SGD with momentum; `schedule="step"` divides the rate by ten after half of the epochs, as the MTT line does. The
    baseline (random real images) is trained under the same protocol with the rate of `baseline_lrs` that is best on
    the validation split.

    `policy` says how the networks' views are drawn from the recipe's `augment`. "batch": one of its transforms for the
    whole batch (DSA, as the MTT line does). "sample": one for each image. "simple": a crop and a mirrored half, as far
    as `augment` lists them. "combined": "sample" for synthetic images and "simple" for real ones that partial update
    left as they were (SelMatch); the random baseline, all of whose images are real, is then trained with "simple". The
    reference on the full training set keeps "batch".

    `cutmix` mixes images once they are views, those of the result and of the random baseline.

    `across` are architectures that the result was not distilled with. Fresh networks of each are trained and tested by
    the same protocol and at the same learning rate, beside random images, so that what is said of unseen architectures
    is measured.
    """

    seeds: int = Field(default=5, ge=1, le=100, description="Fresh networks, each from its own initialisation.")
    epochs: int = Field(default=1000, ge=1, le=100_000, description="Passes over the synthetic set.")
    batch_size: int = Field(default=256, ge=1, le=65_536, description="Images a step.")
    lr: float | None = Field(default=None, gt=0, le=10, description="Learning rate; none takes the learned step size.")
    optimiser: Literal["sgd", "adamw"] = Field(
        default="sgd", description="How networks are trained; 'adamw' decays weights beside its steps."
    )
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Momentum; Adam's beta_1.")
    weight_decay: float = Field(default=5e-4, ge=0, le=1, description="L2 penalty.")
    schedule: Literal["step", "cosine", "constant"] = Field(default="step", description="Learning rate over time.")
    augment: bool = Field(default=True, description="Whether the networks see augmented images.")
    policy: Policy = Field(default="batch", description="How augmented views are drawn: by batch, by image, by kind.")
    cutmix: Annotated[CutMix | None, Later(neutral=None)] = Field(
        default=None, description="Parts of other images in each; none leaves them whole."
    )
    baseline_lrs: tuple[Annotated[float, Field(gt=0, le=10)], ...] = Field(
        default=(0.01,),
        min_length=1,
        max_length=8,
        description="Learning rates tried for the random baseline.",
    )
    full: FullTraining | None = Field(
        default=FullTraining(), description="Reference on the full training set; none leaves it out."
    )
    coverage: Coverage | None = Field(
        default=None, description="Share of easy and of hard test images near the result; none leaves it out."
    )
    across: tuple[Architecture, ...] = Field(
        default=(), max_length=16, description="Other architectures that are trained on the result as well."
    )
    look_every: int | None = Field(
        default=None, ge=1, description="Outer steps between looks at the validation split while distilling."
    )
    select: Literal["last", "best_validation"] = Field(
        default="last",
        description="Which iterate is the result: the last, or the best look on the validation split.",
    )
    measure: Measure = Field(
        default="accuracy",
        description="What is best on the validation split: accuracy, or its mean over the classes ('balanced').",
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.across)) < len(self.across):
            raise invalid_combination(
                "across",
                "An architecture that is trained twice counts twice in the mean over architectures.",
                "Name each of evaluation.across once, or set evaluation.across to [].",
            )
        return self
