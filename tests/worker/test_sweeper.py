"""The sweeper's housekeeping: what dead attempts left is deleted, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.ledger import Claim, Ledger
from core.settings import Settings
from worker.sweeper import Sweeper

TTL = 60.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home without a broker."""
    return Settings(home=tmp_path)


@pytest.fixture
def ledger(sqlite_url: str) -> Ledger:
    """An empty ledger; what it does on which database is tested with it."""
    return Ledger(sqlite_url)


def start(ledger: Ledger) -> Claim:
    """A new job that is running."""
    ledger.submit({}, {}, dataset="digits", method="mtt", ipc=1, seed=0)
    claim = ledger.claim("worker", TTL)
    assert claim is not None
    return claim


def staged(settings: Settings, claim: Claim, *attempts: int) -> Path:
    """The job's folder, with a checkpoint and the staging folders of these attempts."""
    root = settings.jobs / claim.job.id
    (root / "checkpoint").mkdir(parents=True)
    for attempt in attempts:
        folder = root / "staging" / str(attempt)
        folder.mkdir(parents=True)
        (folder / "README.md").write_text("half written")
    return root


def left(root: Path) -> list[int]:
    """The attempts whose staging is still there."""
    return sorted(int(folder.name) for folder in (root / "staging").iterdir())


def test_the_staging_of_a_running_attempt_is_left_alone(settings: Settings, ledger: Ledger) -> None:
    root = staged(settings, start(ledger), 1)
    Sweeper(settings, ledger).sweep()
    assert left(root) == [1]


def test_an_attempt_later_than_the_job_was_read_is_left_alone(settings: Settings, ledger: Ledger) -> None:
    root = staged(settings, start(ledger), 1, 2)
    Sweeper(settings, ledger).sweep()
    assert left(root) == [1, 2]


@pytest.mark.parametrize(
    "end",
    [
        lambda ledger, claim: ledger.fail(claim, {"code": "internal", "type": "T", "message": "m", "hint": "h"}),
        lambda ledger, claim: ledger.lose(claim, "crashed"),
        lambda ledger, claim: ledger.release(claim, "drained"),
    ],
    ids=["failed", "lost", "released"],
)
def test_what_is_over_is_deleted_and_the_checkpoint_kept(
    settings: Settings, ledger: Ledger, end: Callable[[Ledger, Claim], bool]
) -> None:
    claim = start(ledger)
    root = staged(settings, claim, 1)
    end(ledger, claim)
    Sweeper(settings, ledger).sweep()
    assert left(root) == []
    assert (root / "checkpoint").is_dir()


def test_an_earlier_attempt_of_a_running_job_is_deleted(settings: Settings, ledger: Ledger) -> None:
    ledger.lose(start(ledger), "crashed")
    claim = ledger.claim("worker", TTL)
    assert claim is not None
    root = staged(settings, claim, 1, 2)
    Sweeper(settings, ledger).sweep()
    assert left(root) == [2]


def test_nothing_is_left_of_a_job_that_succeeded(settings: Settings, ledger: Ledger) -> None:
    claim = start(ledger)
    root = staged(settings, claim, 1)
    ledger.succeed(claim, [])
    Sweeper(settings, ledger).sweep()
    assert not root.exists()


def test_a_folder_of_an_unknown_job_is_left_alone(settings: Settings, ledger: Ledger) -> None:
    other = settings.jobs / "job_of_another_database" / "staging" / "1"
    other.mkdir(parents=True)
    (settings.jobs / "notes.txt").write_text("not even a folder")
    Sweeper(settings, ledger).sweep()
    assert other.exists()


def test_the_checkpoint_of_a_job_that_was_deleted_goes_too(settings: Settings, ledger: Ledger) -> None:
    kept, claim = staged(settings, start(ledger)), start(ledger)
    root = staged(settings, claim)
    ledger.request_cancel(claim.job.id)
    ledger.cancelled(claim)
    Sweeper(settings, ledger).sweep()
    assert (root / "checkpoint").exists(), "it may be retried"
    ledger.delete(claim.job.id, lambda address: None)
    Sweeper(settings, ledger).sweep()
    assert not root.exists()
    assert kept.exists()
