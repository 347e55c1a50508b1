"""The result that a finished job hands over to be published: arrays and plain data, no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from core.artifacts import layout
from core.artifacts.load import MADE
from core.data import DatasetFacts
from core.data.facts import Values
from core.nouns import worded
from core.report import Report


@final
@dataclass(frozen=True, eq=False)
class Column:
    """An array with an entry for each image, which some results have: its name, and that of one entry in parquet."""

    name: str
    entry: str
    values: NDArray[Any]


@final
@dataclass(frozen=True, eq=False)
class Beside:
    """A safetensors file of arrays that some results have beside their images, and what its metadata say.

    Naming it here is all that a file takes: it is written, listed with its checksum, and read by `load.other`.
    """

    name: str
    arrays: Mapping[str, NDArray[Any]]
    about: Mapping[str, Any]
    code: Mapping[str, str] = field(default_factory=dict)
    """Programs that go with it, by file name."""


@final
@dataclass(frozen=True, eq=False)
class Distilled:
    """A synthetic set of n images with all that is needed to train on it and to judge it.

    `transform` is the preprocessing as data, for x in [0, 1]: `{"kind": "none"}`;
    `{"kind": "mean_std", "mean": [C], "std": [C]}` for (x - mean) / std; or
    `{"kind": "zca", "mean": [D], "whiten": [D, D], "unwhiten": [D, D]}` for (flat(x) - mean) @ whiten. Of vectors and
    series `"values": "numbers"` says that x are the numbers as they are.
    """

    images: NDArray[np.float32]
    """[n, C, H, W] in the preprocessed space, exactly as optimised, as the engine has them (`core.data.Images`)."""
    labels: NDArray[np.int64]
    """[n] class of each image."""
    soft_labels: NDArray[np.float32] | None
    """[n, classes] probabilities, where the labels were learned."""
    regression_targets: NDArray[np.float32] | None = field(default=None, kw_only=True)
    """[n, classes] real numbers, where networks are to learn them by squared error."""
    pixels: Values
    """[n, C, H, W] the pixels 0..255 whose images are nearest to these, or the numbers of their source, float32."""
    real: NDArray[np.bool_]
    """[n] which of the images are real ones, changed by no more than the rounding of storage in few bits."""
    views: Mapping[str, NDArray[Any]] | None = field(default=None, kw_only=True)
    """The teacher's labels of views, record by record, as `load.py` replays them; None where nobody asked for them."""
    step_size: float | None
    """The learning rate learned with the images."""
    transform: Mapping[str, Any]
    facts: DatasetFacts
    request: Mapping[str, Any]
    recipe: Mapping[str, Any]
    report: Report
    metrics: Sequence[Mapping[str, Any]]
    """One row per logged value: step, seconds, name, value."""
    provenance: Mapping[str, Any]
    """versions, hardware, timings, seeds, commit, fingerprint, and what probes have chosen."""
    stage: NDArray[np.int64] | None = None
    """[n] the stage of each image, counted from 0, where the set is an ordered curriculum of several."""
    step_sizes: tuple[float, ...] = ()
    """Then the learning rate learned in each stage, if any were, and `step_size` is None."""
    stored: NDArray[np.uint8] | None = None
    """[m, C, H, W] the pixels in the compact file, where there is one: those of tiles before they are enlarged."""
    beside: tuple[Beside, ...] = ()
    """More files, such as the generator that the images come from."""

    def __post_init__(self) -> None:
        n = len(self.labels)
        assert n > 0, "a synthetic set has at least one image"
        assert self.images.shape == (n, *self.facts.shape), f"images are {self.images.shape}"
        assert self.pixels.shape == self.images.shape, f"pixels are {self.pixels.shape}"
        assert self.images.dtype == np.float32, f"images are {self.images.dtype}"
        kept = np.uint8 if self.facts.kind == "pictures" else np.float32
        assert self.pixels.dtype == kept, f"pixels are {self.pixels.dtype}"
        assert 0 <= self.labels.min() <= self.labels.max() < self.facts.classes, "labels name classes"
        assert self.real.shape == (n,), f"marks of real images are {self.real.shape}"
        assert self.stage is None or self.stage.shape == (n,), "one stage an image"
        stages = 0 if self.stage is None else int(self.stage.max()) + 1
        assert len(self.step_sizes) in (0, stages), "one step size a stage"
        assert self.soft_labels is None or self.soft_labels.shape == (n, self.facts.classes), "one soft label an image"
        targets = self.regression_targets
        assert targets is None or targets.shape == (n, self.facts.classes), "one target an image and class"
        assert self.transform["kind"] in ("none", "mean_std", "zca"), f"no transform {self.transform['kind']}"

    @property
    def is_synthetic(self) -> bool:
        """Whether at least one image is no real one; a recipe of zero steps only selects real ones."""
        return not self.real.all()

    @property
    def marks_real(self) -> bool:
        """Whether the files say of each image if it is real: where they are not all of the kind the recipe makes."""
        selects = self.recipe.get("objective", {}).get("kind") == "nothing"
        return bool((self.real != (selects and self.recipe.get("init", {}).get("kind") not in MADE)).any())

    @property
    def columns(self) -> list[Column]:
        """The arrays with an entry for each image, beside images and labels."""
        each = (
            ("soft_labels", "soft_label", self.soft_labels),
            ("regression_targets", "regression_target", self.regression_targets),
            ("real", "real", self.real if self.marks_real else None),
            ("stage", "stage", self.stage),
        )
        return [Column(name, _free(entry, self.facts), values) for name, entry, values in each if values is not None]

    @property
    def files(self) -> tuple[Beside, ...]:
        """The files of arrays beside the images: labels of views, and all of `beside`."""
        if self.views is None:
            return self.beside
        about = {"schema_version": 1, "classes": self.facts.classes, **self.recipe["relabel"]}
        return (Beside(layout.VIEWS, self.views, about), *self.beside)

    @property
    def size(self) -> str:
        """How large it is, as people say it: "10 images per class", "1 to 9 rows per class"."""
        counts = np.bincount(self.labels, minlength=self.facts.classes)
        low, high = int(counts.min()), int(counts.max())
        each = f"{high:,}" if low == high else f"{low:,} to {high:,}"
        return worded(f"{each} image{'s' if high > 1 else ''} per class", self.facts.kind)


def columns_of(facts: DatasetFacts) -> list[str]:
    """The names of a table's columns, or of the channels of series: their own, else `x0`, `x1` and so on."""
    return list(facts.columns) or [f"x{place}" for place in range(facts.shape[0])]


def label_of(facts: DatasetFacts) -> str:
    """The name of the column of labels: one that no other column has."""
    return _free("label", facts)


def _free(name: str, facts: DatasetFacts) -> str:
    while name in facts.columns:
        name += "_"
    return name
