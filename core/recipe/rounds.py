"""Real images that are chosen in rounds, by networks that learn from the set so far."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from core.recipe.component import Component
from core.recipe.selection import Forgetting, LearnedScore


class Rounds(Component):
    """Real images after a first share of each class as the recipe makes it, chosen round after round (CCFS, 2025).

    In a round a fresh network is trained on the set so far, under the labels and the protocol of the result's own
    evaluation but for the epochs. Of each class those real images are taken that it gets wrong, the simplest first;
    where there are not enough, those that it is least sure of. Where a teacher labels the result, what the teacher gets
    wrong comes last. Without outer steps the first share is of real images, too: self-evolved selection.
    """

    first: float = Field(
        default=0.2, gt=0, lt=1, description="Share of each class's images that the recipe makes, at least one."
    )
    count: int = Field(default=3, ge=1, le=100, description="Rounds, in which as many images each are taken.")
    epochs: int = Field(default=100, ge=1, le=100_000, description="Passes of a round's network over the set so far.")
    score: Annotated[LearnedScore, Field(discriminator="kind")] = Field(
        default=Forgetting(), description="How hard an image is: the simplest are taken first."
    )

    def made(self, count: int) -> int:
        """How many of a class's images the recipe makes."""
        return max(1, math.floor(self.first * count + 1e-9))  # 0.29 * 100 is no 28

    def sizes(self, count: int) -> tuple[int, ...]:
        """How many of a class's images the recipe makes, and how many each round takes: the larger ones first."""
        size, more = divmod(count - self.made(count), self.count)
        return (self.made(count), *(size + (place < more) for place in range(self.count)))
