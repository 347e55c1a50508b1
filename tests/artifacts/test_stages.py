"""A curriculum in an artifact: its order and rates are in every file, and what consumes it gets them in order."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from core.artifacts import Distilled, build, student, verify
from core.artifacts.load import load
from tests.artifacts.results import result, told

RATES = (0.01, 0.02)


def curriculum(rates: tuple[float, ...] = RATES) -> Distilled:
    """Three images of each class, of which the first two come first."""
    given = result(ipc=3, step_size=None)
    each = [{"images": 20, "trained_on": 20, "lr": 0.01}, {"images": 10, "trained_on": 30, "lr": 0.02}]
    given = told(given, stages={"epochs": 300, "total_epochs": 600, "each": each})
    return replace(given, stage=np.tile(np.array([0, 0, 1]), 10), step_sizes=rates)


def test_the_order_comes_back(tmp_path: Path) -> None:
    given = curriculum()
    build(tmp_path, given)
    assert verify(tmp_path) == []
    data, bundle = load(tmp_path), np.load(tmp_path / "dataset.npz")
    table = pq.read_table(tmp_path / "data/train-00000-of-00001.parquet")
    for stage in (data.stage, bundle["stage"], np.array(table["stage"])):
        assert np.array_equal(stage, given.stage)
    assert json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]["stage"]["dtype"] == "int64"
    assert data.step_size is None
    assert data.step_sizes == tuple(bundle["step_sizes"]) == RATES
    (first, targets, rate), (whole, every, last) = data.stages()
    assert np.array_equal(first, given.images[given.stage == 0])
    assert np.array_equal(targets, given.labels[given.stage == 0])
    assert np.array_equal(whole, given.images)
    assert np.array_equal(every, given.labels)
    assert (rate, last) == RATES


def test_without_an_order_there_is_one_stage(tmp_path: Path) -> None:
    given = result(ipc=2)
    build(tmp_path, given)
    ((images, targets, rate),) = load(tmp_path).stages()
    assert np.array_equal(images, given.images)
    assert np.array_equal(targets, given.labels)
    assert rate == given.step_size
    assert "stage" not in np.load(tmp_path / "dataset.npz")


def test_stages_are_trained_on_at_the_evaluations_rate_if_it_has_one(tmp_path: Path) -> None:
    given = curriculum(())
    recipe: dict[str, Any] = dict(given.recipe)
    build(tmp_path, replace(given, recipe=recipe | {"evaluation": recipe["evaluation"] | {"lr": 0.05}}))
    assert [rate for _, _, rate in load(tmp_path).stages()] == [0.05, 0.05]


def test_the_card_says_in_what_order(tmp_path: Path) -> None:
    build(tmp_path, curriculum())
    text = (tmp_path / "README.md").read_text()
    assert "a curriculum of 2 stages" in text
    assert "600 epochs in all" in text
    assert "| 1 | 10 | 30 | 0.02 |" in text
    assert "  - name: stage\n    dtype: int64" in text


def test_the_student_trains_stage_by_stage(tmp_path: Path) -> None:
    build(tmp_path, curriculum())
    data = load(tmp_path)
    seen = [[(len(images), rate) for images, _, rate in stage] for stage in student.stages(data)]
    assert [len(stage) for stage in seen] == [data.recipe["evaluation"]["epochs"]] * 2
    assert [(stage[0], stage[-1]) for stage in seen] == [
        ((20, 0.01), (20, pytest.approx(0.001))),
        ((30, 0.02), (30, pytest.approx(0.002))),
    ]
