"""The migrations make the tables that the models describe, on both databases, and can be undone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from core.ledger import Filters, Ledger, new_upload_id, schema
from core.ledger.models import Base
from tests.ledger.orders import queued, running

SCRIPTS = ScriptDirectory.from_config(schema.configuration())
REVISIONS = [script.revision for script in SCRIPTS.walk_revisions()]

SQLITE_SCHEMA = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'alembic%' AND name NOT LIKE 'sqlite_%'"
POSTGRES_SCHEMA = """
SELECT indexname AS name, indexdef AS sql FROM pg_indexes WHERE schemaname = 'public'
UNION SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """A ledger without tables."""
    sqlite = f"sqlite:///{tmp_path / 'bare.db'}"
    ledger = Ledger(sqlite if request.param == "sqlite" else request.getfixturevalue("bare_postgres_url"))
    yield ledger
    ledger.close()


def test_there_is_one_line_of_migrations() -> None:
    assert SCRIPTS.get_heads() == [schema.head()]
    assert len(SCRIPTS.get_bases()) == 1


def test_a_bare_database_becomes_ready(bare: Ledger) -> None:
    assert bare.ready()["ready"] is False
    bare.migrate()
    assert bare.ready() == {
        "ready": True,
        "database": bare.database.url.get_backend_name(),
        "schema": schema.head(),
        "detail": None,
    }
    queued(bare)
    bare.migrate()
    assert bare.counts()["queued"] == 1


@pytest.mark.parametrize("revision", REVISIONS)
def test_each_step_can_be_undone_and_done_again(bare: Ledger, revision: str) -> None:
    schema.upgrade(bare.database, revision)
    before = _definitions(bare)
    schema.downgrade(bare.database, "-1")
    schema.upgrade(bare.database, revision)
    assert _definitions(bare) == before


def test_all_can_be_undone(bare: Ledger) -> None:
    bare.migrate()
    schema.downgrade(bare.database, "base")
    assert set(inspect(bare.database.engine).get_table_names()) == {"alembic_version"}
    assert bare.ready()["ready"] is False


def test_the_migrated_tables_are_the_models_tables(bare: Ledger) -> None:
    bare.migrate()
    with bare.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_constraints_and_indexes_are_the_models_too(bare: Ledger) -> None:
    """Checks and the conditions of partial indexes, which `compare_metadata` does not see, agree too."""
    bare.migrate()
    migrated = _definitions(bare)
    schema.downgrade(bare.database, "base")
    Base.metadata.create_all(bare.database.engine)
    assert _definitions(bare) == migrated


def test_a_failed_migration_leaves_the_database_as_it_was(bare: Ledger) -> None:
    with bare.database.write() as session:
        session.execute(text("CREATE TABLE workers (id INTEGER)"))  # the last table the first migration makes
    with pytest.raises(Exception, match=r"workers.*already exists"):
        bare.migrate()
    assert set(inspect(bare.database.engine).get_table_names()) == {"workers"}


def test_rows_from_before_the_forecasts_still_load(bare: Ledger) -> None:
    """Upgraded, a job and a worker of the first schema are what they were, and nobody has forecast or measured them."""
    bare.migrate()
    job = queued(bare, forecast={"conditions": "here"})
    bare.register_worker("worker", "cpu", "host", {"hardware": "here"})
    schema.downgrade(bare.database, "0001_jobs")
    assert "forecast" not in {column["name"] for column in inspect(bare.database.engine).get_columns("jobs")}
    bare.migrate()
    assert bare.job(job.id) == replace(job, forecast=None, queue_seconds=0.0), "there is a worker now"
    assert [(worker.worker_id, worker.calibration) for worker in bare.workers()] == [("worker", None)]


def test_keys_from_before_they_had_parents_still_open(bare: Ledger) -> None:
    bare.migrate()
    parent, _ = bare.keys.create("alice", "parent")
    child, secret = bare.keys.create("alice", "child", parent_id=parent.id)
    schema.downgrade(bare.database, "0004_uploads")
    bare.migrate()
    assert bare.keys.holder(secret) == replace(child, parent_id=None)
    bare.keys.revoke(parent.id)
    assert bare.keys.holder(secret) is not None


def test_jobs_from_before_they_knew_titles_get_those_of_their_uploads(bare: Ledger) -> None:
    bare.migrate()
    upload = bare.uploads.add(new_upload_id(), "my things", None, 1)
    of_upload = queued(bare, dataset=upload.id, dataset_title="my things")
    of_catalogue = queued(bare)
    schema.downgrade(bare.database, "0006_mirror")
    bare.migrate()
    assert [bare.job(job.id) for job in (of_upload, of_catalogue)] == [of_upload, of_catalogue]
    assert of_catalogue.dataset_title == "digits"


def test_results_from_before_are_ordered_by_their_accuracies(bare: Ledger) -> None:
    bare.migrate()
    jobs = []
    for accuracy in (0.5, 0.75, None):
        claim = running(bare)
        metrics = {"results": {"distilled": {"accuracy_mean": accuracy}}, "note": "a\0b"}
        assert bare.succeed(claim, [], metrics)
        jobs.append(claim.job.id)
    schema.downgrade(bare.database, "0007_job_titles")
    bare.migrate()
    assert [job.id for job in bare.page(Filters(), "accuracy")[0]] == [jobs[1], jobs[0], jobs[2]]


def test_jobs_from_before_are_found_by_a_word_and_by_their_conditions(bare: Ledger) -> None:
    bare.migrate()
    claim = running(bare, forecast={"conditions": "here"}, dataset_title="Ärzte ΟΔΟΣΑ")
    assert bare.succeed(claim, [])
    other = queued(bare, forecast={})
    schema.downgrade(bare.database, "0025_covering")
    bare.migrate()
    for part in ("äRZ", "ΟΔΟΣ", "οδοσ"):  # a final sigma is another letter in lower case
        assert [job.id for job in bare.jobs(q=part)] == [claim.job.id]
    assert [job.id for job in bare.jobs(q=other.id.lower())] == [other.id]
    assert [job.id for job in bare.jobs_under("here")] == [claim.job.id]


def test_jobs_that_were_paused_or_to_end_early_go_back_to_what_the_older_code_knows(bare: Ledger) -> None:
    bare.migrate()
    paused, finishing = queued(bare), queued(bare)
    bare.request_pause(paused.id)
    bare.request_finish(finishing.id)
    told = bare.events(paused.id)
    schema.downgrade(bare.database, "0008_job_metadata")
    bare.migrate()
    assert bare.job(paused.id).status == "cancelled"
    assert bare.events(paused.id) == told, "a table that is rebuilt takes nothing with it"
    assert (bare.job(finishing.id).status, bare.job(finishing.id).fingerprint) == ("queued", None)


def test_the_command_line_of_alembic_works_from_anywhere(tmp_path: Path) -> None:
    environment = {**os.environ, "STILLHOUSE_DATABASE_URL": f"sqlite:///{tmp_path / 'ledger.db'}"}
    environment["PYTHONPATH"] = str(schema.MIGRATIONS.parent)
    command = [sys.executable, "-m", "alembic", "-c", str(schema.MIGRATIONS / "alembic.ini"), "upgrade", "head"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, timeout=60)
    ledger = Ledger(environment["STILLHOUSE_DATABASE_URL"])
    assert ledger.ready()["ready"]
    ledger.close()


def _definitions(ledger: Ledger) -> dict[str, str]:
    """Every table (SQLite), constraint and index as the database itself spells it, columns in any order."""
    sqlite = ledger.database.url.get_backend_name() == "sqlite"
    with ledger.database.read() as session:
        rows = session.execute(text(SQLITE_SCHEMA if sqlite else POSTGRES_SCHEMA)).all()
    return {row.name: _spelt(row.sql or "") for row in rows}


def _spelt(sql: str) -> str:
    """A definition with one space for every gap; what a table's parentheses hold in any order, a line each."""
    words = re.sub(r"DEFAULT \((\S+)\)", r"DEFAULT \1", re.sub(r"\s+", " ", sql).strip())
    if not words.startswith("CREATE TABLE"):
        return words
    head, _, body = words.removesuffix(")").partition("(")
    parts, depth = [""], 0
    for letter in body:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    # a table that was rebuilt was renamed, which puts its name in quotes, and defaults in parentheses
    return "\n".join([head.replace('"', ""), *sorted(part.strip() for part in parts)])
