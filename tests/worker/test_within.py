"""A job that ends within its time, in the engine's own process."""

from __future__ import annotations

import json
import time
from pathlib import Path

from core.artifacts import verify
from tests.worker.test_engine import SMALL, run
from worker.protocol import Exit


def test_a_run_ends_within_its_time_and_says_what_that_cost(tmp_path: Path) -> None:
    given_up = ["network.width 128 -> 4", "evaluation.full left out"]
    phases = {"training_experts": 1.0, "distilling": 2.0, "evaluating": 1.0, "publishing": 1.0}
    overrides = SMALL | {"schedule.steps": 100_000, "evaluation.full": None}
    del overrides["evaluation.full.epochs"]
    done = run(tmp_path / "job", overrides=overrides, within=112)
    within = {"seconds": 112, "given_up": given_up, "phases": phases}
    job = json.loads(done.folder.job.read_text())
    told = {"within": within, "began": time.monotonic() - 100, "compile": "never"}  # of the time a hundred are over
    done.folder.job.write_text(json.dumps(job | told))
    done.folder.staging.mkdir(parents=True)
    assert done.finish() == Exit.DONE
    report = json.loads((done.folder.staging / "report.json").read_text())
    assert verify(done.folder.staging) == []
    assert report["within"] == {"seconds": 112, "given_up": given_up}
    assert report["ended"]["step"] < 100_000
    assert report["ended"]["why"] == "It was to end within 112s."
    assert any('evaluation.full, for instance to {"epochs": 5}' in text for text in report["warnings"])
    assert json.loads((done.folder.staging / "recipe.json").read_text())["request"]["within"] == 112
