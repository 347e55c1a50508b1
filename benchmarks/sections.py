"""benchmarks/CLAIMS.md: sections between marks of their own, and at its end the table of the claims."""

from __future__ import annotations

from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).with_name("CLAIMS.md")
TABLE: Final = "<!-- table -->"
"""All that follows is the claims' table."""

_EMPTY = f"# Claims\n\n{TABLE}\n"
_CLAIMS = "## What the papers claim"


def write(name: str, title: str, said: str) -> None:
    """Put a section into the file."""
    FILE.write_text(placed(FILE.read_text("utf-8") if FILE.exists() else _EMPTY, name, title, said), "utf-8")


def rows() -> dict[str, list[str]]:
    """The cells of the claims' table by the first of each row, the claim's name."""
    below = FILE.read_text("utf-8").partition(TABLE)[2] if FILE.exists() else ""
    lines = [line for line in below.splitlines() if line.startswith("| ")]
    found = ([cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines[2:])  # below head and rule
    return {cells[0]: cells for cells in found}


def write_table(said: str) -> None:
    """Put the claims' table into the file, in the place of the one it has."""
    above = FILE.read_text("utf-8").partition(TABLE)[0] if FILE.exists() else "# Claims\n\n"
    FILE.write_text(f"{above}{TABLE}\n\n{said}\n", "utf-8")


def placed(text: str, name: str, title: str, said: str) -> str:
    """The file's text with a section in it: in place of the one of that name, else above the claims' table."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    section = f"{begin}\n\n{said}\n\n{end}"
    if begin in text:
        above, _, rest = text.partition(begin)
        return f"{above}{section}{rest.partition(end)[2]}"
    above, mark, rest = text.partition(TABLE)
    above = above.rstrip().removesuffix(_CLAIMS).rstrip()
    return f"{above}\n\n## {title}\n\n{section}\n\n{_CLAIMS}\n\n{mark or TABLE}{rest or chr(10)}"
