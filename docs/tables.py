"""Write what the documents say about the code from the code itself: `python -m docs.tables`, or `make docs`.

Between `<!-- name -->` and `<!-- /name -->` the README holds the tables made here; a test compares the two.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, get_args, get_origin

from core import methods
from core.settings import Settings

ROOT = Path(__file__).parent.parent


def settings_table() -> str:
    """Every STILLHOUSE_ variable with its default and meaning."""
    lines = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = (
            "the platform's data folder"
            if name == "home"
            else "none"
            if field.default in (None, "")
            else f"`{field.default}`"
        )
        choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
        allowed = f" One of {', '.join(f'`{choice}`' for choice in choices)}." if choices else ""
        lines.append(f"| `STILLHOUSE_{name.upper()}` | {default} | {field.description}{allowed} |")
    return "\n".join(lines)


def methods_table() -> str:
    """Every method, and when to choose it."""
    lines = ["| method | family | choose it | not |", "| --- | --- | --- | --- |"]
    for name in methods.names():
        entry = methods.method(name)
        lines.append(f"| `{name}` | {entry.family} | {entry.use} | {entry.avoid} |")
    return "\n".join(lines)


TABLES = {"settings": settings_table, "methods": methods_table}


def filled(text: str) -> str:
    """The document with every table as the code has it."""
    for name, make in TABLES.items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        text, found = re.subn(pattern, lambda m, make=make: f"{m[1]}{make()}\n{m[2]}", text, flags=re.DOTALL)
        assert found == 1, f"the document needs one place for the table '{name}'"
    return text


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(filled(readme.read_text("utf-8")), "utf-8")
