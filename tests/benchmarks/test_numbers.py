"""The benchmark of tables and series: its coresets, its reader of series, and its verdict."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from benchmarks.numbers import CORESETS, coreset, read_series, report


@pytest.mark.parametrize("name", CORESETS)
def test_a_coreset_is_of_different_rows(name: str) -> None:
    rows = np.random.default_rng(0).normal(size=(40, 3))
    chosen = coreset(name, rows, 7, 1)
    assert len(set(chosen)) == 7
    assert max(chosen) < 40


def test_herding_takes_rows_whose_mean_is_near() -> None:
    rows = np.random.default_rng(0).normal(size=(200, 4))
    apart = {name: np.linalg.norm(rows[coreset(name, rows, 10, 0)].mean(0) - rows.mean(0)) for name in CORESETS}
    assert apart["herding"] == min(apart.values())


def test_series_are_read_out_of_a_wheel(tmp_path: Path) -> None:
    wheel = tmp_path / "aeon.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for split in ("TRAIN", "TEST"):
            text = "# a comment\n@classLabel true a b\n@data\n1,2,3:4,5,6:a\n7,8,9:10,11,12:b\n"
            archive.writestr(f"aeon/datasets/data/Waves/Waves_eq_{split}.ts", text)
    arrays = read_series(wheel, "Waves_eq")
    assert arrays["x_train"].shape == (2, 2, 3)
    assert arrays["x_test"][1, 1].tolist() == [10, 11, 12]
    assert arrays["y_train"].tolist() == ["a", "b"]


def test_the_best_of_ours_is_compared_with_the_best_coreset_over_sizes() -> None:
    made = [
        {"dataset": "wine", "ipc": ipc, "method": method, "network": accuracy}
        for ipc, scores in (
            (1, {"random": 0.5, "k-means": 0.7, "dm": 0.9}),
            (5, {"random": 0.9, "k-means": 0.9, "dm": 0.8}),
        )
        for method, accuracy in scores.items()
    ]
    told = report(made, ["network"])
    assert "wine: dm +5.0 points to k-means" in told
    assert "As good or better on 1 of 1." in told
