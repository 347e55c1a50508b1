"""The report on a regression memory: errors as shares of the target's variance, and how its points lie."""

from __future__ import annotations

from statistics import fmean, stdev
from typing import Final, final

from pydantic import Field

from core.report.section import Curves, Entry, Line, Measure, Section, Series, Table

TITLES: Final = {
    "own": "these points and labels, a student of their seed",
    "fresh": "these points and labels, students of fresh seeds",
    "real_labels": "these points, second layer solved on real data",
    "real_step": "a step and a second layer on all real data",
    "oracle": "features in the true directions, second layer on real data",
    "random": "random features, second layer on real data",
    "raw": "as many raw real samples",
}
"""The lines of the report as a person reads them, in this order."""

UNALIGNED: Final = 3.0
"""Times the alignment of random points below which points do not count as aligned."""


@final
class Reached(Entry):
    """The errors of one line, each of a network: mean squared error over the variance of the targets."""

    name: str
    errors: tuple[float, ...]

    @property
    def measure(self) -> Measure:
        """Their mean, with the standard deviation of several."""
        spread = stdev(self.errors) if len(self.errors) > 1 else None
        return Measure(value=fmean(self.errors), deviation=spread, n=len(self.errors))


@final
class Theory(Entry):
    """A regression memory beside the truth that its dataset was generated from."""

    dataset: str
    d: int
    r: int
    link: str
    link_degree: int
    """The least degree above the first in the target's Hermite expansion."""
    samples: int
    points: int
    width: int
    rounds: int = 1
    alignment: float
    """The share of the points' squares in the true subspace."""
    angles: tuple[float, ...]
    """Principal angles in degrees, the smallest first."""
    singular_values: tuple[float, ...]
    gap: int
    """The place of the widest gap between singular values."""
    errors: tuple[Reached, ...]
    by_points: tuple[tuple[int, float], ...] = Field(default=())
    """First points that are kept, and the error."""
    by_width: tuple[tuple[int, float], ...] = Field(default=())
    by_samples: tuple[tuple[int, float], ...] = Field(default=())
    """Real samples, and the alignment of the points that they make."""
    floats: int
    real_floats: int

    @property
    def lines(self) -> dict[str, Reached]:
        """The lines by name."""
        return {each.name: each for each in self.errors}

    @property
    def aligned(self) -> bool:
        """Whether the points lie in the true subspace by more than chance explains."""
        return self.alignment >= min(1.0, UNALIGNED * self.r / self.d) or self.d <= UNALIGNED * self.r

    def sections(self) -> list[Section]:
        """Errors, the subspace, and what points, samples and units are worth."""
        found = [self._worth(), self._subspace()]
        if len(self.by_samples) > 1:
            found.append(self._curve("theory_samples", "How many samples it takes", self.by_samples, "d²", self.d**2))
        if len(self.by_points) > 1:
            found.append(self._curve("theory_points", "How many points it takes", self.by_points, "point", 1))
        if len(self.by_width) > 1:
            found.append(self._curve("theory_width", "How many units it takes", self.by_width, "unit", 1))
        return found

    def cut_short(self, why: str) -> Section:
        """The section on an early end."""
        words = f"Gradients are of the first {self.samples:,} samples. {why} More samples may align the points better."
        return Section(name="ended", title="Ended early", words=(words,))

    def _worth(self) -> Section:
        known = self.lines
        lines = [
            Line(
                title=title,
                own=name in ("own", "fresh"),
                cells=(known[name].measure, Measure(value=len(known[name].errors), unit="count")),
            )
            for name, title in TITLES.items()
            if name in known
        ]
        share = self.real_floats / self.floats
        memory = (
            f"The memory is {self.points} points of {self.d} numbers and {self.width} labels: {self.floats:,} floats "
            f"in the place of {self.real_floats:,}, one in {share:,.0f}. Inputs of the labels are mixed from the "
            "points by a seed, so that nobody stores them."
        )
        words = (
            "The error is the mean squared error on fresh test samples as a share of the target's variance: 100 % is "
            "no better than always answering the mean.",
            memory,
            *(() if self.aligned else (self._why(),)),
        )
        table = Table(heading="Trained on", columns=("Test error", "Networks"), lines=tuple(lines), bars=0)
        return Section(name="theory", title="What it is worth", measures=table, words=words)

    def _why(self) -> str:
        chance = f"{100 * self.r / self.d:.1f} % that random points have"
        if self.link_degree > 2:
            return (
                f"The points are not aligned: {100 * self.alignment:.1f} % of their squares lie in the true "
                f"directions, beside the {chance}. That is no accident. The target has no part of second degree, so "
                "that its mean Hessian is zero, and a gradient at initialisation says nothing of its directions "
                "however many samples there are: a step of another kind would have to find them."
            )
        return (
            f"The points are not aligned: {100 * self.alignment:.1f} % of their squares lie in the true directions, "
            f"beside the {chance}. A gradient sees them from some ten samples to the square of the dimension on; here "
            f"it saw {self.samples / self.d**2:.2g}."
        )

    def _subspace(self) -> Section:
        angles = ", ".join(f"{angle:.1f}°" for angle in self.angles)
        lines = (
            Line(title="points' squares in the true directions", cells=(Measure(value=self.alignment),)),
            Line(title="the same of random points", cells=(Measure(value=self.r / self.d),), own=False),
        )
        words = (
            f"Angles between the true directions and the leading {min(self.r, self.points)} of the points: {angles}. "
            f"The widest gap between the points' singular values comes after {self.gap}; the target depends on "
            f"{self.r} direction{'s' if self.r > 1 else ''}.",
        )
        chart = Curves(
            title="Singular values of the points, as shares of the largest",
            x_name="place",
            series=(Series(name="singular value", points=tuple(enumerate(self.singular_values, 1))),),
            mark=(float(self.r), "directions of the target"),
        )
        table = Table(heading="Share", columns=("Alignment",), lines=lines)
        return Section(
            name="theory_subspace",
            title="Where the points lie",
            measures=table,
            words=words,
            chart=chart if len(self.singular_values) > 1 else None,
        )

    def _curve(self, name: str, title: str, curve: tuple[tuple[int, float], ...], unit: str, each: float) -> Section:
        of_samples = unit == "d²"
        what = "alignment" if of_samples else "test error"
        heading = "Samples" if of_samples else f"{unit.capitalize()}s"
        lines = tuple(Line(title=f"{count:,}", cells=(Measure(value=value),)) for count, value in curve)
        chart = Curves(
            title=f"{what.capitalize()} by {'samples over d²' if of_samples else f'number of {unit}s'}",
            x_name="samples over d²" if of_samples else f"{unit}s",
            series=(Series(name=what, points=tuple((count / each, min(1.0, value)) for count, value in curve)),),
        )
        words = (
            "Points that a part of the samples makes, in the first round."
            if of_samples
            else f"Networks that stepped on {'the first of the points' if unit == 'point' else 'the points'}, with "
            "second layers solved on real data.",
        )
        table = Table(heading=heading, columns=(what.capitalize(),), lines=lines)
        return Section(name=name, title=title, measures=table, words=words, chart=chart)
