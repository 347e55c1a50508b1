"""Probes on real digits: what a recipe leaves open is chosen on the validation split, kept, shared and reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.worker.test_engine import SMALL
from tests.worker.test_selecting import attempt
from tests.worker.test_sweeping import images, lines, made

AUTO: dict[str, Any] = {
    "method": "seqmatch",
    "ipc": 2,
    "overrides": SMALL
    | {
        "objective.max_start_epoch": "auto",
        "schedule.image_lr": "auto",
        "schedule.steps": 6,
        "schedule.stages.epochs": 1,
        "experts.count": 3,
        "experts.epochs": 5,
        "experts.batch_size": 720,
        "evaluation.epochs": 4,
        "evaluation.seeds": 1,
        "evaluation.full": None,
    },
}


@pytest.fixture(autouse=True)
def _two_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that one of three experts is trained after the probes, only as far as they found it is needed."""
    monkeypatch.setattr("core.engine.kept.stack_for", lambda *_: 2)


def told(said: list[dict[str, Any]]) -> dict[str, Any]:
    """The message that was sent when probing began."""
    return next(message for message in said if message["type"] == "progress" and message["phase"] == "probing")


def test_what_probes_chose_is_reported_kept_and_shared(tmp_path: Path) -> None:
    """The first of two stages alone is probed.

    A step of two experts is a place to stop, of which they take 12; so is each of a rate's five outer steps.
    """
    attempt(tmp_path / "stopped", stop_after=35, **AUTO)
    before = lines(tmp_path)
    said = attempt(tmp_path / "auto", **AUTO)
    kept = lines(tmp_path)
    assert 0 < len(before) < len(kept)
    assert before.items() <= kept.items()
    assert told(said)["skipped"] == 5 * len(before), "what the first attempt had tried"
    rate, end = made(tmp_path / "auto", "report.json")["probes"]
    assert (rate["field"], end["field"]) == ("schedule.image_lr", "objective.max_start_epoch")
    assert rate["chosen"] in [line["image_lr"] for line in rate["candidates"]]
    assert all(line["loss"] > 0 for line in rate["candidates"])
    assert [line["max_start_epoch"] for line in end["candidates"]] == [2, 5], "experts end after five epochs"
    means = {line["max_start_epoch"]: np.mean(line["validation"]) for line in end["candidates"]}
    assert end["chosen"] == max(means, key=lambda candidate: means[candidate])
    assert f"{max(means.values()):.1%}" in end["why"]
    manifest = made(tmp_path / "auto", "manifest.json")
    assert manifest["chosen"] == [{name: probe[name] for name in ("field", "chosen", "why")} for probe in (rate, end)]

    chosen = {probe["field"]: probe["chosen"] for probe in (rate, end)}
    attempt(tmp_path / "told", **AUTO | {"overrides": AUTO["overrides"] | chosen})
    assert made(tmp_path / "told", "report.json")["probes"] == []
    assert np.array_equal(images(tmp_path / "auto"), images(tmp_path / "told"))
    recipes = [made(tmp_path / name, "recipe.json")["recipe"] for name in ("auto", "told")]
    assert recipes[0] == recipes[1], "numbers in the place of auto"

    said = attempt(tmp_path / "other", seed=5, **AUTO)
    assert made(tmp_path / "other", "report.json")["probes"] == [rate, end], "whatever the seed"
    assert lines(tmp_path) == kept, "nothing was tried again"
    assert told(said)["skipped"] == told(said)["total"] > 0
