"""A recipe at the size of its dataset: everything that the cost of a step is counted from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from core.plan.cost.geometry import Geometry
from core.plan.cost.passes import Sizes, Stack
from core.recipe import Recipe


@final
@dataclass(frozen=True)
class Scale:
    """The recipe, the images it sees, the network, and how many of those are trained together."""

    recipe: Recipe
    sizes: Sizes
    network: Geometry
    stack: Stack
