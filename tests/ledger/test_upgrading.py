"""docs/UPGRADING.md: it names every revision and engine, and its command brings an old ledger here with its jobs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import MetaData, insert

from core.ledger import File, Filters, Ledger, Status, schema
from core.request.identity import ENGINE_VERSION
from tests.ledger.orders import ERROR
from tests.ledger.test_migrations import REVISIONS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "UPGRADING.md").read_text("utf-8")
(COMMAND,) = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
OLD = (Status.QUEUED, Status.RUNNING, Status.CANCELLING, Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)
"""The statuses that the first schema knew."""


def test_every_revision_and_engine_is_named() -> None:
    named = re.findall(r"^\| `(\w+)`", PAGE, re.MULTILINE)
    assert named == list(reversed(REVISIONS))
    assert re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)[-1] == ENGINE_VERSION


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """A ledger of the first schema, with a job in every status that there was, and all that belongs to one."""
    sqlite = f"sqlite:///{tmp_path / 'old.db'}"
    ledger = Ledger(sqlite if request.param == "sqlite" else request.getfixturevalue("bare_postgres_url"))
    schema.upgrade(ledger.database, "0001_jobs")
    _fill(ledger)
    yield ledger
    ledger.close()


def _id(number: int) -> str:
    return f"job_{number:026}"


def _fill(ledger: Ledger) -> None:
    """Rows as the first version wrote them, through its tables as the database has them."""
    known = MetaData()
    known.reflect(ledger.database.engine)
    with ledger.database.write() as session:

        def add(table: str, **row: object) -> None:
            session.execute(insert(known.tables[table]).values({k: v for k, v in row.items() if v is not None}))

        for number, status in enumerate(OLD):
            held, over = status in (Status.RUNNING, Status.CANCELLING), number > 2
            add(
                "jobs",
                id=_id(number),
                status=status.value,
                attempt=min(number, 1),
                losses=0,
                max_attempts=3,
                worker_id="worker" if held else None,
                lease_expires_at=NOW if held else None,
                dataset="digits",
                method="mtt",
                ipc=1,
                seed=number,
                request={"dataset": "digits", "ipc": 1, "note": "a\0b"},
                recipe={"objective": {"kind": "trajectory"}},
                fingerprint=f"sha256:{number}",
                metrics={"results": {"distilled": {"accuracy_mean": 0.5}}} if status is Status.SUCCEEDED else None,
                error=ERROR if status is Status.FAILED else None,
                last_seq=1,
                reported=0,
                created_at=NOW,
                finished_at=NOW if over else None,
                updated_at=NOW,
            )
            add("job_events", job_id=_id(number), seq=1, type="job.created", at=NOW, data={"status": "queued"})
        add("job_files", job_id=_id(3), name="README.md", bytes=10, sha256="a" * 64, media_type="text/markdown")
        add("idempotency_keys", key="k" * 64, body_hash="h", job_id=_id(0), expires_at=NOW)
        add("workers", worker_id="worker", device="cpu", hostname="host", registered_at=NOW, last_seen=NOW)


def test_a_ledger_of_the_first_schema_goes_on_with_all_its_jobs(old: Ledger) -> None:
    url = old.database.url.render_as_string(hide_password=False)
    ours = {"STILLHOUSE_DATABASE_URL": url, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment = os.environ | ours | {"PYTHONPATH": str(ROOT)}
    subprocess.run(["bash", "-ec", COMMAND], env=environment, check=True, timeout=60)
    assert old.ready()["ready"]
    jobs = {job.id: job for job in old.jobs()}
    assert [jobs[_id(number)].status for number in range(len(OLD))] == list(OLD)
    done = jobs[_id(3)]
    assert (done.request["note"], done.owner, done.dataset_title, dict(done.metadata)) == ("a\0b", "", "digits", {})
    assert done.created_at == NOW
    assert old.files(done.id) == [File("README.md", 10, "a" * 64, "text/markdown")]
    assert old.answer("sha256:3") is not None
    assert old.page(Filters(), "accuracy")[0][0].id == done.id
    assert [job.id for job in old.page(Filters(q=done.id[-6:].lower()), "newest")[0]] == [done.id]
    assert jobs[_id(4)].error == ERROR
    assert [event.type for event in old.events(done.id)] == ["job.created"]
    # what ran is taken up again, and what waited is started
    assert {*old.sweep().requeued} == {_id(1)}
    assert old.job(_id(2)).status is Status.CANCELLED
    claimed = [old.claim("worker", 60.0) for _ in range(2)]
    assert {claim.job.id for claim in claimed if claim} == {_id(0), _id(1)}
    webhook, _ = old.webhooks.create("https://example.org/")
    assert claimed[0]
    assert old.succeed(claimed[0], [])
    assert [each.type for each in old.webhooks.deliveries(webhook.id)] == ["job.succeeded"]
