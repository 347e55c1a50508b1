"""The words for the examples of a set: images, rows of a table, or series."""

from __future__ import annotations

import re
from typing import Final, Literal

from core.report.section import Line, Section, Table

Kind = Literal["pictures", "vectors", "series"]

_NOUNS: Final = {"vectors": ("row", "rows", "numbers"), "series": ("series", "series", "numbers")}
_WORD: Final = re.compile(r"\b(images?|pictures?|(?:8-bit )?pixels?)\b", re.IGNORECASE)
_MOVED: Final = "moved, mirrored or recoloured"
_NAMED: Final = ("classes", "neighbours")
"""Sections whose lines are titled by classes."""


def worded(text: str, kind: Kind) -> str:
    """A text on images as one on rows or series."""
    if kind == "pictures":
        return text
    one, many, values = _NOUNS[kind]

    def noun(found: re.Match[str]) -> str:
        word = found[0].lower()
        said = values if "pixel" in word else many if word.endswith("s") else one
        return said.capitalize() if found[0][0].isupper() else said

    return _WORD.sub(noun, text).replace(_MOVED, "shifted or scaled")


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
        }
    )


def _table(table: Table, kind: Kind, *, named: bool) -> Table:
    lines = tuple(
        line if named else Line(title=worded(line.title, kind), cells=line.cells, own=line.own) for line in table.lines
    )
    columns = tuple(worded(each, kind) for each in table.columns)
    heading, title = worded(table.heading, kind), worded(table.title, kind)
    return table.model_copy(update={"heading": heading, "columns": columns, "title": title, "lines": lines})
