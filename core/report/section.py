"""A section of a report (a title, measures, words and maybe a chart), and the entry of report.json that it says.

A section is plain text and numbers: a page that shows it chooses colours, columns and
folds, and never a word or a digit.
"""

from __future__ import annotations

from typing import Any, Literal, final

from pydantic import BaseModel, ConfigDict, Field, computed_field

from core.worth import Interval

Unit = Literal["share", "count", "bytes", "number"]

_POWERS = ("B", "kB", "MB", "GB", "TB")


class Told(BaseModel):
    """Frozen data on its way to a reader."""

    model_config = ConfigDict(frozen=True)


class Entry(Told):
    """Frozen numbers under the field names of report.json, which its `section` says.

    Reports lie in stores for years: a field that was added later has a default, which stands for a report without it,
    and one that this version does not know is passed over.
    """

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    def document(self) -> dict[str, Any]:
        """The entry as JSON: what was given, and no default in the place of what was not."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


@final
class Measure(Told):
    """A number with its unit; a mean over n of them has their standard deviation beside it."""

    value: float
    deviation: float | None = Field(default=None, description="Standard deviation; null of a single one.")
    n: int | None = Field(default=None, description="How many the mean is of; null where it is no mean.")
    unit: Unit = Field(default="share", description="`share` is of 1, and written in percent.")

    @computed_field(description="The measure as it is written everywhere.")  # type: ignore[prop-decorator]
    @property
    def text(self) -> str:
        """The measure as it is written everywhere: `64.0 ± 4.0 %`, `1,438`, `1.3 MB`."""
        match self.unit:
            case "share":
                spread = "" if self.deviation is None else f" ± {100 * self.deviation:.1f}"
                return f"{100 * self.value:.1f}{spread} %"
            case "count":
                return f"{self.value:,.0f}"
            case "bytes":
                return size(self.value)
            case "number":
                return f"{self.value:.3g}"

    @property
    def low(self) -> float | None:
        """The beginning of the 95 % interval of a mean of shares; None where there is one alone."""
        return self._interval.low if self._interval.reach is not None else None

    @property
    def high(self) -> float:
        """The end of that interval."""
        return self._interval.high

    @property
    def _interval(self) -> Interval:
        return Interval.over(self.value, self.deviation, self.n or 1 if self.deviation is not None else 1)


@final
class Line(Told):
    """A line of a table: its title, and a measure or a word in each column, or nothing."""

    title: str
    cells: tuple[Measure | str | None, ...]
    own: bool = Field(default=True, description="Whether it is about these images, not about what they stand beside.")


@final
class Table(Told):
    """Measures in lines: the first column has the lines' titles and `heading` above it."""

    heading: str
    columns: tuple[str, ...] = Field(description="The headings above the cells.")
    lines: tuple[Line, ...]
    title: str = Field(default="", description="What the lines are, where the section's title does not say it.")
    bars: int | None = Field(default=None, description="The column of which a picture may draw bars, from 0.")


@final
class Series(Told):
    """A line of a chart; those of one colour belong together, and differ in their stroke."""

    name: str
    points: tuple[tuple[float, float], ...]
    colour: int = 0
    stroke: Literal["solid", "dashed", "dotted"] = "solid"


@final
class Curves(Told):
    """Shares over something, as lines; `mark` is an x to draw a line at, and its name."""

    kind: Literal["curves"] = "curves"
    title: str
    x_name: str
    series: tuple[Series, ...]
    mark: tuple[float, str] | None = None


@final
class Matrix(Told):
    """Shares [row][column] of each row's whole, between classes."""

    kind: Literal["matrix"] = "matrix"
    title: str
    names: tuple[str, ...]
    shares: tuple[tuple[float, ...], ...]


@final
class Section(Told):
    """One thing that a report says: measures in a table, words about them, and maybe a chart."""

    name: str = Field(description="Stable: what the section is about.", examples=["coverage"])
    title: str
    measures: Table | None = None
    words: tuple[str, ...] = Field(default=(), description="Paragraphs.")
    chart: Curves | Matrix | None = None
    details: Table | None = Field(default=None, description="Measures for readers who ask for more.")


def written(cell: Measure | str | None) -> str:
    """The text of a cell."""
    return cell.text if isinstance(cell, Measure) else cell or ""


def size(count: float) -> str:
    """Bytes in powers of 1000: `640 B`, `1.3 MB`."""
    value, power = float(count), 0
    while value >= 999.5 and power < len(_POWERS) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.0f} {_POWERS[power]}" if power == 0 or value >= 99.5 else f"{value:.1f} {_POWERS[power]}"


def percent(share: float, digits: int = 1) -> str:
    """A share of 1 in percent: `87.3 %`."""
    return f"{100 * share:.{digits}f} %"
