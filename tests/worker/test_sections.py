"""A real report with every analysis: card, page and command line say the same of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.artifacts.agreement import agree
from tests.worker.test_across import LISTED
from tests.worker.test_probing import AUTO
from tests.worker.test_selecting import attempt


def test_card_page_and_command_line_say_the_same(tmp_path: Path) -> None:
    """Those of a teacher, a generator and a sweep are held against each other where such jobs are tested."""
    more: dict[str, Any] = {
        "evaluation.coverage": {"epochs": 2},
        "evaluation.across": LISTED,
        "evaluation.seeds": 2,
        "evaluation.full": {"epochs": 1},
    }
    attempt(tmp_path, **AUTO | {"overrides": AUTO["overrides"] | more})
    found = agree(tmp_path / "staging" / "1")
    assert list(found) == [
        *("warnings", "stages", "results", "across", "classes", "coverage", "neighbours", "choices", "size"),
    ]
    assert found["results"].measures is not None
    assert "±" in found["results"].measures.lines[0].cells[1].text  # type: ignore[union-attr]
    assert found["coverage"].chart is not None
