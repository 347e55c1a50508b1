"""The table of sets that take the same bytes, of sets that are really made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import bytes as measuring
from tests.benchmarks.test_runs import rows


def test_fewer_bits_hold_more_images_in_the_same_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = ["--set", "evaluation.epochs=2", "--set", "network.width=4", "--set", "dm:schedule.steps=2"]
    asked = ["--home", str(tmp_path), "--images", "2", "--bits", "2", "8", "--seeds", "1", *changes]
    measuring.main(asked)
    random, dm = rows(capsys.readouterr().out)
    assert (random[1], dm[1], random[3]) == ("random", "dm", dm[3])
    assert random[4].endswith(" % of 7")
    assert random[5].endswith(" % of 2")
    path = tmp_path / "bytes.jsonl"
    made = path.read_text().splitlines()
    assert [json.loads(line)["bits"] for line in made] == [2, 8, 2, 8]
    measuring.main(asked)
    assert path.read_text().splitlines() == made, "a set that is there is not made again"
