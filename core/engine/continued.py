"""An earlier result that a job goes on from: its images, and what was learned with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Final, final

import torch
from pydantic import TypeAdapter
from torch import Tensor

from core.data import DatasetFacts
from core.engine.state import Leaves, State
from core.engine.stored import opened
from core.recipe import Counts, Learnable, Recipe, RecipeError, Targets
from core.recipe.checks.images import learns_step_size
from core.recipe.component import FieldError
from core.recipe.start import Init

_INIT: Final = TypeAdapter[Init](Init)


@final
@dataclass(frozen=True)
class Continued:
    """Images [n, C, H, W] of a result in its preprocessed space, the classes in order, of their `labels` int64 [n].

    `soft_labels` and `targets` are [n, K]; what was not learned is None. `real` bool [n] marks those that are real.
    """

    images: Tensor
    labels: Tensor
    soft_labels: Tensor | None
    targets: Tensor | None
    step_size: float | None
    real: Tensor

    def fills(self, counts: Counts) -> bool:
        """Whether a set of so many images of each class has no others."""
        return len(self.images) == sum(counts)

    def place(self, counts: Counts) -> Tensor:
        """Where its images are in a set of so many of each class, int64 [n]: those that come first in their class."""
        given = self.labels.bincount(minlength=len(counts)).tolist()
        starts = [0, *accumulate(counts)]
        parts = [torch.arange(first, first + count) for first, count in zip(starts, given, strict=False)]
        return torch.cat(parts).to(self.images.device)


def read(path: Path, facts: DatasetFacts, device: torch.device) -> Continued:
    """The result of a file `dataset.safetensors`.

    Raises:
        RecipeError: it is of other data.
    """
    metadata, tensors = opened(path, device)
    about = json.loads(metadata["stillhouse"])
    if about["dataset_digest"] != facts.digest:
        told = f"The job goes on from images of other data than '{facts.label}' holds now."
        raise RecipeError([FieldError("continue_from", told, "Distil the dataset anew, without continue_from.")])
    step_size = tensors.get("step_size")
    selects = about["recipe"]["objective"]["kind"] == "nothing"
    whole = selects and not _INIT.validate_python(about["recipe"]["init"]).alters_images
    return Continued(
        images=tensors["images"].float().view(-1, *facts.shape),
        labels=tensors["labels"].long(),
        soft_labels=tensors.get("soft_labels"),
        targets=tensors.get("regression_targets"),
        step_size=None if step_size is None else float(step_size),
        real=tensors["real"].bool() if "real" in tensors else torch.full_like(tensors["labels"], whole).bool(),
    )


def images(given: Continued, counts: Counts, further: Callable[[], Tensor]) -> Tensor:
    """The images [sum(counts), C, H, W] that a job begins with: of each class the given ones, then `further` ones."""
    if given.fills(counts):
        return given.images
    found = further().clone()
    found[given.place(counts)] = given.images
    return found


def onto(given: Continued, recipe: Recipe, state: State, counts: Counts) -> State:
    """A state that begins with those images, with what was learned beside them as far as the recipe learns it, too."""
    logits, place = state.leaves.logits.clone(), given.place(counts)
    if isinstance(recipe.labels, Learnable) and given.soft_labels is not None:
        floor = torch.finfo(given.soft_labels.dtype).tiny
        logits[place] = given.soft_labels.clamp_min(floor).log()
    if isinstance(recipe.labels, Targets) and given.targets is not None:
        logits[place] = given.targets
    log_step_size = state.leaves.log_step_size
    if given.step_size is not None and learns_step_size(recipe):
        log_step_size = torch.full_like(log_step_size, given.step_size).log()
    leaves = Leaves(state.leaves.images, logits, log_step_size)
    return replace(state, leaves=leaves, good=leaves, average=state.average and leaves)
