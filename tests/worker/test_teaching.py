"""A job with a teacher, in this process: one training for all jobs, labels counted, and a teacher that is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import safetensors.numpy

from core.artifacts import verify
from core.data import Catalogue
from core.engine.teacher import TeacherAtChance
from core.forecast.memory import stored_bytes
from core.plan.cost.geometry import geometry
from core.plan.cost.passes import Sizes
from core.recipe import Recipe
from core.report.section import size
from tests.artifacts.agreement import agree
from tests.artifacts.test_card import blocks, execute
from tests.worker.test_selecting import attempt, cached

SMALL = {
    "network.width": 4,
    "teacher.network.width": 8,
    "teacher.epochs": 4,
    "evaluation.epochs": 4,
    "evaluation.seeds": 1,
    "evaluation.full": None,
}


def report(root: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((root / "staging" / "1" / "report.json").read_text())
    return found


def test_one_teacher_for_every_job_and_its_labels_counted(tmp_path: Path) -> None:
    changes = SMALL | {"schedule.steps": 3, "relabel.bits": 8}
    assert cached(attempt(tmp_path / "first", method="dwa", ipc=2, overrides=changes)) == []
    again = attempt(tmp_path / "again", method="rded", ipc=2, overrides=SMALL | {"relabel.kind": "soft"}, seed=3)
    assert cached(again) == ["The teacher was in the cache."]
    names = ["distilled", "distilled_8bit", "random", "distilled_hard", "random_hard", "teacher"]
    for root, kind in ((tmp_path / "first", "views"), (tmp_path / "again", "soft")):
        said = report(root)
        assert [line["name"] for line in said["results"]] == names  # type: ignore[attr-defined]
        assert said["labels"]["kind"] == kind  # type: ignore[index]
        assert verify(root / "staging" / "1") == []
    views = safetensors.numpy.load_file(tmp_path / "first" / "staging" / "1" / "dataset.views.safetensors")
    counted = 20 + sum(array.nbytes for array in views.values())
    assert report(tmp_path / "first")["compression"]["bytes_labels"] == counted  # type: ignore[index]
    facts = Catalogue(Path("nowhere")).facts("digits")
    recipe = Recipe.model_validate(json.loads((tmp_path / "first" / "job.json").read_text())["recipe"])
    network = geometry(recipe.network, facts.shape, facts.classes)
    foreseen = stored_bytes(recipe, network, Sizes.of(facts, 2))
    assert foreseen.labels == 8 * 20 + counted - 20
    found = [agree(tmp_path / name / "staging" / "1") for name in ("first", "again")]
    assert found[0]["size"].words != found[1]["size"].words, "views are played back, soft labels are not"
    card = (tmp_path / "first" / "staging" / "1" / "README.md").read_text()
    assert f"| of these, the labels |  | {size(counted)} |" in card
    assert "| random real images, one class each | 20 |" in card
    assert "the very views of the images that the teacher labelled" in card
    execute(tmp_path / "first" / "staging" / "1", blocks(card)[0], tmp_path)
    soft = safetensors.numpy.load_file(tmp_path / "again" / "staging" / "1" / "dataset.safetensors")
    assert soft["soft_labels"].shape == (20, 10)


def test_a_residual_network_teaches_a_plain_one(tmp_path: Path) -> None:
    teacher = {"teacher.network": {"kind": "resnet18", "width": 4, "norm": "batch"}, "teacher.epochs": 3}
    student = {name: value for name, value in SMALL.items() if not name.startswith("teacher")}
    attempt(tmp_path, method="dwa", ipc=1, overrides=student | teacher | {"schedule.steps": 3})
    lines = {line["name"]: line for line in report(tmp_path)["results"]}  # type: ignore[attr-defined]
    assert lines["teacher"]["network"] == "resnet18-w4-batch"
    assert lines["teacher"]["accuracy_mean"] > 0.5
    assert lines["distilled"]["network"] == "convnet-d2-w4-batch"
    assert verify(tmp_path / "staging" / "1") == []


def test_a_teacher_at_chance_ends_the_job_before_anything_else(tmp_path: Path) -> None:
    changes = SMALL | {"teacher.lr": 1e-9, "teacher.epochs": 1, "schedule.steps": 3}
    with pytest.raises(TeacherAtChance, match="naming the most frequent class"):
        attempt(tmp_path / "job", method="sre2l", ipc=2, overrides=changes)
    assert "distilling" not in (tmp_path / "job" / "channel").read_text()
