"""Stages: subsets of the synthetic set that are distilled, and learned from, one after the other."""

from __future__ import annotations

import itertools
from typing import Self

from pydantic import Field, model_validator

from core.recipe.component import Component, invalid_combination


class Stage(Component):
    """The segments of a stage, and the step size its students begin with."""

    min_start_epoch: int = Field(default=0, ge=0, le=1000, description="First epoch a segment may start from.")
    max_start_epoch: int = Field(ge=1, le=1000, description="Segments start before this epoch.")
    step_size: float = Field(gt=0, le=10, description="Step size before the stage's first outer step.")

    @model_validator(mode="after")
    def _window_is_not_empty(self) -> Self:
        if self.min_start_epoch >= self.max_start_epoch:
            raise invalid_combination(
                "max_start_epoch",
                f"No epoch lies in [{self.min_start_epoch}, {self.max_start_epoch}).",
                f"Set max_start_epoch to at least {self.min_start_epoch + 1}.",
            )
        return self


class Stages(Component):
    """Split the images of each class into `count` subsets S_1..S_K, distilled in this order. Du et al. 2023 (SeqMatch).

    Stage k optimises S_k alone, for `schedule.steps` outer steps, with a step size of its own where one is learned.
    What it asks of images it asks of S_1..S_k together, of which the earlier subsets stay what their stages made of
    them. The networks it begins with were trained on S_1, then on S_1 u S_2, up to S_1..S_{k-1}, `epochs` passes each
    and otherwise as `evaluation` says: experts go on from them on real data, one from each; other objectives draw one
    of `networks` such networks wherever their first stage takes a fresh one.

    The result is an ordered curriculum, and networks are evaluated the same way: on S_1, then on S_1 u S_2, ..., each
    time for `evaluation.epochs`, K times as many in all as without stages.

    Stage numbers in files count from 0. One stage is what a recipe without stages does.
    """

    count: int = Field(default=1, ge=1, le=20, description="Subsets K; the images of a class are split evenly.")
    each: tuple[Stage, ...] = Field(
        default=(),
        max_length=20,
        description="Start epochs and step size of each stage; none gives every stage those of the recipe.",
    )
    epochs: int = Field(
        default=1000,
        ge=1,
        le=100_000,
        description="Passes over S_1, over S_1 u S_2, ..., that later stages' networks begin with.",
    )
    networks: int = Field(
        default=40,
        ge=1,
        le=10_000,
        description="Such networks that a later stage draws from; of trajectories, each expert has one of its own.",
    )

    @model_validator(mode="after")
    def _one_for_each(self) -> Self:
        if self.each and len(self.each) != self.count:
            raise invalid_combination(
                "each",
                f"{len(self.each)} stages are described, but there are {self.count}.",
                f"Set schedule.stages.each to [], or describe {self.count}.",
            )
        return self

    def split(self, ipc: int) -> tuple[int, ...]:
        """How many of a class's images each stage has: as even as can be, the larger ones first (17, 17, 16)."""
        size, more = divmod(ipc, self.count)
        return tuple(size + (stage < more) for stage in range(self.count))

    def seen(self, ipc: int) -> tuple[int, ...]:
        """How many of a class's images each stage works with: its own and the earlier ones."""
        return tuple(itertools.accumulate(self.split(ipc)))
