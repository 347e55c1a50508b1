"""How the result is stored: as it was optimised, or in few bits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from core.recipe.component import Component, Later


class Exact(Component):
    """Every value as it was optimised, in 32 bits."""

    kind: Literal["exact"] = "exact"


class Compact(Component):
    """A file of few bytes beside the others, which all hold the values that are in it.

    The result is judged after rounding. Pixels are the nearest in [0, 1], rounded to 2^bits levels; images made of
    tiles are stored before these are enlarged. Soft labels are whole numbers in proportion to a label's
    probabilities, the largest of which is 2^label_bits - 1; classes beyond the `top` share one more such number alike,
    so that all of them together are about as likely as they were. Regression targets have half precision.
    """

    kind: Literal["compact"] = "compact"
    bits: int = Field(default=8, ge=1, le=8, strict=True, description="Bits of a pixel's value in each channel.")
    label_bits: Literal[4, 8, 16] = Field(default=8, description="Bits of each class's share in a soft label.")
    top: int | None = Field(
        default=None, ge=1, description="Classes of a soft label with a share of their own, the likeliest; null: all."
    )

    def own(self, classes: int) -> int | None:
        """Classes of a soft label that have a share of their own, where others have one alike; None if each has."""
        return None if self.top is None or self.top >= classes - 1 else self.top

    def shares(self, classes: int) -> int:
        """The shares that are stored of a soft label."""
        own = self.own(classes)
        return classes if own is None else own + 1


class Columns(Component):
    """Rows of a table in numbers that their columns have.

    The result is judged after rounding. Each number of a row that is no real one becomes the nearest of `levels`
    quantiles of its column's training rows. A column that is mostly zeros has zeros then, and whole numbers stay whole:
    trees split a table where distilled rows of a class have a number that no real row has.
    """

    kind: Literal["columns"] = "columns"
    levels: int = Field(
        default=21, ge=2, le=1001, strict=True, description="Quantiles of a column, both ends included."
    )


Storage = Annotated[Annotated[Exact | Compact | Columns, Field(discriminator="kind")], Later(neutral={"kind": "exact"})]
