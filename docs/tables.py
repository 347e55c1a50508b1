"""Write what the documents say about the code from the code itself: `python -m docs.tables`, or `make docs`.

Between `<!-- name -->` and `<!-- /name -->` a page holds the table made here; a test compares the two.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args, get_origin

from core import methods
from core.settings import Settings


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
    for name in methods.all_names():
        entry = methods.method(name)
        lines.append(f"| `{name}` | {entry.family} | {entry.use} | {entry.avoid} |")
    return "\n".join(lines)


TABLES = {"METHODS.md": ("methods", methods_table), "SETTINGS.md": ("settings", settings_table)}
"""The pages of this folder that hold a table, and which."""


def filled() -> dict[Path, str]:
    """Those pages, each with its table as the code has it."""
    pages = {}
    for page, (name, make) in TABLES.items():
        path = Path(__file__).parent / page
        before, opening, rest = path.read_text("utf-8").partition(f"<!-- {name} -->\n")
        _, closing, after = rest.partition(f"<!-- /{name} -->")
        assert closing, f"{page} needs a place for the table '{name}'"
        pages[path] = before + opening + make() + "\n" + closing + after
    return pages


if __name__ == "__main__":
    for path, text in filled().items():
        path.write_text(text, "utf-8")
