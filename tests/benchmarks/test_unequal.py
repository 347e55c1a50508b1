"""The datasets of unequal classes, and the table of jobs that are there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import unequal
from benchmarks.unequal import DATASETS, Unequal


def test_one_class_stands_beside_all_others_or_is_thinned() -> None:
    two = unequal.arrays(DATASETS["eight-or-not"], None)
    assert two["class_names"].tolist() == ["8", "other"]
    counts = np.bincount(two["y_train"])
    assert counts[1] > 8 * counts[0] > 0
    thinned = unequal.arrays(Unequal("digits", train=90, test=20, thinned=3), None)
    assert np.bincount(thinned["y_train"]).tolist() == [90, 90, 90, 10, *[90] * 6]
    assert np.bincount(thinned["y_test"]).tolist() == [20] * 10
    assert len(thinned["x_train"]) == len(thinned["y_train"])


def test_a_source_that_is_not_there_is_asked_for() -> None:
    with pytest.raises(SystemExit, match="--data DIR"):
        unequal.arrays(DATASETS["lung-ninth"], None)


def test_a_table_is_printed_from_the_jobs_that_are_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = {"dataset": "eight-or-not", "ipc": 1, "method": "mtt", "within": None, "set": {"experts.lr": 0.03}}
    figures = {"accuracy": 0.7, "step_size": 0.01, "selection": "last", "winner": None, "seconds": 9.0}
    jobs = [
        {**key, "seed": seed, **figures, "balanced": {"distilled": 0.8 + seed / 50, "random": 0.6}} for seed in range(2)
    ]
    path = tmp_path / "unequal.jsonl"
    path.write_text("".join(json.dumps(job) + "\n" for job in jobs))
    before = path.read_text()
    unequal.main(
        ["--home", str(tmp_path), "--ipc", "1", "--methods", "mtt", "--seeds", "2", "--set", "mtt:experts.lr=0.03"]
    )
    assert "| 1 | mtt | 81.0 ± 1.4 % | 60.0 ± 0.0 % | 70.0 ± 0.0 % |  | 2 | 9 |" in capsys.readouterr().out
    assert path.read_text() == before
