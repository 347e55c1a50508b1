"""The sweep of an "auto" beta: the validation split chooses, and every window's line is kept and shared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.artifacts.agreement import agree
from tests.worker.test_selecting import SMALL, attempt

AUTO = {"init.beta": "auto", "init.score.networks": 2, "init.score.epochs": 2}


def asked(ipc: int, **changes: Any) -> dict[str, Any]:
    return {"method": "window", "ipc": ipc, "overrides": SMALL | AUTO | changes}


def made(root: Path, name: str) -> dict[str, Any]:
    (file,) = root.rglob(name)
    content: dict[str, Any] = json.loads(file.read_text())
    return content


def images(root: Path) -> np.ndarray:
    (file,) = root.rglob("dataset.npz")
    return np.asarray(np.load(file)["x_train"])


def lines(folder: Path) -> dict[str, int]:
    """The inodes of the stored files of what was tried, by name; those of networks on random images are each job's."""
    files = (folder / "experts").glob("*.json")
    return {path.name: path.stat().st_ino for path in files if "line" not in json.loads(path.read_text())}


def test_the_best_window_on_the_validation_split_is_taken(tmp_path: Path) -> None:
    attempt(tmp_path / "auto", **asked(100))
    sweep = made(tmp_path / "auto", "report.json")["sweep"]
    assert [line["beta"] for line in sweep["windows"]] == [0, 0.1, 0.2], "25 + 100 of 125 and no more"
    assert all(len(line["validation"]) == 2 for line in sweep["windows"])
    (staged,) = tmp_path.rglob("report.json")
    assert "was chosen among 3 windows" in agree(staged.parent)["choices"].words[0]
    assert sweep["chosen"] == max(sweep["windows"], key=lambda line: line["validation_mean"])["beta"]
    assert made(tmp_path / "auto", "recipe.json")["recipe"]["init"]["beta"] == sweep["chosen"]
    kept = lines(tmp_path)
    attempt(tmp_path / "told", **asked(100, **{"init.beta": sweep["chosen"]}))
    assert made(tmp_path / "told", "report.json")["sweep"] is None
    assert np.array_equal(images(tmp_path / "auto"), images(tmp_path / "told"))
    attempt(tmp_path / "other", seed=5, **asked(100))
    assert made(tmp_path / "other", "report.json")["sweep"] == sweep, "whatever the seed"
    assert lines(tmp_path) == kept, "nothing was trained again"


def test_a_sweep_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    """A step of two networks is a place to stop: the scores take 42 of them, and each window 4."""
    attempt(tmp_path / "first", stop_after=50, **asked(100))
    kept = lines(tmp_path)
    assert 0 < len(kept) < 3
    attempt(tmp_path / "second", **asked(100))
    assert len(lines(tmp_path)) == 3
    assert kept.items() <= lines(tmp_path).items()
