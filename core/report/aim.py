"""The search of a report for the smallest set that reaches a target: the sizes tried, and whether it was reached."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Self, final

from core.plan.sizing import Attempt, Sizing, best, needed
from core.report.results import Row
from core.report.section import Entry, Line, Measure, Section, Table


@final
class Size(Entry):
    """A size that was tried: its best set, the seconds it took, and the outcome."""

    ipc: int
    method: str = ""
    seconds: float = 0.0
    validation: tuple[float, ...] = ()
    outcome: str = ""


@final
class Aim(Entry):
    """The target, by the validation split: what it came to, and what was found."""

    accuracy: float | None = None
    """The accuracy that was asked for."""
    gap: float | None = None
    """The share of the gap that was asked for."""
    ipc: int
    level: float
    """Validation accuracy that was to be reached at this size."""
    reached: bool
    validation: float
    """Validation accuracy of the result."""
    real_ipc: int | None = None
    """The smallest size tried at which random real images reached it, too."""
    needed: tuple[float, float, float] | None = None
    """Images a class that would reach it, by the sizes tried: expected, and an interval to hold four of five."""
    full: float | None = None
    """Validation accuracy of networks on everything, where the target is a share of the gap."""
    over: str | None = None
    """Why the search ended early."""
    balanced: bool = False
    """Whether the target is one of balanced accuracy, since classes are of unequal size."""
    sizes: tuple[Size, ...]

    @classmethod
    def of(
        cls, asked: Sizing, tried: Sequence[Attempt], place: int, full: float, over: str | None, *, balanced: bool
    ) -> Self:
        """The entry on a search whose result is of trial `place`; `over` is why it ended early."""
        chosen = tried[place]
        real = [each.ipc for each in tried if each.random and statistics.fmean(each.random) >= each.level]
        return cls(
            accuracy=asked.accuracy or None,
            gap=asked.gap or None,
            ipc=chosen.ipc,
            level=chosen.level,
            reached=chosen.reached,
            validation=chosen.mean,
            real_ipc=min(real, default=None),
            needed=None if chosen.reached else needed(tried),
            full=full or None,
            over=over,
            balanced=balanced,
            sizes=tuple(_size(each, own=at == place, tried=tried) for at, each in enumerate(tried)),
        )

    @property
    def asked(self) -> str:
        """The target in words."""
        return f"{100 * self.accuracy:.6g} %" if self.accuracy else f"{100 * (self.gap or 0):.6g} % of the gap"

    @property
    def chosen(self) -> str:
        """Why the result has its size."""
        if self.reached:
            return f"the fewest tried that reached {self.asked} there"
        return f"those that came nearest to {self.asked} there"

    def section(self, lines: Mapping[str, Row]) -> Section:
        """The section on the target, whose test accuracies are those of the report's `lines`."""
        measure = "Balanced accuracy" if self.balanced else "Accuracy"
        table = Table(
            heading="Images a class",
            columns=(
                "Best set by",
                f"{measure} on validation",
                "95 % interval",
                "Seconds",
                "Outcome",
            ),
            lines=tuple(_line(each, own=each.ipc == self.ipc) for each in self.sizes),
        )
        words = (*self.words, self._tested(lines))
        return Section(name="aim", title=f"As few images as reach {self.asked}", measures=table, words=words)

    @property
    def words(self) -> tuple[str, ...]:
        """The paragraphs of the section, but for what the test split says."""
        level = f"{100 * self.level:.1f} % on the validation split" if self.gap else self.asked
        if self.reached:
            first = (
                f"{_images(self.ipc)} a class are the fewest tried that reach {level}: "
                f"{100 * self.validation:.1f} % there. Fewer may do it with more time."
            )
        else:
            first = (
                f"The target was missed: the best set there was in this time, {_images(self.ipc)} a class, reaches "
                f"{100 * self.validation:.1f} % on the validation split, {100 * (self.level - self.validation):.1f} "
                f"points below the {100 * self.level:.1f} % asked for. {self._would}"
            )
        measure = "Accuracies are balanced here: each class counts alike." if self.balanced else None
        full = f"Networks on everything reach {100 * self.full:.1f} % there." if self.full else None
        real = None
        if self.real_ipc is not None and self.real_ipc <= self.ipc:
            found = f"{_images(self.real_ipc)} a class that are real and drawn at random reach it, too"
            real = f"{found}: distilling gains nothing here."
        elif self.real_ipc is not None:
            real = f"Of real images, drawn at random, {self.real_ipc} a class reach it, too."
        return tuple(each for each in (first, measure, full, real, self.over) if each)

    @property
    def _would(self) -> str:
        if self.needed is None:
            return "How many images would reach it the sizes tried do not tell."
        expected, low, high = (max(1, round(each)) for each in self.needed)
        most = f"{high:,}" if high < 1e6 else "more than anybody has"
        return f"By the sizes tried, about {expected:,} images a class ({low:,} to {most}) would reach it."

    def _tested(self, lines: Mapping[str, Row]) -> str:
        row, chosen = lines.get("distilled"), "The test split chose nothing."
        mean = None if row is None else row.balanced_accuracy_mean if self.balanced else row.accuracy_mean
        if mean is None:
            return chosen
        by = " by balanced accuracy" if self.balanced else ""
        reached = f"{chosen} On it the result reaches {100 * mean:.1f} %{by}"
        if not self.accuracy:
            return f"{reached}; the share of the gap that it closes there is said below."
        missing = self.accuracy - mean
        return f"{reached}, {100 * abs(missing):.1f} points {'below' if missing > 0 else 'above'} the target."


def _images(count: int) -> str:
    return f"{count:,} image{'s' if count != 1 else ''}"


def _size(attempt: Attempt, *, own: bool, tried: Sequence[Attempt]) -> Size:
    return Size(
        ipc=attempt.ipc,
        method=attempt.method,
        seconds=round(attempt.seconds, 1),
        validation=attempt.validation,
        outcome=_outcome(attempt, own=own, smallest=tried[best(tried)].ipc),
    )


def _outcome(attempt: Attempt, *, own: bool, smallest: int) -> str:
    again = ", with more time" if attempt.longer else ""
    if own:
        return f"The result{again}."
    if not attempt.reached:
        return f"Dropped{again}: it missed the {100 * attempt.level:.1f} % to reach."
    if attempt.ipc > smallest:
        return f"Dropped{again}: fewer images reached the target."
    return f"Dropped{again}: another set of this size did better."


def _line(size: Size, *, own: bool) -> Line:
    accuracy, reach = None, None
    if size.validation:
        spread = statistics.stdev(size.validation) if len(size.validation) > 1 else None
        accuracy = Measure(value=statistics.fmean(size.validation), deviation=spread, n=len(size.validation))
        reach = None if accuracy.low is None else f"{100 * accuracy.low:.1f} to {100 * accuracy.high:.1f} %"
    seconds = Measure(value=round(size.seconds), unit="count")
    return Line(title=f"{size.ipc:,}", own=own, cells=(size.method or None, accuracy, reach, seconds, size.outcome))
