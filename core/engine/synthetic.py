"""What is optimised, and what every method returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from torch import Tensor

from core.engine.preprocess import Transform


class Synthetic(NamedTuple):
    """The synthetic set as an objective sees it.

    images [n, C, H, W] in the preprocessed space, labels [n, K] probabilities, step_size scalar.
    """

    images: Tensor
    labels: Tensor
    step_size: Tensor


class Gradients(NamedTuple):
    """d loss / d (images, labels, step_size); None where the objective does not depend on it.

    `curves` are numbers worth following from step to step, by name.
    """

    images: Tensor
    labels: Tensor | None
    step_size: Tensor | None
    curves: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class SyntheticDataset:
    """A distilled dataset: everything needed to train on it.

    images float32 [n, C, H, W] exactly as optimised, labels int64 [n], soft_labels [n, K] or None where labels are
    hard, step_size the learned one or None, transform the preprocessing the images live in, real bool [n] which of the
    images are real ones that nothing has changed.
    """

    images: Tensor
    labels: Tensor
    soft_labels: Tensor | None
    step_size: float | None
    transform: Transform
    real: Tensor
