"""The coverage of a report: the share of easy and of hard test images near the images, beside random ones."""

from __future__ import annotations

from typing import Any, Final, Literal, final

from pydantic import Field

from core.report.section import Curves, Entry, Line, Measure, Section, Series, Table

_SETS: Final[dict[str, tuple[str, Literal["solid", "dashed", "dotted"]]]] = {
    "distilled": ("these images", "solid"),
    "random": ("as many random ones", "dashed"),
    "full": ("all training images", "dotted"),
}
"""Title and stroke of each set."""

_HALVES: Final = ("easy", "hard")


@final
class Covered(Entry):
    """The share of the easy and of the hard half of the test split near an image of a set; a mean over `draws`."""

    name: str
    images: int
    draws: int = 1
    easy: float
    hard: float
    easy_std: float | None = None
    hard_std: float | None = None

    def measures(self) -> tuple[Measure, ...]:
        """Both shares."""
        spreads = {"easy": self.easy_std, "hard": self.hard_std}
        return tuple(
            Measure(value=share, deviation=spreads[half], n=self.draws)
            for half, share in (("easy", self.easy), ("hard", self.hard))
        )


@final
class Coverage(Entry):
    """How much of the test split lies near an image, by SelMatch's analysis (`core.engine.coverage`)."""

    network: str
    """The network whose features are compared."""
    training: dict[str, Any] = Field(default={})
    """How it was trained."""
    radius: float
    test_images: dict[str, int]
    """How many each half has."""
    sets: tuple[Covered, ...]
    curves: dict[str, Any]
    """`multiples` of the radius, and by set and half the shares at each."""

    def section(self) -> Section:
        """The section on what the images cover."""
        lines = [
            Line(
                title=_SETS[each.name][0],
                own=each.name == "distilled",
                cells=(Measure(value=each.images, unit="count"), *each.measures()),
            )
            for each in self.sets
            if each.name in _SETS
        ]
        draws = max(each.draws for each in self.sets)
        spread = f" Random images are {draws} draws, mean ± standard deviation." if draws > 1 else ""
        words = (
            "The share of test images that lie near one of a set, in what a network trained on all training images "
            f"({self.network}) makes of them: no farther than a training image lies from its nearest neighbour on "
            "average. Easy and hard are the halves of the test split in which that network, while it learned, gave its "
            "images' classes more and less probability. Reconstructed from SelMatch's analysis, whose radius and "
            "network could not be verified, so that only differences between the rows mean anything; the picture has "
            f"other radii.{spread}"
        )
        table = Table(
            heading="Near one of",
            columns=("Images", "Easy test images", "Hard test images"),
            lines=tuple(lines),
        )
        return Section(name="coverage", title="What it covers", measures=table, words=(words,), chart=self._chart())

    def _chart(self) -> Curves:
        series = [
            Series(
                name=f"{half} half, {title}",
                points=tuple(zip(self.curves["multiples"], self.curves[name][half], strict=True)),
                colour=colour,
                stroke=stroke,
            )
            for colour, half in enumerate(_HALVES)
            for name, (title, stroke) in _SETS.items()
            if name in self.curves
        ]
        return Curves(
            title="Share of test images within a radius of an image of the set",
            x_name="radius, in mean distances between neighbouring training images: 1 is the report's",
            series=tuple(series),
            mark=(1.0, "radius of the report"),
        )
