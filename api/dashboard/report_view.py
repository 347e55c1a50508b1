"""The report of a finished job as a page shows it: its sections, its charts, and levels to hold curves against."""

from __future__ import annotations

import re
from typing import Final

from api import downloads
from api.dashboard.charts import Level, Plot, Series
from api.problems import Kind, ProblemError
from api.services import Services
from core.ledger import File
from core.report import TITLES, Curves, Report, Section

_LARGEST: Final = 8 << 20  # bytes of a file of text that a page reads


def levels(report: Report) -> tuple[Level, ...]:
    """Validation accuracies of networks trained on random images and on everything, as far as they are known."""
    lines = report.lines
    return tuple(
        Level(TITLES[name], accuracy, name)
        for name in ("random", "full")
        if name in lines and (accuracy := lines[name].validation_mean) is not None
    )


def plot(section: Section) -> Plot | None:
    """The curves of a section, drawn; None where it has none."""
    if not isinstance(section.chart, Curves):
        return None
    chart = section.chart
    series = tuple(Series.of(each.name, each.points) for each in chart.series)
    return Plot(f"chart-{section.name}", chart.title, chart.x_name, chart.title, series, percent=True)


def report_of(services: Services, file: File | None) -> Report | str | None:
    """The report of an artifact, or in a sentence why it is not to be had; None where there is no such file."""
    if file is None:
        return None
    try:
        return downloads.report(services.store, file)
    except ProblemError as problem:
        if problem.kind is Kind.UNREADABLE_REPORT:
            return f"{problem.detail} {problem.hint}"
        return (
            "The store does not give out the report now. Reload the page; if it persists, the operator should check "
            "STILLHOUSE_STORE_URL."
        )


def text(services: Services, file: File | None) -> str | None:
    """A text file of an artifact; None where there is none, it is huge, or the store does not give it out now."""
    if file is None or file.bytes > _LARGEST:
        return None
    try:
        return downloads.text(services.store, file)
    except ProblemError:
        return None


def snippet(card: str | None) -> str | None:
    """The first piece of Python in an artifact's README: how to load it."""
    found = re.search(r"```python\n(.*?)```", card or "", re.DOTALL)
    return found[1].strip() if found else None
