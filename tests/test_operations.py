"""docs/OPERATIONS.md: its commands are run in their order, on a ledger and a store that hold something."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.artifacts.store import Store
from core.ledger import File, Job, Ledger
from core.settings import Settings

ROOT = Path(__file__).parent.parent
SHELL = re.findall(r"```bash\n(.*?)```", (ROOT / "docs/OPERATIONS.md").read_text("utf-8"), re.DOTALL)
BACKUP, DUMP, RESTORE, RELOAD, EXPORT, IMPORT = SHELL


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home, with a folder for its backup beside it."""
    (tmp_path / "backup").mkdir()
    (tmp_path / "home").mkdir()
    return Settings(home=tmp_path / "home")


def published(ledger: Ledger, settings: Settings, text: str) -> Job:
    """A finished job with one file, which says this."""
    ledger.submit({}, {}, dataset="digits", method="mtt", ipc=1, seed=0)
    claim = ledger.claim("worker", 60.0)
    assert claim is not None
    (settings.home / "file").write_text(text)
    sha256, length = Store(settings.artifacts_url).put(settings.home / "file")
    assert ledger.succeed(claim, [File(name="file", bytes=length, sha256=sha256, media_type="text/plain")])
    return ledger.job(claim.job.id)


def shell(commands: str, settings: Settings, **variables: str) -> str:
    """The page's commands, as an operator runs them; what they said."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("STILLHOUSE_")} | {
        "BACKUP": str(settings.home.parent / "backup"),
        "STILLHOUSE_HOME": str(settings.home),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(["bash", "-ec", commands], env=ours | variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_what_was_copied_in_this_order_comes_back_whole(settings: Settings) -> None:
    ledger = Ledger(settings.ledger_url)
    ledger.migrate()
    job = published(ledger, settings, "kept")
    first, second = BACKUP.splitlines()
    shell(first, settings)
    published(ledger, settings, "of no copy of the ledger")  # the service goes on
    shell(second, settings)
    ledger.close()
    shutil.rmtree(settings.home)
    settings.home.mkdir()
    assert "0 objects" in shell(RESTORE, settings)
    restored = Ledger(settings.ledger_url)
    assert [each.id for each in restored.jobs()] == [job.id]
    (file,) = restored.files(job.id)
    assert Store(settings.artifacts_url).intact(file.sha256, file.bytes)
    restored.close()


def test_what_a_killed_service_has_left_is_not_read_into_the_copy(settings: Settings) -> None:
    ledger = Ledger(settings.ledger_url)
    ledger.migrate()
    job = published(ledger, settings, "kept")
    shell(BACKUP, settings)
    published(ledger, settings, "of no copy")
    killed = settings.home.parent / "killed"
    shutil.copytree(settings.home, killed)  # as it is while the ledger is open: its last rows are in the -wal
    ledger.close()
    assert (killed / "stillhouse.db-wal").stat().st_size
    left = Settings(home=killed)
    shell(RESTORE, left)
    restored = Ledger(left.ledger_url)
    assert [each.id for each in restored.jobs()] == [job.id]
    restored.close()


def test_an_export_is_taken_to_another_place(settings: Settings) -> None:
    ledger = Ledger(settings.ledger_url)
    ledger.migrate()
    job = published(ledger, settings, "kept")
    ledger.close()
    assert "1 jobs, 1 objects" in shell(EXPORT, settings)
    new = Settings(home=settings.home.parent / "new")
    shell(IMPORT, settings, NEW_HOME=str(new.home))
    moved = Ledger(new.ledger_url)
    assert [each.id for each in moved.jobs()] == [job.id]
    (file,) = moved.files(job.id)
    assert Store(new.artifacts_url).intact(file.sha256, file.bytes)
    moved.close()


@pytest.fixture
def postgres_ledger(postgres_url: str) -> Iterator[Ledger]:
    """A ledger that pg_dump can copy."""
    ledger = Ledger(postgres_url)
    yield ledger
    ledger.close()


def test_a_ledger_in_postgresql_comes_back_as_it_was(settings: Settings, postgres_ledger: Ledger) -> None:
    url = postgres_ledger.database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    job = published(postgres_ledger, settings, "kept")
    shell(DUMP, settings, DATABASE=url)
    postgres_ledger.delete(job.id, lambda address: None)
    shell(RELOAD, settings, DATABASE=url)
    assert [each.id for each in postgres_ledger.jobs()] == [job.id]
    assert postgres_ledger.ready()["ready"]
