"""An earlier result that a job goes on from: its images, and what was learned with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import torch
from torch import Tensor

from core.data import DatasetFacts
from core.engine.distill import Leaves, State
from core.engine.stored import opened
from core.recipe import Learnable, Recipe, RecipeError, Targets
from core.recipe.checks.images import learns_step_size
from core.recipe.component import FieldError


@final
@dataclass(frozen=True)
class Continued:
    """Images [K * m, C, H, W] of a result in its preprocessed space, m of each class, the classes in order.

    `soft_labels` and `targets` are [K * m, K]; what was not learned is None.
    """

    images: Tensor
    soft_labels: Tensor | None
    targets: Tensor | None
    step_size: float | None

    def fills(self, ipc: int, classes: int) -> bool:
        """Whether a set of so many images a class has no others."""
        return len(self.images) == ipc * classes


def read(path: Path, facts: DatasetFacts, device: torch.device) -> Continued:
    """The result of a file `dataset.safetensors`.

    Raises:
        RecipeError: it is of other data.
    """
    metadata, tensors = opened(path, device)
    if json.loads(metadata["stillhouse"])["dataset_digest"] != facts.digest:
        told = f"The job goes on from images of other data than '{facts.label}' holds now."
        raise RecipeError([FieldError("continue_from", told, "Distil the dataset anew, without continue_from.")])
    step_size = tensors.get("step_size")
    return Continued(
        images=tensors["images"].float(),
        soft_labels=tensors.get("soft_labels"),
        targets=tensors.get("regression_targets"),
        step_size=None if step_size is None else float(step_size),
    )


def images(given: Continued, ipc: int, classes: int, further: Callable[[], Tensor]) -> Tensor:
    """The images [K * ipc, C, H, W] that the job begins with: of each class the given ones, then the `further` ones."""
    if given.fills(ipc, classes):
        return given.images
    kept = given.images.unflatten(0, (classes, -1))
    more = further().unflatten(0, (classes, ipc))[:, kept.shape[1] :]
    return torch.cat([kept, more], 1).flatten(0, 1)


def onto(given: Continued, recipe: Recipe, state: State, classes: int) -> State:
    """A state that begins with those images, with what was learned beside them as far as the recipe learns it, too."""
    logits = state.leaves.logits.clone().unflatten(0, (classes, -1))
    each = len(given.images) // classes
    if isinstance(recipe.labels, Learnable) and given.soft_labels is not None:
        floor = torch.finfo(given.soft_labels.dtype).tiny
        logits[:, :each] = given.soft_labels.clamp_min(floor).log().unflatten(0, (classes, -1))
    if isinstance(recipe.labels, Targets) and given.targets is not None:
        logits[:, :each] = given.targets.unflatten(0, (classes, -1))
    log_step_size = state.leaves.log_step_size
    if given.step_size is not None and learns_step_size(recipe):
        log_step_size = torch.full_like(log_step_size, given.step_size).log()
    leaves = Leaves(state.leaves.images, logits.flatten(0, 1), log_step_size)
    return replace(state, leaves=leaves, good=leaves, average=state.average and leaves)
