"""The table of a search beside single methods: runs that were done are not done again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import race
from core.data import Catalogue


def test_a_table_is_printed_from_the_runs_that_are_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = tmp_path / "race.jsonl"
    key = {"dataset": "digits", "ipc": 1, "within": "90s"}
    figures = [("auto", 0, 0.9, "mtt"), ("auto", 1, 0.92, "dm"), ("dm", 0, 0.8, "dm"), ("dm", 1, 0.8, "dm")]
    runs.write_text(
        "".join(
            json.dumps(
                {**key, "method": method, "seed": seed, "accuracy": accuracy}
                | {"random": 0.65, "seconds": 80.0 + seed, "winner": winner}
            )
            + "\n"
            for method, seed, accuracy, winner in figures
        )
    )
    before = runs.read_text()
    assert race.main(["--methods", "auto", "dm", "--seeds", "2", "--runs", str(runs)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "| auto | 91.0 ± 1.4 | 65.0 | 80 (at most 81) | mtt, dm | 2 |"
    assert lines[3] == "| dm | 80.0 ± 0.0 | 65.0 | 80 (at most 81) | dm | 2 |"
    assert runs.read_text() == before


def test_a_row_is_kept_for_the_page_of_a_new_job() -> None:
    run = {"dataset": "digits", "ipc": 1, "within": "90s", "random": 0.65, "seconds": 80.0, "winner": "mtt"}
    kept = race.kept([run | {"method": "auto", "accuracy": accuracy} for accuracy in (0.9, 0.92)])
    assert (kept.accuracy, kept.n, kept.won, kept.kept) == (0.91, 2, ("mtt",), True)
    assert race.kept([run | {"method": "mtt", "accuracy": 0.9}]).won == ()
    assert kept.digest == Catalogue(Path("nowhere")).facts("digits").digest
