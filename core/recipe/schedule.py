"""For how long the images are optimised, and how they move."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from core.recipe.component import Component, or_auto
from core.recipe.stages import Stages


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
    stages: Stages = Field(default=Stages(), description="Subsets that are distilled one after the other (SeqMatch).")

    @property
    def total_steps(self) -> int:
        """Outer steps of all stages."""
        return self.steps * self.stages.count
