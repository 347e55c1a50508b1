"""For how long the images are optimised, and how they move."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from core.recipe.component import Component, Later, or_auto
from core.recipe.stages import Stages


class Blend(Component):
    """Images go back, in part, to those they began as (the data residuals of FADRM, Cui et al. 2025).

    The outer steps are parted into `count` + 1 equal parts. After each but the last an image x becomes
    keep * x + (1 - keep) * x_0, x_0 being the initial one, and the optimiser begins at rest; the rate's decay goes on.
    So a real image that is optimised for long keeps what made it real. The paper blends at the two sizes of ImageNet's
    images, too; here there is one size, as the paper has it for small images.
    """

    count: int = Field(default=3, ge=1, le=1000, description="How often, at equal distances.")
    keep: float = Field(default=0.5, ge=0, lt=1, description="Share of an optimised image that stays.")

    def after(self, steps: int) -> frozenset[int]:
        """The outer steps, of so many, after which images are blended."""
        places = {round(part * steps / (self.count + 1)) for part in range(1, self.count + 1)}
        return frozenset(places - {0, steps})


class Schedule(Component):
    """The outer loop: how many steps, and how the images move.

    An "auto" `image_lr` is chosen by a probe before distilling (`core.recipe.search`).
    """

    steps: int = Field(
        default=5000, ge=0, le=1_000_000, description="Outer steps, of each stage; 0 keeps the initial images."
    )
    image_lr: Annotated[
        Annotated[float, Field(ge=0, le=1e8)] | Literal["auto"], or_auto("a number between 0 and 1e8")
    ] = Field(default=100.0, description="Outer learning rate of the images; auto lets a probe choose it.")
    image_momentum: float = Field(default=0.5, ge=0, lt=1, description="Outer momentum of the images.")
    optimiser: Literal["sgd", "adam"] = Field(
        default="sgd",
        description="How images and labels move; with 'adam' their momenta are its beta_1.",
    )
    beta_2: float = Field(default=0.999, ge=0, lt=1, description="Adam's decay of the squares.")
    decay: Literal["constant", "cosine"] = Field(
        default="constant", description="Outer learning rates over the steps: as they are, or down to 0 by a cosine."
    )
    clamp: bool = Field(
        default=False, description="Whether every step ends with images that pixels can be: from black to white."
    )
    clip: float | None = Field(
        default=None,
        gt=0,
        description="Most that the images' gradient may exceed its running mean norm by, as a factor.",
    )
    memory: Literal["auto", "keep", "recompute"] = Field(
        default="auto", description="Of student steps: keep them all, none, or as many as fit."
    )
    skip_above: float | None = Field(
        default=None, gt=0, description="Leave out an outer step whose loss exceeds this (DATM)."
    )
    ema: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="Decay of a running mean of images and labels over outer steps; it then is the result (FTD).",
    )
    blend: Annotated[Blend | None, Later(neutral=None)] = Field(
        default=None, description="How images are blended with those they began as (FADRM); null: not at all."
    )
    stages: Stages = Field(default=Stages(), description="Subsets that are distilled one after the other (SeqMatch).")

    @property
    def total_steps(self) -> int:
        """Outer steps of all stages."""
        return self.steps * self.stages.count
