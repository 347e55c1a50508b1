"""A job that can't succeed fails at once and says why, and nothing of doubtful content is published."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from core.ledger import Status
from tests.worker.service import BOTH, Service, over, until
from tests.worker.test_engine import run
from worker.engine import __main__ as engine
from worker.protocol import Exit


@over(BOTH, "running")
def test_a_failure_of_the_request_is_kept_and_not_tried_again(running: Service) -> None:
    play = running.submit(fail_at=3)
    job = play.wait_for_end()
    assert (job.status, job.attempt, job.losses) == (Status.FAILED, 1, 0)
    assert job.error == {
        "code": "numerical_divergence",
        "type": "Divergence",
        "message": "The loss became NaN at step 3.",
        "phase": "distilling",
        "hint": "Lower schedule.lr.",
    }
    assert play.history() == ["created", "started", "failed"]
    assert play.events("metric"), "what the engine said before it failed is kept"
    assert play.events("log")[-1].data["message"] == "fetched from https://user:***@example.org/data"


@over(BOTH, "running")
def test_the_staging_of_a_failed_job_is_swept_and_its_checkpoint_kept(running: Service) -> None:
    play = running.submit(fail_at=3)
    play.wait_for_end()
    root = running.settings.jobs / play.job_id
    until(lambda: not list((root / "staging").iterdir()), "the staging folder is swept")
    assert (root / "checkpoint/state.json").exists()


@pytest.mark.parametrize("spoil", ["change", "remove", "add", "link"])
@over(BOTH[:1], "running")
def test_a_spoilt_artifact_is_refused(running: Service, spoil: str) -> None:
    play = running.submit(steps=3, spoil=spoil, max_attempts=1)
    job = play.wait_for_end()
    assert job.status is Status.FAILED
    assert job.error is not None
    assert (job.error["code"], job.error["phase"]) == ("storage_error", "publishing")
    assert "data/st" in job.error["message"]
    assert running.ledger.files(job.id) == []


@over(BOTH[1:], "running")
def test_an_artifact_that_could_not_be_stored_is_made_again(running: Service) -> None:
    play = running.submit(steps=3, spoil="change", max_attempts=2)
    job = play.wait_for_end()
    assert (job.status, job.attempt) == (Status.FAILED, 2)
    assert play.history() == ["created", "started", "requeued", "started", "failed"]


def test_what_the_core_warns_of_is_told_with_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = run(tmp_path / "job")

    def warn(*_: object) -> dict[str, Any]:
        logging.getLogger("core.engine.kernels.compiled").warning("The kernel %s is not compiled.", "gradient")
        logging.getLogger("core.engine.kernels.compiled").info("Nobody needs to know.")
        return {}

    monkeypatch.setattr(engine, "run", warn)
    assert made.finish() == Exit.DONE
    assert made.messages == [{"type": "log", "level": "warning", "message": "The kernel gradient is not compiled."}]
