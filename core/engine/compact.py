"""A result as it will be stored: images and labels rounded, if the recipe wants few bits, so that these are judged."""

from __future__ import annotations

import torch
from torch import Tensor

from core.compact import rounded, rounded_labels
from core.engine.preprocess import Transform
from core.recipe import Compact, Storage


def pixels(storage: Storage, images: Tensor, transform: Transform) -> Tensor | None:
    """The pixels uint8 that stand for images in few bits, on the device of these; None where nothing is rounded."""
    if not isinstance(storage, Compact):
        return None
    found = rounded(transform.inverse(images).cpu().numpy(), storage.bits)
    return torch.from_numpy(found).to(images.device)


def labels(storage: Storage, soft: Tensor) -> Tensor:
    """Probabilities [n, K] as they are read back."""
    if not isinstance(storage, Compact):
        return soft
    return torch.from_numpy(rounded_labels(soft.cpu().numpy(), storage)).to(soft.device)


def targets(storage: Storage, answers: Tensor) -> Tensor:
    """Regression targets [n, K] as they are read back."""
    return answers.half().float() if isinstance(storage, Compact) else answers
