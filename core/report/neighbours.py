"""The neighbours of a report: the training images nearest to the synthetic ones."""

from __future__ import annotations

from typing import final

from pydantic import Field

from core.report.section import Entry, Line, Measure, Section, Table


@final
class Pair(Entry):
    """A synthetic image and the training image nearest to it, by their places in the set and in the training split."""

    image: int
    class_name: str = Field(alias="class")
    nearest: int
    nearest_class: str
    distance: float
    spacing: float
    """From that training image to its own nearest other one."""


@final
class Neighbours(Entry):
    """How near synthetic images are to real ones, pixel by pixel (`core.engine.neighbours`)."""

    images: int = 0
    """Synthetic images that were looked at."""
    of: int = 0
    """Synthetic images there are."""
    closer: int = 0
    """Images nearer to a training image than that one is to its own nearest."""
    median_distance: float = 0.0
    median_spacing: float = 0.0
    pairs: tuple[Pair, ...] = ()
    words: str = ""

    def worded(self) -> Neighbours:
        """The entry with words, which reports have had from the beginning."""
        part = "" if self.images == self.of else f" (evenly spaced among all {self.of:,})"
        words = (
            f"Of {self.images:,} images{part} {self.closer:,} lie nearer to a training image than that one lies to "
            f"the training image nearest to it. The median distance is {self.median_distance:.2f}, beside "
            f"{self.median_spacing:.2f} between those training images and their nearest: root mean square differences "
            "of 8-bit pixels, each channel in standard deviations of the training split, 0 for a copy and about 1.4 "
            "for images without relation. Copies that are moved, mirrored or recoloured are not recognised."
        )
        return self.model_copy(update={"words": words})

    def section(self) -> Section:
        """The section on neighbours."""
        lines = [
            Line(
                title=f"image {pair.image} ({pair.class_name})",
                cells=(
                    f"number {pair.nearest:,} ({pair.nearest_class})",
                    Measure(value=pair.distance, unit="number"),
                    Measure(value=pair.spacing, unit="number"),
                ),
            )
            for pair in self.pairs
        ]
        pairs = Table(
            title="the nearest pairs",
            heading="Image",
            columns=("Nearest training image", "Distance", "Of that one to its nearest"),
            lines=tuple(lines),
        )
        return Section(name="neighbours", title="How near they are to real images", words=(self.words,), details=pairs)
