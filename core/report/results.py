"""The lines of a report: test accuracies of networks trained on the images, on random ones and on everything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

from pydantic import Field

from core.report.section import Entry, Line, Measure, Section, Table, percent
from core.worth import Gap, Interval

TITLES: Final = {
    "distilled": "these images",
    "distilled_8bit": "these images, rounded to 8-bit pixels",
    "distilled_hard": "these images, one class each",
    "random": "as many random real images",
    "random_hard": "random real images, one class each",
    "ridge": "ridge regression on these images",
    "ridge_random": "ridge regression on random real images",
    "ridge_full": "ridge regression on everything",
    "full": "the whole training set",
    "teacher": "the teacher itself",
}
"""The lines of a report as a person reads them, in this order."""


UNEQUAL: Final = 1.2
"""Times the test images of the rarest class from which the largest class counts as larger."""


@final
class Row(Entry):
    """One line: networks of one architecture, trained on the same kind of data, and their accuracies on the tests."""

    name: str = ""
    images: int = 0
    network: str = ""
    networks: int | None = None
    """Architectures, where the line is a mean over several."""
    lr: float | None = None
    n_seeds: int | None = None
    accuracy_mean: float
    accuracy_std: float | None = None
    accuracies: tuple[float, ...] | None = None
    validation_mean: float | None = None
    balanced_accuracy_mean: float | None = None
    """The mean over classes, each counting alike."""
    balanced_accuracy_std: float | None = None
    per_class_mean: tuple[float, ...] | None = None
    one_class_networks: int | None = None
    """Networks that answer one class whatever they are shown."""
    seconds: float | None = None

    @property
    def n(self) -> int:
        """Networks."""
        return self.n_seeds or len(self.accuracies or ()) or 1

    @property
    def title(self) -> str:
        """The line as a person reads it."""
        return TITLES.get(self.name, self.name.replace("_", " "))

    @property
    def accuracy(self) -> Measure:
        """Its accuracy, with the spread over networks."""
        return self._measure(self.accuracy_mean, self.accuracy_std)

    @property
    def balanced(self) -> Measure | None:
        """Its balanced accuracy; None in reports that do not tell it."""
        mean = self.balanced_accuracy_mean
        return None if mean is None else self._measure(mean, self.balanced_accuracy_std)

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the mean accuracy."""
        return Interval.over(self.accuracy_mean, self.accuracy_std, self.n)

    @property
    def balanced_interval(self) -> Interval | None:
        """The 95 % interval of the mean balanced accuracy; None in lines that do not tell its spread."""
        mean, std = self.balanced_accuracy_mean, self.balanced_accuracy_std
        return None if mean is None or (std is None and self.n > 1) else Interval.over(mean, std, self.n)

    def _measure(self, mean: float, std: float | None) -> Measure:
        return Measure(value=mean, deviation=std if self.n > 1 else None, n=self.n)


@final
class Majority(Entry):
    """The largest class of the test split, its share, and whether the classes are of unequal size."""

    name: str = Field(alias="class")
    share: float
    unequal: bool = False

    @classmethod
    def of(cls, class_names: Sequence[str], counts: Sequence[int]) -> Majority:
        """The majority of a test split, from the count of its images by class, in the order of the labels."""
        largest = max(range(len(counts)), key=lambda label: counts[label])
        unequal = max(counts) > UNEQUAL * min(counts)
        return cls(name=class_names[largest], share=counts[largest] / sum(counts), unequal=unequal)


def intervals(rows: Sequence[Row], *, unequal: bool) -> tuple[dict[str, Interval], bool]:
    """The 95 % intervals that lines are compared by, and whether they are of balanced accuracy.

    They are where the classes are of unequal size and every line tells its own: one that always answers the larger
    class would be next to the best by accuracy. A reference kept from before it was told has none.
    """
    alike = {row.name: interval for row in rows if (interval := row.balanced_interval)}
    balanced = unequal and len(alike) == len(rows)
    return (alike if balanced else {row.name: row.interval for row in rows}), balanced


def in_order(rows: Sequence[Row]) -> list[Row]:
    """The lines in the order of `TITLES`, others behind them."""
    order = {name: place for place, name in enumerate(TITLES)}
    return sorted(rows, key=lambda row: order.get(row.name, len(order)))


def results(rows: Sequence[Row], gap: Gap, largest: Majority | None, selection: str) -> Section:
    """The section on accuracies.

    `largest` is the largest class where they are unequal, `selection` how the result was chosen.
    """
    title = "What it is worth"
    if not rows:
        return Section(name="results", title=title, words=("Not evaluated: no accuracy is claimed for these images.",))
    rows = in_order(rows)
    unequal = largest is not None
    lines = [
        Line(
            title=row.title,
            own=row.name.startswith("distilled"),
            cells=(
                Measure(value=row.images, unit="count"),
                row.accuracy,
                *((row.balanced,) if unequal else ()),
                Measure(value=row.n, unit="count"),
            ),
        )
        for row in rows
    ]
    table = Table(
        heading="Trained on",
        columns=("Images", "Test accuracy", *(("Balanced",) if unequal else ()), "Networks"),
        lines=tuple(lines),
        bars=1,
    )
    return Section(
        name="results",
        title=title,
        measures=table,
        words=(_gap(gap, intervals(rows, unequal=unequal)[1]), _protocol(rows, selection), *_balance(largest)),
    )


def _gap(gap: Gap, balanced: bool) -> str:
    by = ", by balanced accuracy" if balanced else ""
    if gap.share is None:
        return f"No share of the gap between random images and full data is claimed{by}. {gap.reason}"
    return f"These images close {100 * gap.share:.0f} % of the gap between random images and full data{by}."


def _protocol(rows: Sequence[Row], selection: str) -> str:
    main = rows[0].network
    others = [f"{row.title}: {row.network}" for row in rows if row.network != main]
    which = f" ({'; '.join([main, *others])})" if main else ""
    several = max(row.n for row in rows) > 1
    spread = " Accuracies are means ± standard deviations over networks." if several else ""
    return (
        f"Networks{which} were trained from scratch, each from its own random initialisation, and tested on the "
        f"source's whole test split, which nothing before had seen.{spread} Reported is the {selection}."
    )


def _balance(largest: Majority | None) -> tuple[str, ...]:
    if largest is None:
        return ()
    return (
        f"The test classes are of unequal size: {percent(largest.share)} of the images are of the largest, "
        f"'{largest.name}', and always answering it would be right as often. Balanced accuracy is the mean over the "
        "classes, each counting alike.",
    )


@final
class Unseen(Entry):
    """An architecture that the images were not distilled with."""

    network: str
    distilled: Row
    random: Row


@final
class Across(Entry):
    """The lines of each unseen architecture, and their means over all.

    A mean's spread is that over seeds of the accuracies' means over architectures, each seed's networks together.
    """

    each: tuple[Unseen, ...]
    mean: dict[str, Row]

    def section(self, *, unequal: bool = False) -> Section:
        """The section on unseen architectures: of balanced accuracies, where classes are unequal and all are known."""
        rows = [row for each in self.each for row in (each.distilled, each.random)]
        balanced = unequal and None not in [row.balanced for row in (*rows, *self.mean.values())]
        lines = [Line(title=each.network, cells=_pair(each.distilled, each.random, balanced)) for each in self.each]
        words = (
            "Networks of other architectures than the one the images were distilled with, under the same protocol and "
            "at the same learning rate."
        )
        if len(self.each) > 1:
            cells = _pair(self.mean["distilled"], self.mean["random"], balanced)
            lines.append(Line(title=f"mean of the {len(self.each)}", cells=cells))
            if not balanced:
                words += " The spread of the mean is that over seeds, of the networks of a seed together."
        if balanced:
            words += " Accuracies are balanced: each class counts alike."
        columns = ("These images", "Random images", "Networks")
        table = Table(heading="Network", columns=columns, lines=tuple(lines))
        return Section(name="across", title="On unseen architectures", measures=table, words=(words,))


def _pair(distilled: Row, random: Row, balanced: bool) -> tuple[Measure | None, Measure | None, Measure]:
    cells = (distilled.balanced, random.balanced) if balanced else (distilled.accuracy, random.accuracy)
    return *cells, Measure(value=distilled.n, unit="count")
