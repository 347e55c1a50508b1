"""The decisions on a job's kernels as the engine asks for them: of any recipe, and of a candidate of a race."""

from __future__ import annotations

from typing import Protocol

import torch

from core.data import DatasetFacts
from core.engine.context import KernelPlan
from core.engine.kernels import Eager
from core.engine.networks import Network
from core.recipe import Recipe


class Planner(Protocol):
    """Decides which kernels compute a job of so many images a class."""

    def __call__(
        self,
        recipe: Recipe,
        facts: DatasetFacts,
        ipc: int,
        network: Network,
        device: torch.device,
        /,
        *,
        waits: bool = True,
    ) -> KernelPlan:
        """The plan; where it `waits` for no compiler, with those programs alone that are compiled already."""


class Planning(Protocol):
    """The kernels of a candidate, see `Planner`."""

    def __call__(self, recipe: Recipe, /, *, waits: bool) -> KernelPlan:
        """They are compiled first where it `waits` for that."""


def eager(
    recipe: Recipe, facts: DatasetFacts, ipc: int, network: Network, device: torch.device, *, waits: bool = True
) -> KernelPlan:
    """Kernels as they are written, that keep nothing between the steps of a student."""
    return KernelPlan(Eager(network), "The kernels are not compiled.", 0, {}, frozenset())
