"""Stages in the engine: wherever an attempt ends, the next one goes on, and the artifact says the order."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.artifacts import verify
from core.artifacts.load import load
from tests.worker.test_engine import run
from tests.worker.test_selecting import attempt, cached

CHEAP = {
    "network.width": 4,
    "schedule.steps": 4,
    "schedule.stages.epochs": 2,
    "evaluation.epochs": 2,
    "evaluation.seeds": 1,
    "evaluation.full": None,
    "evaluation.baseline_lrs": [0.01],
}
SMALL = CHEAP | {
    "objective.syn_steps": 3,
    "objective.max_start_epoch": 2,
    "objective.expert_epochs": 1,
    "experts.count": 2,
    "experts.batch_size": 720,
    "evaluation.look_every": 1,
    "evaluation.select": "best_validation",
}
GRADIENTS = CHEAP | {
    "schedule.steps": 2,
    "objective.outer_loops": 2,
    "objective.inner_images": 40,
    "schedule.stages.networks": 2,
}


def artifact(root: Path, number: int) -> Path:
    return root / "staging" / str(number)


def logged(said: list[dict[str, Any]]) -> list[str]:
    return [m["message"] for m in said if m["type"] == "log"]


def test_a_run_killed_in_its_second_stage_resumes_to_the_same_bits(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"method": "seqmatch", "ipc": 3, "overrides": SMALL}
    said = attempt(tmp_path / "whole", **asked)
    assert "Stage 2 of 2 begins." in logged(said)
    first = run(tmp_path / "apart" / "job", **asked)
    process = first.until_distilling(6)
    process.kill()
    assert process.wait(60) == -signal.SIGKILL
    told = attempt(tmp_path / "apart" / "job", attempt=2, **asked)
    assert "Stage 2 of 2 begins." not in logged(told), "it was in it already"
    assert cached(told) == ["2 of 2 expert trajectories were in the cache."]
    whole, resumed = load(artifact(tmp_path / "whole", 1)), load(artifact(tmp_path / "apart" / "job", 2))
    assert np.array_equal(whole.images, resumed.images)
    assert whole.step_sizes == resumed.step_sizes

    assert verify(artifact(tmp_path / "whole", 1)) == []
    assert [len(images) for images, _, _ in whole.stages()] == [20, 30]
    assert tuple(rate for _, _, rate in whole.stages()) == whole.step_sizes
    report = json.loads((artifact(tmp_path / "whole", 1) / "report.json").read_text())
    assert report["stages"]["total_epochs"] == 4
    assert [each["trained_on"] for each in report["stages"]["each"]] == [20, 30]
    assert report["selection"].startswith("best of the looks")
    assert sum(map(sum, report["confusion"])) == 359
    assert report["neighbours"]["images"] == 30


def test_of_each_stage_the_best_state_is_gone_on_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look of a stage is made the best of it, so that its later steps are forgotten."""
    seen = iter([0.9, 0.1, 0.1, 0.1, 0.5, 0.1, 0.1, 0.1])
    monkeypatch.setattr("core.engine.evaluate.accuracy", lambda *_: (next(seen, 0.3), (0.3,) * 10))
    asked: dict[str, Any] = {"method": "seqmatch", "ipc": 2, "overrides": SMALL}
    attempt(tmp_path / "job", **asked)
    report = json.loads((artifact(tmp_path / "job", 1) / "report.json").read_text())
    assert report["selection"].endswith("step 5")
    monkeypatch.undo()
    once = SMALL | {"schedule.steps": 1, "evaluation.select": "last", "evaluation.look_every": None}
    attempt(tmp_path / "once", **asked | {"overrides": once})
    assert np.array_equal(load(artifact(tmp_path / "job", 1)).images, load(artifact(tmp_path / "once", 1)).images)


def test_networks_of_earlier_stages_outlive_a_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One at a time: after the first one of two."""
    monkeypatch.setattr("core.engine.kept.stack_for", lambda *_: 1)
    asked: dict[str, Any] = {"method": "seqmatch-idc", "ipc": 2, "overrides": GRADIENTS}
    attempt(tmp_path / "whole" / "job", **asked)
    said = attempt(tmp_path / "job", stop_after=8, **asked)
    assert cached(said) == ["0 of 2 networks of earlier stages were in the cache."]
    told = attempt(tmp_path / "job", attempt=2, **asked)
    assert cached(told) == ["1 of 2 networks of earlier stages were in the cache."]
    one, other = load(artifact(tmp_path / "whole" / "job", 1)), load(artifact(tmp_path / "job", 2))
    assert np.array_equal(one.images, other.images)
    assert one.stage.tolist() == 10 * (4 * [0] + 4 * [1])
    assert [rate for _, _, rate in one.stages()] == 2 * [one.recipe["evaluation"]["lr"]]
