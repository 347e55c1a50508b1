"""Jobs of so many bytes, in this process: the compact file has as many as promised, and all that was judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.artifacts import verify
from core.artifacts.load import Distilled, compact, load
from core.data import Catalogue
from core.request import JobOrder, resolve, settle
from core.weight import bytes_of, weight
from tests.artifacts.agreement import agree
from tests.worker.test_selecting import attempt
from tests.worker.test_teaching import SMALL

PLAIN = {name: value for name, value in SMALL.items() if not name.startswith("teacher")}
STEPS = {"schedule.steps": 2, "schedule.stages.count": 1}
EXPERTS = {"experts.count": 1, "experts.epochs": 2, "objective.max_start_epoch": 1, "objective.expert_epochs": 1}
ROUNDS = {"first": 0.5, "count": 1, "epochs": 1, "score": {"kind": "forgetting", "networks": 1, "epochs": 2}}

MODES: dict[str, tuple[str, dict[str, Any]]] = {
    "learned rate": ("mtt", PLAIN | EXPERTS | {"schedule.steps": 2, "objective.syn_steps": 2}),
    "tiles": ("idc", PLAIN | {"schedule.steps": 2, "objective.inner_images": 100, "objective.syn_batch": 3}),
    "top": ("rded", SMALL | {"relabel.kind": "soft", "storage.top": 3}),
    "views": ("rded", SMALL | {"relabel.bits": 4}),
    "targets": ("linear-exact", PLAIN),
    "rounds": ("dm", PLAIN | {"schedule.steps": 2, "rounds": ROUNDS}),
    "whitened": ("random", PLAIN | {"preprocess.kind": "zca"}),
}


def same(one: Distilled, other: Distilled) -> bool:
    """Whether two sets are one, but for the last bits of what is enlarged."""
    return (
        np.allclose(one.images, other.images, atol=1e-5)
        and np.array_equal(one.targets, other.targets)
        and np.array_equal(one.real, other.real)
        and np.array_equal(one.labels, other.labels)
        and np.array_equal(one.stage, other.stage)
        and (one.step_size, one.step_sizes) == (other.step_size, other.step_sizes)
        and one.class_names == other.class_names
    )


@pytest.mark.parametrize("mode", MODES)
def test_a_delivered_set_weighs_what_was_promised_and_is_what_was_judged(mode: str, tmp_path: Path) -> None:
    method, overrides = MODES[mode]
    size = {"whitened": "19 kB", "views": "3 kB"}.get(mode, "2 kB")
    facts = Catalogue(tmp_path).facts("digits")
    asked = settle(
        JobOrder.model_validate({"dataset": "digits", "method": method, "bytes": size, "overrides": overrides}), facts
    )
    promised = weight(resolve(asked, facts), facts, asked.ipc)
    attempt(tmp_path, **asked.model_dump(include={"method", "ipc", "overrides"}))
    folder = tmp_path / "staging" / "1"
    assert verify(folder) == []
    delivered = [folder / name for name in ("dataset.compact.safetensors", "dataset.views.safetensors")]
    assert sum(path.stat().st_size for path in delivered if path.exists()) == promised <= bytes_of(size)
    data = compact(folder)
    assert same(data, load(folder))
    bundle = np.load(folder / "dataset.npz")
    if mode != "tiles":  # those are enlarged, and so between the levels
        assert len(np.unique(bundle["x_train"])) <= 2 ** data.recipe["storage"]["bits"]
    rows = {row["name"]: row for row in json.loads((folder / "report.json").read_text())["results"]}
    if mode not in ("tiles", "views", "whitened"):
        assert rows["distilled"]["accuracies"] == rows["distilled_8bit"]["accuracies"], "8 bits hold all there is"
    told = json.loads((folder / "manifest.json").read_text())["size"]
    each = [told[f"bytes_{part}"] for part in ("images", "labels", "transform", "step_sizes", "rest")]
    assert sum(each) == told["bytes_after"] == promised
    assert told["bits_per_class"] == pytest.approx(8 * promised / 10, abs=0.1)
    if mode == "top":
        agree(folder)
