"""The facts about a dataset, its arrays, and the three ways in which a dataset can be missing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, final

import numpy as np
from numpy.typing import NDArray

Source = Literal["embedded", "torchvision", "bundle", "upload", "formula"]

Kind = Literal["pictures", "vectors", "series"]
"""Pictures are uint8 of H x W pixels; vectors are rows of a table, series run in time, both float32."""

Values = NDArray[np.uint8] | NDArray[np.float32]
"""Pixels of pictures, or the numbers of vectors and series."""

Judge = Literal["known", "uploader", "probe", "undecided"]
"""Whose word it is: ours on a famous dataset, the uploader's, a probe's of the images, or nobody's."""


UNEQUAL: Final = 1.25
"""Times the images of the rarest class; of MNIST's it is 1.1."""


@final
class UnknownDataset(ValueError):
    """No dataset has this name; the message offers the nearest names."""


@final
class DatasetUnavailable(ValueError):
    """The dataset is known but not on disk and cannot be fetched; the message says which file to put where."""


@final
class DatasetChanged(ValueError):
    """The dataset of this name has another content than it was asked for with."""


@final
class DatasetInvalid(ValueError):
    """A bundle exists but cannot be used; the message says what is wrong with it and how to mend it."""


@final
@dataclass(frozen=True)
class Copies:
    """Images that are others to the last pixel."""

    train: int
    """Training images that may go without a picture being lost."""
    test: int
    """Test images that may."""
    across: int
    """Test images that are training images."""
    classes: int
    """Pictures that are in more than one class, in either split."""


@final
@dataclass(frozen=True)
class NearCopies:
    """Images that nearly are others, as `core.data.near_copies` compares them, and none that are equal to them."""

    train: int
    """Training images that nearly are another one."""
    test: int
    """Test images that nearly are another one."""
    across: int
    """Test images that nearly are a training image, and are equal to none."""
    classes: int
    """Images, in either split, that nearly are one of another class."""
    complete: bool = True
    """False where so many had to be compared that there may be more."""


@final
@dataclass(frozen=True)
class Mirroring:
    """Whether a mirrored picture of a dataset stays what it is, so that networks may be trained on both."""

    allowed: bool
    by: Judge
    reason: str
    """Half a sentence: what speaks for it."""
    examples: tuple[tuple[int, int], ...] = field(default=(), compare=False)
    """Places of training images whose mirrored copies the probe was shown, and the class each was taken for."""

    @property
    def remark(self) -> str:
        """A statement on whether pictures are mirrored, why, and how to have it otherwise."""
        done = "Mirrored pictures are trained on, too" if self.allowed else "No picture is mirrored in training"
        if self.by != "undecided":
            return f"{done}: {self.reason}."
        return (
            f"{done}: it could not be told whether a mirrored picture stays what it is ({self.reason}). Upload it with "
            "mirror=yes or mirror=no, or list 'flip' in a job's augment.transforms or leave it out there."
        )


@final
@dataclass(frozen=True)
class DatasetFacts:
    """A dataset in one row of the catalogue, true whether or not its arrays are on this machine.

    `train_count` counts every training image of the source, validation included. `smallest_class` counts the
    images of the rarest class in the part that distillation may use, so it bounds the images per class.
    """

    name: str
    title: str
    shape: tuple[int, int, int]
    """(channels, height, width); of vectors of F columns (F, 1, 1), of series of C channels and T steps (C, 1, T)."""
    classes: int
    class_names: tuple[str, ...]
    train_count: int
    test_count: int
    smallest_class: int
    digest: str | None
    """`sha256:<hex>` over the contents of all arrays; None when the dataset is not on disk."""
    licence: str
    citation: str
    on_disk: bool
    source: Source
    where: str
    """Where the dataset is, or which file to put where."""
    mirroring: Mirroring
    """A function of the images, or somebody's word; never of the name."""
    members: tuple[int, ...] = ()
    """Images of each class in the part that distillation may use; empty where nobody counted them."""
    copies: Copies | None = None
    """None when the dataset is not on disk."""
    near: NearCopies | None = None
    """None where nobody looked for them: they are looked for in uploads."""
    brightest: tuple[int, int] | None = None
    """Largest value of a pixel of the training and of the test images; None when the dataset is not on disk, and of
    what is no picture."""
    kind: Kind = "pictures"
    columns: tuple[str, ...] = ()
    """The names of a table's columns or of the channels of series; empty where they have none."""
    validation: int | None = None
    """Training images that are the source's own validation split; None where a tenth of each class is drawn."""

    @property
    def natural(self) -> tuple[int, ...]:
        """The shape of an example as its source has it: (C, H, W), of vectors (F,), of series (C, T)."""
        return natural(self.kind, self.shape)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Images of each class that distillation may use; where nobody counted them, of each as of the rarest."""
        return self.members or (self.smallest_class,) * self.classes

    @property
    def mean_class(self) -> int:
        """Images of a class that distillation may use, in the mean over classes."""
        return sum(self.sizes) // self.classes

    @property
    def unequal(self) -> bool:
        """Whether the rarest class is so rare that the mean of all has more than `UNEQUAL` times its images."""
        if self.validation is not None:
            return self.train_count - self.validation > UNEQUAL * self.classes * self.smallest_class
        rarest = self.smallest_class + max(1, round(self.smallest_class / 9))  # a tenth of a class is held out
        return self.train_count > UNEQUAL * self.classes * rarest

    @property
    def label(self) -> str:
        """The word that people know it by: its name, but of an upload the title that its owner gave it."""
        return self.title if self.source == "upload" else self.name


@final
@dataclass(frozen=True, eq=False)
class Images:
    """Labelled examples: `images` [N, C, H, W], `labels` int64 [N] in 0..classes-1.

    Pictures are uint8. Vectors [N, F, 1, 1] and series [N, C, 1, T] are float32: each column and each channel is a
    channel of its own.
    """

    images: Values
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: NDArray[np.int64]) -> Images:
        """A copy of the pictures at `index`, in that order."""
        return Images(self.images[index], self.labels[index])


@final
@dataclass(frozen=True, eq=False)
class Dataset:
    """A dataset in memory. Distillation sees `train`, choices are made on `validation`, `test` is for reports.

    `c_scores` float64 [N], from 0 (hard) to 1 (easy), are those of `train`, where they were asked for;
    `c_scores_digest` says which they are.
    """

    facts: DatasetFacts
    train: Images
    validation: Images
    test: Images
    c_scores: NDArray[np.float64] | None = None
    c_scores_digest: str | None = None


def natural(kind: Kind, shape: tuple[int, int, int]) -> tuple[int, ...]:
    """The shape of an example of a kind as its source has it, of its (channels, height, width)."""
    channels, height, width = shape
    return {"pictures": (channels, height, width), "vectors": (channels,), "series": (channels, width)}[kind]
