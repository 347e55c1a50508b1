"""The real data as the engine sees it: preprocessed, on the device, indexed by class."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from core.data import Dataset, Images
from core.engine.preprocess import Transform, fit
from core.recipe import Preprocess


@dataclass(frozen=True)
class Labelled:
    """Preprocessed images float32 [N, C, H, W] and class indices int64 [N], on one device."""

    images: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Real:
    """A dataset ready for distillation. `members[c]` are the training indices of class c."""

    train: Labelled
    validation: Labelled
    test: Labelled
    transform: Transform
    shape: tuple[int, int, int]
    classes: int
    members: tuple[Tensor, ...]


def prepare(dataset: Dataset, preprocess: Preprocess, device: torch.device) -> Real:
    """Fit the preprocessing on the training split and apply it to all three."""
    transform = fit(preprocess, torch.from_numpy(dataset.train.images).to(device))

    def ready(part: Images) -> Labelled:
        pixels, labels = torch.from_numpy(part.images).to(device), torch.from_numpy(part.labels).to(device)
        return Labelled(transform.forward(pixels), labels)

    train = ready(dataset.train)
    members = tuple((train.labels == c).nonzero().flatten() for c in range(dataset.facts.classes))
    return Real(
        train,
        ready(dataset.validation),
        ready(dataset.test),
        transform,
        dataset.facts.shape,
        dataset.facts.classes,
        members,
    )
