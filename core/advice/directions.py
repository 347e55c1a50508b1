"""The directions of an example that a network's answers depend on: the intrinsic dimension, as far as it shows."""

from __future__ import annotations

from typing import Final, final

from pydantic import BaseModel, ConfigDict, Field

HELD: Final = 0.9
"""Share of the squares of a network's gradients that the counted directions hold."""


@final
class Directions(BaseModel):
    """The gradient outer product of a trained network, E sum_k grad f_k grad f_k^T, by its spectrum.

    Its leading directions are those in which an example has to change for the network's answers to change. There are at
    most as many as examples were looked at, and they are those of this network: another one may need others.
    """

    model_config = ConfigDict(frozen=True)

    held: int = Field(description="Directions that hold 90 % of the squares.")
    effective: float = Field(description="The participation ratio: (sum of eigenvalues)^2 / sum of their squares.")
    numbers: int = Field(description="Numbers of an example: all the directions that there are.")
    examples: int = Field(description="Examples of the validation split that gradients were taken at.")
    ipc: int = Field(description="Real images a class that the network was trained on.")

    @property
    def few(self) -> bool:
        """Whether the count is far from both of its bounds, and so says something."""
        return self.held < 0.5 * min(self.numbers, self.examples)

    def sentence(self, classes: int, pilots: tuple[int, ...]) -> str:
        """The estimate, held against the pilots' sizes; theory's order of magnitude is that of two-layer networks."""
        found = (
            f"Of the {self.numbers:,} directions in which an example can change, {self.held:,} hold {100 * HELD:.0f} % "
            f"of what the answers of a network on {self.ipc:,} real images a class depend on (effective number "
            f"{self.effective:.0f}, by {self.examples:,} examples)."
        )
        if not self.few:
            return f"{found} That is no small part of them, or more than so few examples show."
        sizes = [ipc * classes for ipc in pilots]
        beside = ", ".join(f"{size:,}" for size in sizes)
        word = "as many" if sizes and max(sizes) >= self.held else "fewer"
        return (
            f"{found} In theory's order of magnitude so many images or more span what matters; the pilots had "
            f"{beside}, {word}. It is an estimate of one network, and no promise."
        )
