"""The report against a stranger: the code in an artifact trains networks to what the report says of its own."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest

from benchmarks.student import retrain
from core.data.digits import digits
from core.worth import quantile
from tests.worker.test_engine import SMALL, here

SEEDS = 4
BUDGET = SMALL | {
    "network.width": 16,
    "labels.kind": "learnable",
    "objective.syn_steps": 8,
    "schedule.steps": 15,
    "evaluation.epochs": 150,
    "evaluation.seeds": SEEDS,
    "evaluation.full": None,
}


@pytest.mark.slow
def test_a_strangers_networks_are_as_good_as_the_reports(tmp_path: Path) -> None:
    """Within the spread of both and two points: labels, rate, augmentation and schedule are those of the report."""
    made = here(tmp_path / "job", overrides=BUDGET)
    row = json.loads((made.folder.staging / "report.json").read_text())["results"][0]
    test = digits().test
    ours = retrain(made.folder.staging, test.images, test.labels, SEEDS, tmp_path / "test.npz")
    spread = quantile(2 * SEEDS - 2) * ((row["accuracy_std"] ** 2 + statistics.variance(ours)) / SEEDS) ** 0.5
    assert row["name"] == "distilled"
    assert abs(statistics.fmean(ours) - row["accuracy_mean"]) < spread + 0.02
    assert statistics.fmean(ours) > 0.4, "they have learned something"
