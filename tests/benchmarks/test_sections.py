"""Sections of CLAIMS.md: writing one leaves the others alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import sections

CLAIMS = "# Claims\n\nWhat they are.\n\n<!-- table -->\n\n| a |\n"


def test_a_section_takes_the_place_of_its_former_self() -> None:
    first = sections.placed(CLAIMS, "tesla", "Gradients", "old")
    second = sections.placed(first, "tesla", "Gradients", "new")
    assert second == first.replace("old", "new")
    above, mark, below = second.partition(sections.TABLE)  # what benchmarks.claims keeps, and what it replaces
    assert mark
    assert below == "\n\n| a |\n"
    assert above.startswith("# Claims\n\nWhat they are.\n\n## Gradients\n")


def test_several_sections_stand_above_one_table() -> None:
    text = sections.placed(sections.placed(CLAIMS, "tesla", "Gradients", "far"), "sizes", "Sizes", "many")
    heads = [line for line in text.splitlines() if line.startswith("#")]
    assert heads == ["# Claims", "## Gradients", "## Sizes", "## What the papers claim"]
    assert text.count(sections.TABLE) == 1
    assert "far" in text
    assert "many" in text


def test_the_table_is_replaced_and_nothing_above_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "FILE", tmp_path / "CLAIMS.md")
    sections.write_table("| first |")
    sections.write("tesla", "Gradients", "far")
    sections.write_table("| second |")
    text = sections.FILE.read_text("utf-8")
    assert "far" in text
    assert text.endswith(f"{sections.TABLE}\n\n| second |\n")
    assert "first" not in text
