"""A job on a formula in this process: its files, its card and its metrics, and what a stop leaves of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.artifacts import verify
from core.report import Report
from tests.worker.test_engine import here

DATASET = "multi-index:d=12,r=2,link=he2-he3,n=20000,seed=0"
ASKED = {
    "dataset": DATASET,
    "method": "progressive-two-layer",
    "ipc": 6,
    "overrides": {"objective.width": 64, "objective.samples": 2048, "objective.students": 2, "evaluation.seeds": 2},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("lab")
    here(root, None, **ASKED)
    return root / "staging" / "1"


def test_its_artifact_is_whole_and_says_what_it_is(folder: Path) -> None:
    assert verify(folder) == []
    names = {path.name for path in folder.iterdir()}
    assert {"dataset.safetensors", "dataset.npz", "student.py", "preview.png", "theory_points.png"} <= names
    assert "images" not in names
    bundle = np.load(folder / "dataset.npz")
    assert (bundle["points"].shape, bundle["labels"].shape) == ((6, 12), (64,))
    report = Report.model_validate_json((folder / "report.json").read_text())
    assert report.theory is not None
    assert report.theory.dataset == DATASET
    assert [section.name for section in report.sections()][:2] == ["theory", "theory_subspace"]
    card = (folder / "README.md").read_text("utf-8")
    for section in report.sections():
        assert f"## {section.title}" in card
    assert "inspired by" in card
    assert "reproduces" not in card


def test_the_card_s_snippet_trains_a_student_from_the_files_alone(folder: Path) -> None:
    snippet = (folder / "README.md").read_text("utf-8").partition("```python\n")[2].partition("```")[0]
    code = "import numpy\nx = numpy.ones((3, 12), numpy.float32)\n" + snippet + "\nprint(student(x).tolist())"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, capture_output=True, timeout=60)
    assert len(json.loads(done.stdout)) == 3


def test_a_job_that_is_stopped_goes_on_to_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    for number, stop in enumerate((2, 1, 3, None), 1):
        here(tmp_path, stop, attempt=number, **ASKED)
    again = tmp_path / "staging" / "4"
    for name in ("dataset.safetensors", "dataset.npz"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()
