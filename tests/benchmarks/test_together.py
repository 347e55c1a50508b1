"""A job on several workers, on paper."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import together
from benchmarks.together import Step


def test_whoever_is_free_makes_the_next(capsys: pytest.CaptureFixture[str]) -> None:
    assert Step("experts", 9, 228.0).takes(1, 83.0) == 9 * 228
    assert Step("experts", 9, 228.0).takes(4, 83.0) == 3 * 228, "the own worker three, the others two each"
    assert Step("line", 5, 10.0).takes(2, 1.0) == 30.0
    assert Step("line", 2, 10.0).takes(2, 15.0) == 20.0, "nobody waits for one who comes too late"
    together.main(["--workers", "1", "2", "--steps", "line:4:10", "--alone", "20", "--late", "0"])
    assert capsys.readouterr().out.splitlines()[-2:] == ["| 1 | 60 | 1.00 |", "| 2 | 40 | 1.50 |"]


def test_the_steps_of_an_artifact_are_read(tmp_path: Path) -> None:
    lines = [
        ("distilled", 5, 50.0),
        ("distilled_8bit", 5, 0.0),
        ("ridge", 5, 9.0),
        ("full", 2, 40.0),
        ("teacher", 1, 3.0),
    ]
    results = [{"name": name, "n_seeds": seeds, "seconds": seconds} for name, seeds, seconds in lines]
    phases = {"preparing": 7.0, "training_experts": 30.0, "distilling": 100.0, "evaluating": 110.0}
    (tmp_path / "report.json").write_text(json.dumps({"phases": phases, "results": results}))
    (tmp_path / "recipe.json").write_text(json.dumps({"experts": {"count": 3}}))
    steps, alone, late = together.steps_of(tmp_path)
    assert steps == [Step("experts", 3, 10.0), Step("distilled", 5, 10.0), Step("full", 2, 20.0)]
    assert (alone, late) == (7.0 + 100.0 + 20.0, 7.0)
    assert together.on_paper(steps, alone, late, 1) == sum(phases.values())
