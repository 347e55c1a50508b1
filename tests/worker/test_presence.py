"""Whether a worker is there, as the container's health check asks; and how its progress adds up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.ledger import Ledger
from core.settings import Settings
from tests.worker.service import BOTH, Service, over
from worker.health import alive
from worker.progress import Progress


@over(BOTH[:1], "running")
def test_the_health_check_finds_the_worker_of_this_machine(running: Service) -> None:
    environment = {**os.environ, "STILLHOUSE_DATABASE_URL": running.settings.ledger_url}
    check = [sys.executable, "-m", "worker.health"]
    assert subprocess.run(check, env=environment, check=False).returncode == 0


def test_another_machine_s_worker_does_not_count(sqlite_url: str, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url=sqlite_url)
    assert not alive(settings, "here")
    Ledger(sqlite_url).register_worker("w1", "cpu", "there")
    assert not alive(settings, "here")
    Ledger(sqlite_url).register_worker("w2", "cpu", "here")
    assert alive(settings, "here")


def test_what_was_there_before_a_phase_is_remembered() -> None:
    progress = Progress(None)
    progress.update("training_experts", {"done": 0, "total": 100, "skipped": 75})
    rows = progress.update("training_experts", {"done": 80, "total": 100})["phases"]
    assert (rows["training_experts"]["skipped"], rows["training_experts"]["done"]) == (75, 80)


def test_phases_add_up_over_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 3.0, 6.0, 10.0, 11.0, 13.0])
    monkeypatch.setattr("worker.progress.time.monotonic", lambda: next(clock))
    first = Progress(None)  # at 0
    first.update("preparing", {"done": 0, "total": 1})  # at 1
    first.update("distilling", {"done": 0, "total": 9})  # at 3
    before = first.update("distilling", {"done": 5, "total": 9, "eta_seconds": 2.0})  # at 6
    assert before == {
        "phase": "distilling",
        "done": 5,
        "total": 9,
        "eta_seconds": 2.0,
        "phases": {
            "preparing": {"done": 0, "total": 1, "seconds": 3.0},
            "distilling": {"done": 5, "total": 9, "seconds": 3.0},
        },
    }
    second = Progress(before)  # at 10
    second.update("preparing", {"done": 1, "total": 1})  # at 11
    after = second.update("distilling", {"done": 9, "total": 9})  # at 13
    assert after["phases"] == {
        "preparing": {"done": 1, "total": 1, "seconds": 6.0},
        "distilling": {"done": 9, "total": 9, "seconds": 3.0},
    }
