"""A job that ends within its time, in the engine's own process."""

from __future__ import annotations

import json
import os
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from core.artifacts import verify
from core.engine.journal import Journal
from core.engine.workspace import Drained
from tests.worker.test_engine import SMALL, Run, assert_same_result, here, run
from worker.engine.attempt import run as run_job
from worker.engine.channel import open_channel
from worker.engine.job import Job
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


def test_a_checkpoint_says_how_long_it_took_whatever_ends_the_attempt(tmp_path: Path) -> None:
    """A kill leaves no time to say it, and the next attempt would have all of the job's time once more."""
    made, told = run(tmp_path / "job"), list[float]()
    made.folder.staging.mkdir(parents=True)

    def stopped() -> bool:
        if (made.folder.checkpoint / "state.safetensors").exists():
            seconds = made.folder.checkpoint / "seconds.json"
            told.append(json.loads(seconds.read_text())["distilling"] if seconds.exists() else 0.0)
        return False

    with (tmp_path / "channel").open("w") as file:
        run_job(Job.read(made.folder.root), made.folder, open_channel(os.dup(file.fileno())), stopped)
    assert told
    assert told[0] > 0
    assert told == sorted(told)


def test_a_job_with_time_to_spare_goes_on_and_has_the_best_of_what_came_of_it(tmp_path: Path) -> None:
    """The images are those that a job of so many steps makes, be it stopped on the way; nothing ended early."""
    small = SMALL | {"schedule.steps": 3}
    within = {
        "seconds": 3600,
        "given_up": ["schedule.steps 7 -> 3", "experts.count 9 -> 2"],
        "phases": {"training_experts": 1.0, "distilling": 1.0, "evaluating": 1.0, "publishing": 1.0},
        "steps": 3,
        "most_steps": 7,
    }

    def made(name: str, stop_at: int | None = None) -> Run:
        one = run(tmp_path / name, overrides=small, within=3600)
        job = json.loads(one.folder.job.read_text())
        one.folder.job.write_text(json.dumps(job | {"within": within, "began": time.monotonic(), "compile": "never"}))
        one.folder.staging.mkdir(parents=True)
        for last in (None,) if stop_at is None else (stop_at, None):
            with (
                (one.folder.root / "channel").open("w") as file,
                nullcontext() if last is None else pytest.raises(Drained),
            ):
                journal = open_channel(os.dup(file.fileno()))
                run_job(Job.read(one.folder.root), one.folder, journal, partial(_is_at, journal, last))
        one.messages = [json.loads(line) for line in (one.folder.root / "channel").read_text().splitlines()]
        return one

    whole, resumed = made("whole"), made("resumed", stop_at=5)
    assert_same_result(whole, resumed)
    curves = pq.read_table(whole.folder.staging / "metrics.parquet").to_pylist()
    looks = {row["step"]: row["value"] for row in curves if row["name"] == "validation_accuracy"}
    assert list(looks) == [3, 4, 5, 6, 7], "from the step on that was to be the last"
    best = max(looks, key=lambda step: looks[step])
    plain = here(tmp_path / "plain", overrides=small | {"schedule.steps": best})
    assert_same_result(whole, plain)
    report = json.loads((whole.folder.staging / "report.json").read_text())
    steps = [] if best == 7 else [f"schedule.steps 7 -> {best}"]
    assert report["within"]["given_up"] == [*steps, "experts.count 9 -> 2"]
    assert report["ended"] is None
    assert report["selection"] == f"best of the looks on the validation split: step {best}"
    assert json.loads((whole.folder.staging / "recipe.json").read_text())["recipe"]["schedule"]["steps"] == best
    told = [message["message"] for message in whole.messages if message["type"] == "log"]
    assert "There is time for more outer steps: about 7 in all." in told


def _is_at(journal: Journal, step: int | None) -> bool:
    return step is not None and any(point["step"] >= step for point in journal.curves())
