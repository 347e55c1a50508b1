"""Small real tables, which scikit-learn ships, and series that are drawn."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


def wine() -> Arrays:
    """178 wines of 13 measurements in 3 classes, not split."""
    return _table("wine_data.csv")


def cancer() -> Arrays:
    """569 cases of 30 measurements in 2 classes, not split."""
    return _table("breast_cancer.csv")


def waves(count: int = 60, channels: int = 2, steps: int = 24) -> Arrays:
    """Noisy waves of two frequencies, not split."""
    rng = np.random.default_rng(0)
    y = np.arange(count) % 2
    speed, phase = 0.4 + 0.3 * y, rng.uniform(0, 6, count)
    x = np.sin(np.arange(steps) * speed[:, None] + phase[:, None])[:, None]
    return {"x": x + 0.3 * rng.normal(size=(count, channels, steps)), "y": y}


def halved(arrays: Arrays) -> Arrays:
    """The arrays as a source that is split has them: every third case is a test case."""
    test = np.arange(len(arrays["y"])) % 3 == 0
    parts = (("train", ~test), ("test", test))
    split = {f"{name}_{part}": arrays[name][rows] for part, rows in parts for name in ("x", "y")}
    return {name: array for name, array in arrays.items() if name not in ("x", "y")} | split


def _table(name: str) -> Arrays:
    found = importlib.util.find_spec("sklearn")
    assert found is not None
    assert found.submodule_search_locations is not None
    path = Path(found.submodule_search_locations[0], "datasets", "data", name)
    first = path.read_text().splitlines()[0].split(",")
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    return {"x": table[:, :-1], "y": table[:, -1].astype(np.int64), "class_names": np.array(first[2:])}
