"""The measurements that advice rests on, as data: accuracies on the validation split by kind and number of images."""

from __future__ import annotations

from typing import Final, Literal, final

from pydantic import BaseModel, ConfigDict

from core.advice.directions import Directions
from core.advice.study import Study

VERSION: Final = 2
"""Raised whenever the same study would measure something else; part of what advice is kept under."""

Source = Literal["random", "window", "distilled"]
"""Random real images, real images of a range of difficulty, or distilled ones."""


@final
class Point(BaseModel):
    """Validation accuracies, each of a fresh network, of one kind and number of images a class.

    Random images are drawn anew for each network, nested in those of the larger points of the same network. A window
    says the share of the images of a class, hardest first, that it leaves out. Distilled images are those of one run.
    """

    model_config = ConfigDict(frozen=True)

    source: Source
    ipc: int
    accuracies: tuple[float, ...]
    seconds: float
    skipped: float | None = None
    run: int = 0


@final
class Measured(BaseModel):
    """The content of `advice.json`: what was to be measured, and what was."""

    model_config = ConfigDict(frozen=True)

    study: Study
    dataset: str
    digest: str
    classes: int
    shape: tuple[int, int, int]
    smallest_class: int
    """Images of the rarest class that may be taken."""
    validation: int
    """Images of the validation split that accuracies were taken on."""
    tests: int
    """Images of the test split, on which a job will be judged; nothing here has looked at it."""
    validation_telling: float | None = None
    """Images that would tell the accuracy as surely, were each counted alike; None where all are (`tests_telling`)."""
    tests_telling: float | None = None
    network: str
    hardware: str
    points: tuple[Point, ...]
    seconds: float
    directions: Directions | None = None
    """The directions that a network's answers depend on; None of earlier measurements, and where time was short."""
    left_out: tuple[str, ...] = ()
    """Points of the study that its time did not suffice for, in words."""

    @property
    def balanced(self) -> bool:
        """Whether accuracies are balanced: the mean of each class's."""
        return self.study.recipe.evaluation.measure == "balanced"

    def of(self, source: Source) -> list[Point]:
        """The points of a kind, by number of images."""
        return sorted((each for each in self.points if each.source == source), key=lambda each: each.ipc)
