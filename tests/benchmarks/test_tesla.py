"""The truncated gradient's table: what it compares, where it is written, and that it resumes."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import tesla
from tests.benchmarks.test_runs import rows

QUICK = ["--steps", "1", "4", "--step-sizes", "0.1", "--width", "4", "--ipc", "1", "--seen", "40", "--repeats", "1"]


def test_one_step_is_exact_more_are_not_and_nothing_is_measured_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tesla, "_FILE", tmp_path / "CLAIMS.md")
    command = [*QUICK, "--runs", str(tmp_path / "runs.jsonl"), "--write"]
    tesla.main(command)
    one, four = rows(capsys.readouterr().out)
    assert one == ["1", "1.000 ± 0.000, 1.000 ± 0.000"]
    assert four[0] == "4"
    assert not four[1].startswith("1.000 ± 0.000, 1.000")
    kept, written = (tmp_path / "runs.jsonl").read_text("utf-8"), tesla._FILE.read_text("utf-8")
    tesla.main(command)
    assert rows(capsys.readouterr().out) == [one, four]
    assert (tmp_path / "runs.jsonl").read_text("utf-8") == kept, "nothing was measured again"
    assert tesla._FILE.read_text("utf-8") == written


def test_neither_table_overwrites_the_other() -> None:
    claims = "# Claims\n\nWhat they are.\n\n<!-- table -->\n\n| a |\n"
    first = tesla.placed(claims, "old")
    second = tesla.placed(first, "new")
    assert second == first.replace("old", "new")
    above, mark, below = second.partition("<!-- table -->")  # what benchmarks.claims keeps, and what it replaces
    assert mark
    assert below == "\n\n| a |\n"
    assert above.startswith("# Claims\n\nWhat they are.\n\n## ")
    assert "new" in above
