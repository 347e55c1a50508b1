"""The sections of a report in the words of a kind of data."""

from __future__ import annotations

from typing import Final

from core.nouns import Kind, worded
from core.report.section import Curves, Line, Matrix, Section, Table

_NAMED: Final = ("classes", "neighbours")
"""Sections whose lines are titled by classes."""


def about(section: Section, kind: Kind) -> Section:
    """The section in the words of a kind; names of classes stay."""
    if kind == "pictures":
        return section
    named = section.name in _NAMED
    return section.model_copy(
        update={
            "title": worded(section.title, kind),
            "words": tuple(worded(each, kind) for each in section.words),
            "measures": section.measures and _table(section.measures, kind, named=named),
            "details": section.details and _table(section.details, kind, named=named),
            "chart": section.chart and _chart(section.chart, kind),
        }
    )


def _chart(chart: Curves | Matrix, kind: Kind) -> Curves | Matrix:
    title = worded(chart.title, kind)
    if isinstance(chart, Matrix):
        return chart.model_copy(update={"title": title})
    series = tuple(each.model_copy(update={"name": worded(each.name, kind)}) for each in chart.series)
    return chart.model_copy(update={"title": title, "x_name": worded(chart.x_name, kind), "series": series})


def _table(table: Table, kind: Kind, *, named: bool) -> Table:
    lines = tuple(
        line if named else Line(title=worded(line.title, kind), cells=line.cells, own=line.own) for line in table.lines
    )
    columns = tuple(worded(each, kind) for each in table.columns)
    heading, title = worded(table.heading, kind), worded(table.title, kind)
    return table.model_copy(update={"heading": heading, "columns": columns, "title": title, "lines": lines})
