"""The table of advice against measurement, from results that are there: nothing is measured twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import advice
from tests.core.test_advice import REAL, gained, measured


def test_what_is_there_is_read_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    distilled = gained(REAL, 0.8, 0.1)
    (tmp_path / "digits.advice.json").write_text(measured(REAL, distilled, smallest=125).model_dump_json())
    for ipc in (1, 2, 3, 5, 7, 10, 14, 20, 30):
        off = 0.5 if ipc == 30 else 0.0
        results = {"distilled": distilled(ipc), "random": REAL(ipc) - off}
        content = {"ipc": ipc, "seed": 0, "results": results}
        (tmp_path / f"digits-{ipc}-0.json").write_text(json.dumps(content))
    before = sorted(tmp_path.iterdir())
    advice.main(["--home", str(tmp_path), "--data", str(tmp_path / "data"), "--seeds", "1"])
    table = capsys.readouterr().out
    assert sorted(tmp_path.iterdir()) == before
    assert "distilled images: 9 of 9 results held" in table
    assert "random images: 8 of 9 results held" in table
    factors = [float(line.split("|")[4]) for line in table.splitlines() if line.startswith("| ") and "%" in line]
    assert len(factors) == 3
    assert max(factors) < 1.5
