"""`stillhouse report`: what the result of a job is worth, its warnings before its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from stillhouse.api import Client
from stillhouse.output import JsonOption, data, say, table


def report(
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="Id of a job that has succeeded.")],
    more: Annotated[bool, typer.Option("--all", help="Show every line, also where there are hundreds.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what the result of a job is worth."""
    with Client() as client:
        if as_json:
            data(client.report(job_id))
        else:
            tell(client.sections(job_id), more)


def tell(sections: Iterable[Mapping[str, Any]], more: bool = False) -> None:
    """The sections of a report in the terminal: measures on standard output, words beside them; `more` has details."""
    for section in sections:
        if section["name"] == "warnings":
            for warning in section["words"]:
                say(f"Mind: {warning}")
            continue
        say(f"\n{section['title']}")
        shown = [section["measures"], *([section["details"]] if more else [])]
        for measures in filter(None, shown):
            heads = [head.upper() for head in (measures["heading"], *measures["columns"])]
            table(heads, [(line["title"], *map(_written, line["cells"])) for line in measures["lines"]])
        for words in section["words"]:
            say(words)
        if section["details"] and not more:
            say(f"With --all: {section['details']['title']}.")


def _written(cell: Mapping[str, Any] | str | None) -> str:
    return str(cell["text"]) if isinstance(cell, Mapping) else cell or ""
