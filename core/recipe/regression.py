"""Regression in place of classification: real-valued labels, learned or solved, and what images are made for them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from core.recipe.balance import Balance, Weighting
from core.recipe.component import Component, Later, invalid_combination
from core.recipe.traits import InitTraits, LabelTraits, ObjectiveTraits


class Pool(Component):
    """Networks whose features are regressed on, of all ages: each is trained on the synthetic set when it is used.

    A network takes one Adam step of squared error at a time, and is replaced by a fresh one after `lifetime` of them;
    at first they are replaced earlier, one after the other, so that their ages differ ever after. Zhou, Nezhadarya &
    Ba 2022 (FRePo).
    """

    networks: int = Field(default=10, ge=1, le=100, description="Networks at a time.")
    lifetime: int = Field(default=100, ge=1, le=100_000, description="Steps after which one is replaced.")
    lr: float = Field(default=3e-4, gt=0, le=1, description="Learning rate of their Adam.")
    batch_size: int = Field(default=500, ge=1, le=65_536, description="Synthetic images of a step, at most.")


class Regression(ObjectiveTraits):
    """Lower the error, on real images, of kernel ridge regression on the synthetic set: neural feature regression.

    Features are those of one network of the pool, drawn anew in each outer step. Nothing is differentiated through a
    network's training. Zhou, Nezhadarya & Ba 2022 (FRePo), equations 6 and 7, after the released code.

    Squared error is least where answers are the classes' probabilities. Of classes of unequal size they hold how
    frequent each is: a class that a tenth of the images are of is never the likeliest at one image a class, and the
    answer is the other one whatever is shown. `balance` takes that out of the targets.
    """

    kind: Literal["regression"] = "regression"
    label_gradient: ClassVar[bool] = True
    regresses: ClassVar[bool] = True
    real_batch: int = Field(default=1024, ge=1, le=65_536, description="Real images of a step.")
    ridge: float = Field(
        default=1e-6, gt=0, le=1e3, description="Penalty, as a share of the mean squared norm of synthetic features."
    )
    balance: Balance = Field(
        default="none", description="Real images as there are, as many of each class, or each class of equal weight."
    )
    pool: Pool = Pool()


class Targets(LabelTraits):
    """The targets of a regression for each image, one real number a class, optimised with the images (FRePo).

    They start as the image's class, one-hot less its mean. Networks learn them by squared error, not by cross-entropy:
    they are no probabilities and may leave [0, 1].
    """

    kind: Literal["targets"] = "targets"
    learned: ClassVar[bool] = True
    regresses: ClassVar[bool] = True
    lr: float = Field(default=1e-3, ge=0, le=1e6, description="Outer learning rate of the targets.")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Outer momentum of the targets.")


class Solved(LabelTraits):
    """Targets of a regression in closed form, solved when the images are done; before that labels are class indices.

    On pixels, as networks see them: of all classifiers in the span of the images the one with the least ridge-penalised
    squared error on real images is found, and the targets are what ridge regression on the images alone has to be given
    to return it. Where the span contains the ridge classifier of the real images, that is the one returned, exactly.

    On features of fresh random networks: the targets with which regressions on each network's features have the least
    squared error on real images together, kept near the images' classes where real images do not decide. Least squares
    as in MGDD (Liu & Wang 2023), reconstructed from its abstract.
    """

    kind: Literal["solved"] = "solved"
    regresses: ClassVar[bool] = True
    features: Literal["networks", "pixels"] = Field(
        default="networks", description="What the regression sees: pixels, or features of fresh random networks."
    )
    networks: int = Field(default=8, ge=1, le=64, description="How many networks, where features are theirs.")
    ridge: float = Field(
        default=1e-2,
        gt=0,
        le=1e3,
        description="Penalty of a classifier of pixels, or of targets' distance from classes; relative.",
    )
    support: int | None = Field(
        default=None,
        ge=2,
        description="Real images the error is measured on, as many of each class if those count alike; none takes all.",
    )
    balance: Weighting = Field(
        default="none", description="Whether the error counts images as there are, or each class alike."
    )

    @model_validator(mode="after")
    def _the_classifier_of_pixels_is_the_usual_one(self) -> Self:
        if self.balance != "none" and self.for_pixels:
            raise invalid_combination(
                "balance",
                "Solved for pixels, labels return the classifier of the real images as there are.",
                "Set labels.balance to 'none', or labels.features to 'networks'.",
            )
        return self

    @property
    def for_pixels(self) -> bool:
        """Whether the labels are solved for pixels, not for features of networks."""
        return self.features == "pixels"


class Spanning(InitTraits):
    """Real images changed as little as they must be for the span of their pixels to contain the ridge classifier.

    Linear algebra, not learning: see `core.engine.ridge.spanning`. One image a class is enough.
    """

    kind: Literal["spanning"] = "spanning"
    alters_images: ClassVar[bool] = True
    ridge: float = Field(
        default=1e-2, gt=0, le=1e3, description="Of the classifier that is spanned: the same as of the labels."
    )


class Meta(Component):
    """How a generator is trained before it is adapted: on many small tasks, each a random subset of the classes.

    First-order meta-learning after Nichol, Achiam & Schulman 2018 (Reptile): each task's training starts from the
    generator, which then moves a share `rate` of the way to where the task ended. MGDD's own algorithm was not
    available.
    """

    tasks: int = Field(default=100, ge=1, le=1_000_000, description="Subsets of classes.")
    inner_steps: int = Field(default=5, ge=1, le=10_000, description="Steps of training on each.")
    rate: float = Field(default=0.3, gt=0, le=1, description="Share of the way to the end of each.")


class Generated(InitTraits):
    """Start from real images, or means of them, that a generator has passed through: MGDD (Liu & Wang, NeurIPS 2023).

    `given` says of what: of random real images, or of the means of as many clusters of a class as it has images in the
    set (k-means on pixels), which say the more of it the fewer they are. The generator starts as the identity, is
    trained on subsets of classes (`meta`) of a source dataset, and adapted to the target's training split. Each step
    draws what is given, for a random number of images a class, passes it through, and lowers the error that the best
    classifier in the span of their features, by a network of the pool, makes on other real images. What is learned
    depends on neither ipc nor seed: it is kept, and any set of any size is one forward pass. Reconstructed from the
    paper's abstract, which says of what is given only that the set is initialised with it; means are ours.
    """

    kind: Literal["generated"] = "generated"
    alters_images: ClassVar[bool] = True
    given: Annotated[Literal["images", "means"], Later(neutral="images")] = Field(
        default="images", description="What passes through: random real images, or means of clusters of them."
    )
    width: int = Field(default=16, ge=1, le=512, description="Channels of the generator at full size; 4 parts in all.")
    source: str | None = Field(
        default=None,
        max_length=200,
        description="Dataset whose classes it is meta-trained on; none takes the target's own training split.",
    )
    digest: str | None = Field(
        default=None, max_length=200, description="Of that dataset's content; the service fills it in."
    )
    meta: Meta | None = Field(default=Meta(), description="Training before it is adapted; none starts as the identity.")
    steps: int = Field(default=500, ge=0, le=1_000_000, description="Steps of adaptation; 0 takes it as it is.")
    lr: float = Field(default=3e-4, gt=0, le=1, description="Learning rate of the generator's Adam.")
    real_batch: int = Field(
        default=256, ge=2, le=65_536, description="Real images of a step: one half to solve, the other to judge by."
    )
    sizes: tuple[Annotated[int, Field(ge=1, le=100)], ...] = Field(
        default=(1, 2, 5, 10), min_length=1, max_length=8, description="Images per class of a step, one is drawn."
    )
    ridge: float = Field(default=1e-2, gt=0, le=1e3, description="Penalty of that classifier, a share of the mean.")
    pool: Pool = Pool()

    @property
    def total(self) -> int:
        """Steps altogether."""
        return (self.meta.tasks * self.meta.inner_steps if self.meta else 0) + self.steps

    @model_validator(mode="after")
    def _learns_something(self) -> Self:
        if self.meta is None and self.source is not None:
            raise invalid_combination(
                "source",
                "A generator that is not meta-trained has no source.",
                "Set init.source to null, or init.meta to {}.",
            )
        return self
