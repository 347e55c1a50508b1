"""Images recovered from a teacher: it recognises them, and its layers see in them what they saw in the real ones."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from core.recipe.component import Component, invalid_combination
from core.recipe.traits import ObjectiveTraits


class Views(Component):
    """How a group of images is seen in an outer step: all of them through the same crop, mirror and roll.

    A crop is enlarged to the image's size. With `curriculum` the smallest share falls from the whole image to `crop`
    along a cosine over the outer steps (CDA), so that large structure comes before detail.
    """

    roll: float = Field(
        default=0.125, ge=0, lt=1, description="Largest circular shift in each direction, as a share of the side."
    )
    crop: float | None = Field(
        default=None, gt=0, le=1, description="Smallest share of the area that a crop keeps; none does not crop."
    )
    curriculum: bool = Field(default=False, description="Whether crops begin with whole images (CDA).")
    flip: bool = Field(default=False, description="Whether half of the views are mirrored.")

    @model_validator(mode="after")
    def _a_curriculum_is_of_crops(self) -> Self:
        if self.curriculum and self.crop is None:
            raise invalid_combination(
                "curriculum",
                "Without crops nothing can go from large to small.",
                "Set objective.views.crop, for instance to 0.35, or objective.views.curriculum to false.",
            )
        return self


class Adjustment(Component):
    """Each group of images has a teacher of its own, moved a little against them (DWA, Du et al. 2024).

    Before the first step it takes `steps` ascents of rho / steps along the normalised gradient of its loss on the
    initial images, in all of its parameters: a first-order way to forget them. Lengths do not carry over from network
    to network: without `rho` one is found by its effect, that the loss on these images rises by `rise`, a share of it.
    """

    steps: int = Field(default=12, ge=1, le=1000, description="Ascents K.")
    rho: float | None = Field(
        default=None, ge=0, le=100, description="Length of the path; none finds it by `rise`, 0 leaves the teacher."
    )
    rise: float = Field(default=0.3, gt=0, le=10, description="Share by which the loss on the initial images rises.")


class Statistics(ObjectiveTraits):
    """Make a teacher recognise the images, and see in them the statistics of the real ones (Yin, Xing & Shen 2023).

    For each group of images: cross-entropy + sum_l k_l ( mean ||m_l - m^_l||_2 + variance ||v_l - v^_l||_2 ), where k_l
    is `first` for the first layer, of convolutions for its channels alone, and 1 for all others. "slot" groups one
    image of each class (SRe2L); "class" the images of a class, whose own statistics are then matched (LPLD, Xiao & He
    2024); "whole" takes all together. "difficulty" groups as "slot" does, and each of the ipc slots has the statistics
    of its part of the real images, the first slot those of the easiest ones of each class, that is of those whose own
    statistics are nearest to the teacher's (PSM, 2026, reconstructed from its description; its initial images of the
    same parts are left out).
    "norm" reads the inputs of batch norms. "convolution" reads those of convolutions, over channels and over a grid of
    4x4 patches (from G-VBSM, Shao et al. 2024), and so works with every norm.
    """

    kind: Literal["statistics"] = "statistics"
    needs_teacher: ClassVar[bool] = True
    statistics: Literal["norm", "convolution"] = Field(
        default="norm", description="Inputs of batch norms, or of convolutions, whatever the norm."
    )
    group: Literal["slot", "class", "whole", "difficulty"] = Field(
        default="slot",
        description="Whose statistics are compared: an image of each class, those of a class, all; or an image of each "
        "class with real ones of one difficulty.",
    )
    mean: float = Field(default=0.01, ge=0, le=1e6, description="Weight of the means.")
    variance: float = Field(default=0.01, ge=0, le=1e6, description="Weight of the variances.")
    first: float = Field(default=10.0, ge=0, le=1e6, description="Weight of the first layer, the others having 1.")
    views: Views = Field(default=Views(), description="How the images are seen in a step.")
    adjust: Adjustment | None = Field(default=None, description="How each group's teacher is moved (DWA).")

    @property
    def is_paced(self) -> bool:
        """Whether an outer step depends on how many there will be: crops become smaller over all of them."""
        return self.views.curriculum
