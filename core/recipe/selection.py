"""Choices of real images: by how hard they are to learn, or by what a trained network makes of them."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from core.recipe.balance import Weighting
from core.recipe.component import Component, invalid_combination, or_auto
from core.recipe.traits import InitTraits


class Training(Component):
    """How networks that only judge real images are trained on the training split: SGD, momentum 0.9, decay 5e-4."""

    batch_size: int = Field(default=256, ge=1, le=65_536, description="Images a step.")
    lr: float = Field(default=0.05, gt=0, le=10, description="Initial learning rate.")
    balance: Weighting = Field(
        default="none", description="Images as there are, or of a weight with which each class counts alike."
    )


class Forgetting(Training):
    """How often a network loses an image it had right (Toneva et al. 2019); its learning rate decays by a cosine.

    An image is judged, as it is stored, whenever its batch comes. One that is never right counts as forgotten in every
    epoch, more often than any image can be: never learned is hardest. The score is the mean over the networks.
    """

    kind: Literal["forgetting"] = "forgetting"
    networks: int = Field(default=5, ge=1, le=100, description="Networks the counts are averaged over.")
    epochs: int = Field(default=30, ge=2, le=1000, description="Passes over the training split.")
    augment: bool = Field(default=True, description="Whether the networks learn from augmented images.")


class El2n(Training):
    """Length of the error vector after a few epochs, || softmax - one-hot ||_2 (Paul et al. 2021); constant rate.

    The score is the mean over the networks; the images are judged as they are stored.
    """

    kind: Literal["el2n"] = "el2n"
    networks: int = Field(default=10, ge=1, le=100, description="Networks the lengths are averaged over.")
    epochs: int = Field(default=10, ge=1, le=1000, description="Passes over the training split.")
    augment: bool = Field(default=True, description="Whether the networks learn from augmented images.")


class Dual(Training):
    """How hard an image is early in training, times how unsure networks are of it (DUAL, Cho et al. 2025).

    After each epoch networks say with what probability the image, as it is stored, is of its class. Of each window of
    successive epochs the standard deviation of these is taken times one minus their mean; the score is the mean over
    windows and networks. Constant rate: the papers' first epochs of many. Hard and easy images alike score low, the
    ones as networks never have them right, the others as they always have.
    """

    kind: Literal["dual"] = "dual"
    networks: int = Field(default=1, ge=1, le=100, description="Networks the scores are averaged over.")
    epochs: int = Field(default=30, ge=2, le=1000, description="Passes over the training split.")
    window: int = Field(default=10, ge=2, le=1000, description="Epochs of a window; of fewer epochs, all of them.")
    augment: bool = Field(default=True, description="Whether the networks learn from augmented images.")

    @property
    def span(self) -> int:
        """The epochs that a window has."""
        return min(self.window, self.epochs)


class CScore(Component):
    """How rarely networks are right about an image they did not learn from: 1 - its C-score (Jiang et al. 2021).

    Nothing is trained for it: the scores are read from a file beside the dataset, `scores/<name>.npz`. SelMatch's score
    for CIFAR, whose C-scores were published.
    """

    kind: Literal["c_score"] = "c_score"
    digest: str | None = Field(
        default=None, max_length=100, description="Which scores they are; filled in when a job is submitted."
    )


LearnedScore = Forgetting | El2n | Dual
"""The scores of difficulty for which networks are trained."""

Score = Annotated[LearnedScore | CScore, Field(discriminator="kind")]
"""How hard a training image is: the higher, the harder."""


class Embedding(Training):
    """The network whose features images are compared by: what it hands to its linear layer, once it is trained.

    It learns from images without augmentation; its learning rate decays by a cosine.
    """

    epochs: int = Field(default=30, ge=1, le=1000, description="Passes over the training split.")


class Herding(InitTraits):
    """Images whose mean feature stays next to that of their class, one added at a time (Welling 2009).

    They lie in the order in which they were added, so that the first of them stand for their class by themselves.
    """

    kind: Literal["herding"] = "herding"
    embedding: Embedding = Field(default=Embedding(), description="The network that embeds the images.")


class KCenter(InitTraits):
    """Images none of the others of their class is far from: a random one, then always the one farthest from all so far.

    The greedy algorithm for k centers (Gonzalez 1985), as a coreset (Sener & Savarese 2018). They lie in that order.
    """

    kind: Literal["k_center"] = "k_center"
    embedding: Embedding = Field(default=Embedding(), description="The network that embeds the images.")


class KMeans(InitTraits):
    """The image nearest to each of ipc centroids of its class: Lloyd's algorithm from a start by k-means++.

    They lie in the order of that start. No image is taken twice.
    """

    kind: Literal["k_means"] = "k_means"
    embedding: Embedding = Field(default=Embedding(), description="The network that embeds the images.")
    iterations: int = Field(default=30, ge=0, le=1000, description="Lloyd iterations, unless nothing moves before.")


class Ranked(InitTraits):
    """The hardest images of each class. They lie easiest first."""

    kind: Literal["ranked"] = "ranked"
    score: Score = Field(default=Forgetting(), description="What images are ranked by.")


class BetaDraw(InitTraits):
    """Images drawn by their score and by a Beta density that a smaller set moves to easier ones (DUAL, 2025).

    An image's weight is its score times the density of Beta(a, b) at its ease, in [0, 1]: the mean probability of its
    class for `dual`, the C-score itself, and for the others one minus the share of the largest score there can be.
    b = concentration (1 - m) (1 - r^exponent) and a = concentration + 1 - b, with m the mean ease of the ten images
    that score highest and r the share of the class that is left out. Drawn class by class, where the paper draws from
    all classes together. They lie easiest first.
    """

    kind: Literal["beta"] = "beta"
    score: Score = Field(default=Dual(), description="What images are weighted by.")
    concentration: float = Field(default=15.0, gt=0, le=1000, description="How narrow the density is.")
    exponent: float = Field(
        default=5.5, gt=0, le=100, description="How fast the density turns to easy images as fewer are taken."
    )


class Window(InitTraits):
    """A window of difficulty: each class is ranked from hard to easy, and the hardest are skipped (Lee & Chung 2024).

    SelMatch's start. The ipc images that follow the skipped ones lie easiest first, so that the first share of a class
    is the part that distilling changes. The paper's code takes `beta` as a share of the ipc; its sweeps and its
    settings only make sense as shares of the class, which is the default.

    "auto" takes the best of 0, 0.1, ... as far as the window stays within the class: networks are trained on each of
    these windows of real images, and the validation split decides (in the paper the test split does).
    """

    kind: Literal["window"] = "window"
    score: Score = Field(default=Forgetting(), description="What images are ranked by.")
    beta: Annotated[
        Annotated[float, Field(ge=0, lt=1)] | Literal["auto"], or_auto("a number of at least 0 and less than 1")
    ] = Field(
        default=0.5, description="Share of the hardest images to skip; auto finds the best on the validation split."
    )
    of: Literal["class", "ipc"] = Field(
        default="class", description="What beta is a share of: the images of the class, or the ipc."
    )

    @model_validator(mode="after")
    def _swept_over_the_class(self) -> Self:
        if self.beta == "auto" and self.of == "ipc":
            raise invalid_combination(
                "of",
                "Shares of the ipc have no end to try them up to.",
                "Set init.of to 'class', or init.beta to 0.5.",
            )
        return self

    def at(self, beta: float) -> Window:
        """The window that skips this share."""
        return self.model_copy(update={"beta": beta})

    def swept(self, ipc: int, members: int) -> tuple[float, ...]:
        """The shares among which "auto" chooses in a class of so many images."""
        tried = (tenths / 10 for tenths in range(10))
        return tuple(beta for beta in tried if self.at(beta).first_rank(ipc, members) + ipc <= members)

    def first_rank(self, ipc: int, members: int) -> int:
        """Where in a class of so many images, ranked from hard to easy, the window begins.

        It holds the ranks [first, first + ipc), of which some may lie beyond the class: `core.request` refuses that.
        """
        assert self.beta != "auto", "a sweep has put a number in its place"
        return math.floor(self.beta * (members if self.of == "class" else ipc) + 1e-9)  # 0.29 * 100 is no 28


Scored = Ranked | BetaDraw | Window
"""Starts that choose real images by a score."""
