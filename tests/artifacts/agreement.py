"""Card, page and command line beside each other: the same words and numbers of a report, in the same order."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from api.dashboard import rendering, report_view
from core.report import Report, Section
from core.report.section import Table, written
from stillhouse.report import tell


def agree(folder: Path) -> dict[str, Section]:
    """Hold the three against the report of an artifact; returns its sections by name."""
    report = Report.model_validate_json((folder / "report.json").read_text("utf-8"))
    sections = report.sections()
    said = [each for section in sections for each in said_of(section)]
    drawn = [(section, report_view.plot(section)) for section in sections]
    view = rendering._templates.get_template("report.html").make_module(
        {"report": report, "sections": drawn, "neighbours": None}
    )
    page = re.sub("<[^>]*>", " ", f"{view.worth()} {view.details()}")  # type: ignore[attr-defined]
    with redirect_stdout(io.StringIO()) as terminal, redirect_stderr(terminal):
        tell([section.model_dump(mode="json") for section in sections])
    card = re.sub(r"[|]|^- ", " ", (folder / "README.md").read_text("utf-8"), flags=re.MULTILINE)
    for name, text in (("card", card), ("page", html.unescape(page)), ("command line", terminal.getvalue())):
        told, place = " ".join(text.casefold().split()), 0
        for each in said:
            words = " ".join(each.casefold().split())
            found = told.find(words, place)
            assert found >= 0, f"the {name} does not say {each!r} in its place"
            place = found + len(words)
    return {section.name: section for section in sections}


def said_of(section: Section) -> Iterator[str]:
    """Title, measures and words of a section, as they follow each other; the terminal has no title for warnings."""
    if section.name != "warnings":
        yield section.title
    yield from lines_of(section.measures)
    yield from section.words


def lines_of(table: Table | None) -> Iterator[str]:
    """Every line of a table: its title, and after it the cells."""
    for line in table.lines if table else ():
        yield " ".join((line.title, *(written(cell) for cell in line.cells)))
