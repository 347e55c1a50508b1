"""Jobs that give each class its share of the images, from the order to what every reader of the artifact finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.artifacts import verify
from core.artifacts.load import compact, load
from core.data import Catalogue
from core.request import JobOrder, resolve, settle
from tests.artifacts.agreement import agree
from tests.data.bundles import place, sound
from tests.worker.test_compact import PLAIN, same
from tests.worker.test_selecting import attempt


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 30 zeros and 120 others for training."""
    arrays = sound(40)
    kept = np.concatenate([np.flatnonzero(arrays["y_train"] == 0)[:30], np.flatnonzero(arrays["y_train"] > 0)[:120]])
    arrays |= {name: arrays[name][kept] for name in ("x_train", "y_train")}
    arrays |= {name: (arrays[name] > 0).astype(np.int64) for name in ("y_train", "y_test")}
    return place(tmp_path_factory.mktemp("data"), "rare", arrays | {"class_names": np.array(["zero", "other"])}).parent


@pytest.mark.parametrize(
    ("method", "size", "changes"),
    [
        ("random", {"ratio": 0.074}, {"storage.kind": "compact"}),
        ("dm", {"ipc": 5}, {"schedule.steps": 2}),
    ],
)
def test_a_set_in_proportion_is_said_and_read_so_everywhere(
    method: str, size: dict[str, Any], changes: dict[str, Any], data: Path, tmp_path: Path
) -> None:
    facts = Catalogue(data).facts("rare")
    order = {"dataset": "rare", "method": method, "share": "proportional", "overrides": PLAIN | changes, **size}
    asked = settle(JobOrder.model_validate(order), facts)
    assert (facts.members, asked.ipc) == ((27, 108), 5)
    assert resolve(asked, facts).share == "proportional"
    attempt(tmp_path, data_dir=data, **asked.model_dump(include={"dataset", "method", "ipc", "overrides"}))
    folder = tmp_path / "staging" / "1"
    assert verify(folder) == []
    result, bundle = load(folder), np.load(folder / "dataset.npz")
    for labels in (result.labels, bundle["y_train"]):
        assert np.bincount(labels).tolist() == [2, 8]
    assert [len(list(one.iterdir())) for one in sorted((folder / "images").iterdir())] == [2, 8]
    if "storage.kind" in changes:
        assert same(compact(folder), result)
    classes = agree(folder)["classes"]
    assert "from 2 of 'zero' to 8 of 'other'" in classes.words[0]
    assert classes.measures is not None
    assert [line.cells[-1].text for line in classes.measures.lines] == ["2", "8"]  # type: ignore[union-attr]
    assert "distilled to 2 to 8 images per class" in (folder / "README.md").read_text("utf-8")
    rows = {row["name"]: row["images"] for row in json.loads((folder / "report.json").read_text())["results"]}
    assert rows["distilled"] == rows["random"] == 10
