"""The variables that are optimised, and the synthetic set that every method returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, pairwise
from types import MappingProxyType
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from core.engine.preprocess import Transform
from core.engine.view_labels import ViewLabels
from core.recipe import Counts
from core.recipe.share import equal


class Synthetic(NamedTuple):
    """The synthetic set as an objective sees it.

    images [n, C, H, W] in the preprocessed space, labels [n, K] probabilities, step_size scalar. Images lie class by
    class: `counts` of each, or where it is empty as many of each. `anchors` [n, C, H, W] are the real images that they
    were made of, for an objective that compares both.
    """

    images: Tensor
    labels: Tensor
    step_size: Tensor
    counts: Counts = ()
    anchors: Tensor | None = None

    def parts(self, classes: int) -> list[range]:
        """Which images are of each class."""
        ends = [*accumulate(self.counts or equal(len(self.images) // classes, classes), initial=0)]
        return [range(first, end) for first, end in pairwise(ends)]


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
    images are real ones that nothing has changed. `views` are the labels of their views, if a teacher was asked for
    some, and `temperature` is what students divide their logits by, whatever kind of label they learn from. Where
    networks learn by squared error, targets [n, K] are what they learn.

    Of a result in stages, `stage` int64 [n] says which one each image belongs to, counted from 0, and `step_sizes` are
    those learned in each, in order; then there is no single `step_size`.

    Where the recipe stores the result in few bits, `stored` uint8 [m, C, H, W] are the pixels that the images were made
    of, those of tiles before these were enlarged.
    """

    images: Tensor
    labels: Tensor
    soft_labels: Tensor | None
    step_size: float | None
    transform: Transform
    real: Tensor
    stage: Tensor | None = None
    step_sizes: tuple[float, ...] = ()
    views: ViewLabels | None = None
    temperature: float = 1.0
    targets: Tensor | None = None
    stored: Tensor | None = None

    def before(self, stage: int) -> SyntheticDataset:
        """The part of a result in stages that the stages before the given one made."""
        assert self.stage is not None, "asked of results in stages only"
        assert self.targets is None, "targets are solved for the whole set, which has no stages then"
        return replace(self.part(self.stage < stage), step_sizes=self.step_sizes[:stage])

    def part(self, kept: Tensor) -> SyntheticDataset:
        """The images of a choice, bool [n], with what goes with them; of tiles all or none of a stored image."""
        return replace(
            self,
            images=self.images[kept],
            labels=self.labels[kept],
            soft_labels=None if self.soft_labels is None else self.soft_labels[kept],
            real=self.real[kept],
            stage=None if self.stage is None else self.stage[kept],
            stored=None if self.stored is None else self.stored[kept.view(len(self.stored), -1)[:, 0]],
        )

    def counts(self, classes: int) -> Counts:
        """How many images each class has."""
        return tuple(self.labels.bincount(minlength=classes).tolist())

    @cached_property
    def pixels(self) -> Tensor:
        """The images as they are published, uint8 [n, C, H, W]; of rows and series the numbers of their source."""
        return self.transform.inverse(self.images)

    @property
    def rounded(self) -> Tensor:
        """The images that these pixels stand for, in the space of `images`."""
        return self.transform.forward(self.pixels)

    @property
    def stages(self) -> int:
        """How many stages made it; 1 of a result without."""
        return 1 if self.stage is None else int(self.stage.max()) + 1

    @property
    def bytes_images(self) -> int:
        """Bytes of the images and of the arrays that bring other images into their space."""
        needed = [array for name, array in self.transform.arrays.items() if name != "unwhiten"]
        return sum(tensor.nbytes for tensor in (self.images, *needed))

    @property
    def bytes_labels(self) -> int:
        """Bytes of the labels: one of each class, and what goes with the images beside it."""
        given = [array.nbytes for array in (self.soft_labels, self.targets) if array is not None]
        return len(self.images) + sum(given) + (0 if self.views is None else self.views.nbytes(len(self.images)))

    def supervision(self, classes: int) -> Tensor:
        """The labels to train on, float32 [n, K]: targets, soft labels, or else each image's class alone."""
        if self.targets is not None:
            return self.targets
        return F.one_hot(self.labels, classes).float() if self.soft_labels is None else self.soft_labels
