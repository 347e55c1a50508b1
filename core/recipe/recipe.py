"""A recipe: every choice together, none of which contradicts another."""

from __future__ import annotations

from typing import Self, final

from pydantic import model_validator

from core.recipe.checks import CHECKS
from core.recipe.choices import Choices


@final
class Recipe(Choices):
    """One way to distil a dataset, completely: with a dataset, an ipc and a seed it determines the result."""

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        for check in CHECKS:
            check(self)
        return self
