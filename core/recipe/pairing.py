"""Tiles that a teacher is to see as it sees the real images behind them."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from core.recipe.traits import ObjectiveTraits


class Paired(ObjectiveTraits):
    """Make a teacher see each tile, enlarged, as it sees the real image that the tile was made of (CIM).

    For each pair the distance of the features that the teacher has of both under one augmentation, the recipe's own,
    which is drawn anew in every outer step. Real images do not move: what is learned is what a tile lost when it was
    made small. The classifier is not asked, and no statistic is matched.
    """

    kind: Literal["paired"] = "paired"
    needs_teacher: ClassVar[bool] = True
    pairs_images: ClassVar[bool] = True
    depth: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Where features are taken: after this share of the convolutions; 1 is before the last layer.",
    )
    distance: Literal["squared", "absolute"] = Field(
        default="squared", description="Of two features: the square of their difference, or its modulus."
    )
