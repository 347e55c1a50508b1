"""Unseen architectures in a job: in report, card and metrics, taken up where an attempt ended, nothing else changed."""

from __future__ import annotations

import json
import os
import statistics
from pathlib import Path
from typing import Any

import pytest

from core.recipe import RecipeError
from tests.worker.test_engine import run
from tests.worker.test_selecting import SMALL, attempt
from worker.engine.attempt import run as run_job
from worker.engine.channel import open_channel
from worker.engine.job import Job

LISTED: list[dict[str, Any]] = [{"kind": "mlp", "width": 8}, {"width": 4, "depth": 1}]
ASKED = SMALL | {"evaluation.seeds": 2, "evaluation.across": LISTED}
JOB: dict[str, Any] = {"method": "random", "ipc": 2}


def report(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "staging" / "1" / "report.json").read_text())
    return found


def test_they_are_in_report_and_card_beside_random_images_and_change_nothing_else(tmp_path: Path) -> None:
    attempt(tmp_path / "without", **JOB, overrides=ASKED | {"evaluation.across": []})
    said = attempt(tmp_path / "with", **JOB, overrides=ASKED)
    before, after = report(tmp_path / "without"), report(tmp_path / "with")
    assert before["across"] is None
    for old, new in zip(before["results"], after["results"], strict=True):
        assert old["accuracies"] == new["accuracies"]
    each, mean = after["across"]["each"], after["across"]["mean"]
    assert [lines["network"] for lines in each] == ["mlp-w8", "convnet-d1-w4-instance"]
    for name in ("distilled", "random"):
        rows = [lines[name] for lines in each]
        assert [row["network"] for row in rows] == [lines["network"] for lines in each]
        assert all(len(row["accuracies"]) == row["n_seeds"] == 2 for row in rows)
        assert rows[0]["accuracies"] != rows[1]["accuracies"]
        assert mean[name]["accuracy_mean"] == pytest.approx(statistics.fmean(row["accuracy_mean"] for row in rows))
        seeds = [statistics.fmean(same) for same in zip(*(row["accuracies"] for row in rows), strict=True)]
        assert mean[name]["accuracy_std"] == pytest.approx(statistics.stdev(seeds))
        assert mean[name]["n_seeds"] == mean[name]["networks"] == 2
    told = [m for m in said if m["type"] == "progress" and m["phase"] == "evaluating"]
    assert (told[-1]["done"], told[-1]["total"]) == (14, 14), "two networks for each of three lines and of four"
    card = (tmp_path / "with" / "staging" / "1" / "README.md").read_text()
    assert "## On unseen architectures" in card
    assert f"| mean of the 2 | {100 * mean['distilled']['accuracy_mean']:.1f} ±" in card
    assert "architectures that are not listed" in card
    assert "unseen" not in (tmp_path / "without" / "staging" / "1" / "README.md").read_text()


def test_an_attempt_that_follows_repeats_no_line_and_metrics_have_the_means(tmp_path: Path) -> None:
    made = run(tmp_path, **JOB, overrides=ASKED)
    made.folder.staging.mkdir(parents=True)
    made.folder.checkpoint.mkdir(parents=True)
    whole = attempt(tmp_path / "whole", **JOB, overrides=ASKED) and report(tmp_path / "whole")["across"]["each"]
    kept = {lines["network"]: lines for lines in whole[:1]}
    kept["mlp-w8"]["distilled"]["accuracies"] = [0.25, 0.75]
    (made.folder.checkpoint / "across.json").write_text(json.dumps(kept))
    with (tmp_path / "channel").open("w") as file:
        metrics = run_job(Job.read(tmp_path), made.folder, open_channel(os.dup(file.fileno())), lambda: False)
    found = report(tmp_path)["across"]
    assert found["each"][0] == kept["mlp-w8"]
    assert found["each"][1]["random"]["accuracies"] == whole[1]["random"]["accuracies"]
    deviations = [line["balanced_accuracy_std"] for line in metrics["results"].values()]
    assert None not in deviations
    assert metrics["across"] == {
        name: {field: found["mean"][name][field] for field in ("accuracy_mean", "accuracy_std", "n_seeds", "networks")}
        for name in ("distilled", "random")
    }


@pytest.mark.parametrize(
    ("across", "field", "fix"),
    [
        ([{"kind": "vgg11"}], "overrides.evaluation.across.0", "mlp"),
        ([{"kind": "mlp"}, {"kind": "resnet18"}], "overrides.evaluation.across.1.norm", "'batch'"),
        ([{"depth": 4}], "overrides.evaluation.across.0.depth", "at most 3"),
        ([{"kind": "mlp", "norm": "batch"}], "overrides.evaluation.across.0.norm", "Use one of: kind, width"),
        ([{"kind": "mlp"}, {"kind": "mlp"}], "overrides.evaluation.across", "once"),
        ([{"width": 4, "depth": 2}], "overrides.evaluation.across", "Leave it out"),
        ([{"kind": "vgg"}], "overrides.evaluation.across.0.kind", "'vgg11'"),
    ],
)
def test_what_means_nothing_is_refused_with_the_fix(
    across: list[dict[str, Any]], field: str, fix: str, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError) as refused:
        run(tmp_path, **JOB, overrides=SMALL | {"evaluation.across": across})
    (error,) = refused.value.errors
    assert error.field == field
    assert fix in error.fix


@pytest.mark.parametrize(
    ("method", "changes", "field"),
    [
        ("dm", {"network.kind": "lenet"}, "overrides.network.kind"),
        ("mtt", {"network.kind": "resnet18"}, "overrides.network.norm"),
        ("mtt", {"network.kind": "mlp", "precision": "bfloat16"}, "overrides.precision"),
        ("idc", {"network.kind": "mlp"}, "overrides.objective.distance"),
        ("sre2l", {"teacher.network.kind": "mlp"}, "overrides.teacher.network.kind"),
        ("sre2l", {"teacher.network.kind": "resnet18"}, "overrides.teacher.network.norm"),
        ("sre2l", {"teacher.network.kind": "vgg11", "teacher.network.norm": "batch"}, "overrides.teacher.network.kind"),
    ],
)
def test_a_network_that_cannot_be_what_it_is_asked_for_is_refused(
    method: str, changes: dict[str, Any], field: str, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError) as refused:
        run(tmp_path, method=method, ipc=1, overrides=changes)
    (error,) = refused.value.errors
    assert error.field == field
