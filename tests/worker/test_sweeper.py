"""The sweeper's housekeeping: what dead attempts left is deleted, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs

from core.artifacts.store import Store
from core.ledger import Claim, File, Job, Ledger, Status, clock
from core.ledger.models import ChoreRow, JobRow
from core.settings import Settings
from worker import housekeeping
from worker.leaps import Leaps
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


def test_a_machine_that_slept_takes_no_job_from_a_worker_of_its_own(
    settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asleep, the ledger's clock runs past the lease, and that of the worker's heartbeats stands still."""
    claim, sweeper, awake = start(ledger), Sweeper(settings, ledger), clock.now
    sweeper.sweep()
    monkeypatch.setattr(clock, "now", lambda session: awake(session) + timedelta(minutes=10))
    sweeper.sweep()
    assert ledger.job(claim.job.id).status is Status.RUNNING
    assert ledger.heartbeat(claim, TTL).held
    Sweeper(settings, ledger).sweep()
    assert ledger.job(claim.job.id).losses == 0, "it has said that it is there"


def test_leases_are_judged_again_a_while_after_a_leap() -> None:
    leaps, began = Leaps(least=10, wait=20), datetime(2026, 1, 1, tzinfo=UTC)
    looks = [(0, 0), (15, 15), (34, 30), (634, 31), (650, 47), (655, 52), (620, 62)]
    settled = [leaps.settled(began + timedelta(seconds=told), own) for told, own in looks]
    assert settled == [True, True, True, False, False, True, True]


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


@pytest.mark.parametrize("attempts", [(1,), ()], ids=["here", "under another home"])
def test_nothing_is_left_of_a_job_that_succeeded(settings: Settings, ledger: Ledger, attempts: tuple[int, ...]) -> None:
    claim = start(ledger)
    root = staged(settings, claim, *attempts)
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


def published(settings: Settings, ledger: Ledger, *texts: str) -> Job:
    """A finished job with a file of each text in the store."""
    claim, store, files = start(ledger), Store(settings.artifacts_url), []
    for text in texts:
        path = settings.home / "file"
        path.write_text(text)
        sha256, length = store.put(path)
        files.append(File(name=text, bytes=length, sha256=sha256, media_type="text/plain"))
    assert ledger.succeed(claim, files)
    return ledger.job(claim.job.id)


def made_old(ledger: Ledger, days: float) -> None:
    """Lets all jobs that are over have ended so many days earlier."""
    with ledger.database.write() as session:
        for row in session.scalars(select(JobRow).where(JobRow.finished_at.is_not(None))):
            assert row.finished_at is not None
            row.finished_at -= timedelta(days=days)


def test_jobs_past_their_date_are_deleted_where_that_is_set(settings: Settings, ledger: Ledger) -> None:
    old = published(settings, ledger, "alone", "shared")
    made_old(ledger, 8)
    new, store = published(settings, ledger, "shared"), Store(settings.artifacts_url)
    Sweeper(settings, ledger).sweep()
    assert ledger.job(old.id)
    Sweeper(settings.model_copy(update={"retention_days": 7.0}), ledger).sweep()
    assert [job.id for job in ledger.jobs()] == [new.id]
    (shared,) = ledger.files(new.id)
    assert [address for address, _, _ in store.objects()] == [shared.sha256]


def test_a_checkpoint_is_kept_so_long(settings: Settings, ledger: Ledger) -> None:
    claim = start(ledger)
    root = staged(settings, claim)
    ledger.fail(claim, {"code": "engine_error", "message": "no", "type": "No", "hint": None})
    made_old(ledger, 29)
    Sweeper(settings, ledger).sweep()
    assert root.exists()
    made_old(ledger, 2)
    Sweeper(settings, ledger).sweep()
    assert not root.exists()


def test_a_stored_file_that_rots_is_noticed_and_so_is_its_repair(settings: Settings, ledger: Ledger) -> None:
    job = published(settings, ledger, "good", "lost", "rotten")
    good, lost, rotten = (file.sha256 for file in ledger.files(job.id))
    place = settings.home / "store/sha256"
    (place / lost[:2] / lost).unlink()
    (place / rotten[:2] / rotten).write_text("ROTTEN")

    def swept() -> list[str]:
        with ledger.database.write() as session:
            session.execute(update(ChoreRow).values(due_at=job.created_at))  # as if the day had passed
        with capture_logs() as logs:
            Sweeper(settings, ledger).sweep()
            Sweeper(settings, ledger).sweep()  # another sweeper has nothing to do for now
        told = [line["sha256"] for line in logs if line["event"] == "a stored file is damaged or gone"]
        assert sorted(told) == ledger.keeping.damaged()
        return told

    assert sorted(swept()) == sorted([lost, rotten])
    assert ledger.keeping.jobs_with(lost) == [job.id]
    published(settings, ledger, "rotten")  # which replaces it
    assert swept() == [lost]
    assert Store(settings.artifacts_url).exists(good)


@pytest.fixture
def littered(settings: Settings, ledger: Ledger) -> tuple[set[str], str, Path]:
    """A store with all that may be in it: the objects that stay, the one that is nobody's, and a half written one."""
    job, store, put = published(settings, ledger, "needed"), Store(settings.artifacts_url), dict[str, str]()
    for text in ("shown", "orphan", "recent"):
        (settings.home / "file").write_text(text)
        put[text] = store.put(settings.home / "file")[0]
    ledger.record(start(ledger), events=[("preview", {"step": 1, "sha256": put["shown"], "bytes": 5})])
    draft = settings.home / "store/tmp/half"
    draft.write_text("written")
    for path in (draft, *(settings.home / "store/sha256").glob("*/*")):
        if path.name != put["recent"]:
            os.utime(path, (0, 0))
    return {ledger.files(job.id)[0].sha256, put["shown"], put["recent"]}, put["orphan"], draft


def stored(settings: Settings) -> set[str]:
    return {address for address, _, _ in Store(settings.artifacts_url).objects()}


def test_what_nobody_needs_is_found_and_removed_when_asked(
    settings: Settings,
    ledger: Ledger,
    littered: tuple[set[str], str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stays, orphan, draft = littered
    ours = settings.model_copy(update={"database_url": ledger.database.url.render_as_string(hide_password=False)})
    Sweeper(ours, ledger).sweep()
    assert stored(settings) == stays | {orphan}, "another ledger may need it"
    monkeypatch.setattr(housekeeping, "settings", lambda: ours)
    for arguments in ([], ["--delete"]):
        with pytest.raises(SystemExit, match="0"):
            housekeeping.main(arguments)
        assert "1 objects, 6 bytes" in capsys.readouterr().out
    assert not draft.exists()
    assert stored(settings) == stays


def test_what_nobody_can_need_is_removed_once_a_day(
    settings: Settings, ledger: Ledger, littered: tuple[set[str], str, Path]
) -> None:
    stays, orphan, draft = littered
    sweeper = Sweeper(settings, ledger)
    sweeper.sweep()
    assert stored(settings) == stays
    assert not draft.exists()
    (settings.home / "file").write_text("orphan")
    Store(settings.artifacts_url).put(settings.home / "file")
    os.utime(settings.home / "store/sha256" / orphan[:2] / orphan, (0, 0))
    sweeper.sweep()
    assert stored(settings) == stays | {orphan}, "today it has been done"
    with ledger.database.write() as session:
        for row in session.scalars(select(ChoreRow)).all():
            row.due_at -= timedelta(days=1)
    sweeper.sweep()
    assert stored(settings) == stays
