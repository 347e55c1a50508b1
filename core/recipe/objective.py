"""What the synthetic images are asked to match."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from core.recipe.part import Part, meaningless


class Trajectory(Part):
    """Match `syn_steps` student steps on the synthetic set to `expert_epochs` of an expert's training on real data.

    The start epoch is uniform on [`min_start_epoch`, `max_start_epoch`). Cazenavette et al. 2022, equation 2.
    """

    kind: Literal["trajectory"] = "trajectory"
    syn_steps: int = Field(default=30, ge=1, le=1000, description="Student steps N.")
    expert_epochs: int = Field(default=2, ge=1, le=100, description="Expert epochs M the student must cover.")
    min_start_epoch: int = Field(default=0, ge=0, le=1000, description="First epoch a segment may start from.")
    max_start_epoch: int = Field(default=20, ge=1, le=1000, description="Segments start before this epoch (T+).")
    batch_size: int | None = Field(
        default=None, ge=1, description="Synthetic images in a student step; none takes the whole set."
    )
    momentum: float = Field(default=0.0, ge=0, lt=1, description="The student's momentum.")

    @model_validator(mode="after")
    def _window_is_not_empty(self) -> Self:
        if self.min_start_epoch >= self.max_start_epoch:
            raise meaningless(
                "max_start_epoch",
                f"No epoch lies in [{self.min_start_epoch}, {self.max_start_epoch}).",
                f"Set max_start_epoch to at least {self.min_start_epoch + 1}.",
            )
        return self


class Distribution(Part):
    """Match the mean embedding of each class under freshly initialised networks. Zhao & Bilen 2023, equation 6."""

    kind: Literal["distribution"] = "distribution"
    real_batch: int = Field(default=256, ge=1, le=65_536, description="Real images a class and step.")


class Nothing(Part):
    """No objective: the initial images are the result. Selection is initialisation with zero steps."""

    kind: Literal["nothing"] = "nothing"


Objective = Annotated[Trajectory | Distribution | Nothing, Field(discriminator="kind")]
