"""The truncated gradient's table: what it compares, where it is written, and that it resumes."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import sections, tesla
from tests.benchmarks.test_runs import rows

QUICK = ["--steps", "1", "4", "--step-sizes", "0.1", "--width", "4", "--ipc", "1", "--seen", "40", "--repeats", "1"]


def test_one_step_is_exact_more_are_not_and_nothing_is_measured_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sections, "FILE", tmp_path / "CLAIMS.md")
    command = [*QUICK, "--runs", str(tmp_path / "runs.jsonl"), "--write"]
    tesla.main(command)
    one, four = rows(capsys.readouterr().out)
    assert one == ["1", "1.000, 1.000"]
    assert four[0] == "4"
    assert not four[1].startswith("1.000, 1.000")
    kept, written = (tmp_path / "runs.jsonl").read_text("utf-8"), sections.FILE.read_text("utf-8")
    tesla.main(command)
    assert rows(capsys.readouterr().out) == [one, four]
    assert (tmp_path / "runs.jsonl").read_text("utf-8") == kept, "nothing was measured again"
    assert sections.FILE.read_text("utf-8") == written
