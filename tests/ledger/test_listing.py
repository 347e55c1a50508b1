"""Lists of jobs: filters, orders, pages, and what they cost when there are very many."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, get_args

import pytest
from sqlalchemy import delete, event, insert, inspect, select, text

from core.ledger import File, Filters, Job, Ledger, Reach, Sort, Status, UnknownJob
from core.ledger.models import JobRow, MetadataRow
from tests.ledger.orders import order, queued, running, standing

MANY = 10_000
"""Jobs from which on a database plans as it does for a hundred thousand."""


def test_filters_narrow_the_list(ledger: Ledger) -> None:
    standing(ledger, Status.SUCCEEDED, dataset="cifar10", method="mtt")
    standing(ledger, Status.FAILED, dataset="cifar10", method="dm")
    standing(ledger, Status.QUEUED, dataset="svhn%_", method="dm")

    def found(**filters: Any) -> list[str]:
        return [f"{job.dataset} {job.method}" for job in ledger.jobs(**filters)]

    assert found() == ["svhn%_ dm", "cifar10 dm", "cifar10 mtt"]
    assert found(status="succeeded") == ["cifar10 mtt"]
    assert found(status=Status.QUEUED) == ["svhn%_ dm"]
    assert found(dataset="cifar10", method="dm") == ["cifar10 dm"]
    assert found(q="CIFAR") == ["cifar10 dm", "cifar10 mtt"]
    assert found(q="%_") == ["svhn%_ dm"]
    assert found(q=ledger.jobs()[0].id.lower()) == ["svhn%_ dm"]
    assert found(status="succeeded", method="dm") == []


def test_a_part_of_a_text_finds_it_in_any_case_and_texts_apart(ledger: Ledger) -> None:
    job = queued(ledger, dataset_title="ΟΔΟΣΑ Straße")
    for part in ("ΟΔΟΣ", "οδοσα", "STRASSE", "straße", job.id[4:12].lower(), "DIGIT"):
        assert [each.id for each in ledger.jobs(q=part)] == [job.id], part
    assert ledger.jobs(q=f"{job.dataset} ") == [], "of two texts no end and beginning"


def test_words_on_jobs_find_them(ledger: Ledger) -> None:
    """All that are asked for, exactly, and whatever characters they have; a search finds their parts."""
    plain = queued(ledger)
    first = queued(ledger, metadata={"commit": "abc", "name": "Größe 100%"})
    second = queued(ledger, metadata={"commit": "abc", "team": "a.b"})
    assert (plain.metadata, first.metadata) == ({}, {"commit": "abc", "name": "Größe 100%"})

    def found(**filters: Any) -> list[str]:
        return [job.id for job in ledger.jobs(**filters)]

    assert found(metadata={"commit": "abc"}) == [second.id, first.id]
    assert found(metadata={"commit": "abc", "team": "a.b"}) == found(metadata={"team": "a.b"}) == [second.id]
    assert found(metadata={"commit": "ABC"}) == found(metadata={"name": "abc"}) == found(metadata={"": ""}) == []
    assert found(metadata={"commit": "\0"}) == found(metadata={"\ud800": "abc"}) == []
    assert found(metadata={"commit": "abc"}, dataset="digits", q="0%") == found(q="größe 1") == [first.id]
    assert ledger.job(first.id).metadata == first.metadata


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_words_are_found_in_any_case_beyond_ascii(ledger: Ledger) -> None:
    """PostgreSQL knows as many cases as the locale of its database does; that of the tests has ASCII's alone."""
    job = queued(ledger, metadata={"name": "ÉCOLE 100%"})
    for part in ("ÉCOLE", "école", "École 100%"):
        assert [each.id for each in ledger.jobs(q=part)] == [job.id], part
    assert ledger.jobs(q="école_100") == []


def test_an_equal_job_keeps_the_words_it_has(ledger: Ledger) -> None:
    first = order(ledger, fingerprint="sha256:same", metadata={"commit": "abc"})
    again = order(ledger, fingerprint="sha256:same", metadata={"commit": "def", "team": "b"})
    assert (again.job.id, again.outcome, again.job.metadata) == (first.job.id, "twin", {"commit": "abc"})
    assert ledger.jobs(metadata={"commit": "def"}) == []


def test_words_go_with_their_job(ledger: Ledger) -> None:
    job = queued(ledger, metadata={"commit": "abc"})
    with ledger.database.write() as session:
        session.execute(delete(JobRow).where(JobRow.id == job.id))
    with ledger.database.read() as session:
        assert session.scalars(select(MetadataRow)).all() == []


def _ended(ledger: Ledger, accuracy: float | None, **changes: Any) -> Job:
    """A finished job whose images have this accuracy."""
    claim = running(ledger, metadata={"set": "this"}, **changes)
    metrics = {"results": {"distilled": {"accuracy_mean": accuracy}}} if accuracy is not None else {"seconds": 1.0}
    assert ledger.succeed(claim, [], metrics)
    return ledger.job(claim.job.id)


ORDERS: dict[Sort, Callable[[Any], Any]] = {
    "newest": lambda job: job.id,
    "oldest": lambda job: job.id,
    "accuracy": lambda job: job.metrics.get("results", {}).get("distilled", {}).get("accuracy_mean") or -1,
    "ipc": lambda job: job.ipc,
}


@pytest.mark.parametrize("sort", get_args(Sort))
@pytest.mark.parametrize("filters", [Filters(), Filters(metadata={"set": "this"}), Filters(dataset="digits")])
def test_pages_of_every_order_meet_without_gap_or_overlap(ledger: Ledger, sort: Sort, filters: Filters) -> None:
    jobs = [_ended(ledger, accuracy, ipc=ipc) for ipc, accuracy in enumerate((0.5, None, 0.9, 0.5, math.nan, 0.7), 1)]
    jobs += [_ended(ledger, 0.1, ipc=3), _ended(ledger, 0.95, ipc=1)]
    found: list[Job] = []
    after = None
    while True:
        page, after = ledger.page(filters, sort, 3, after)
        found += page
        if after is None:
            break
        if sort == "newest":
            queued(ledger, metadata={"set": "this"})  # newer jobs do not disturb a reader on the way to older ones
    assert {job.id for job in found} == {job.id for job in jobs}
    assert len(found) == len(jobs)
    keys = [ORDERS[sort](job) for job in found]
    assert keys == sorted(keys, reverse=sort in ("newest", "accuracy"))


@pytest.mark.parametrize(
    ("sort", "filters", "index"),
    [
        ("newest", Filters(metadata={"commit": "7"}), "ix_job_metadata_search"),
        ("newest", Filters(metadata={"team": "all"}), "ix_job_metadata_search"),
        ("newest", Filters(metadata={"team": "all", "commit": "7"}), "ix_job_metadata_search"),
        ("oldest", Filters(), "ix_jobs_created"),
        ("accuracy", Filters(), "ix_jobs_accuracy"),
        ("ipc", Filters(), "ix_jobs_ipc"),
    ],
)
def test_a_page_of_very_many_jobs_is_read_off_an_index(
    crowded: Ledger, sort: Sort, filters: Filters, index: str
) -> None:
    """Neither the whole table is read nor anything sorted, for words that one job has and for words that all have."""
    with _statements(crowded) as seen:
        jobs, _ = crowded.page(filters, sort, 40)
    assert len(jobs) == (1 if "commit" in (filters.metadata or {}) else 40)
    assert jobs[0].metadata["team"] == "all"
    plan = _plan(crowded, *seen[0])
    assert index in plan
    assert "SCAN jobs\n" not in f"{plan}\n"
    assert "Seq Scan on jobs" not in plan
    if len(filters.metadata or {}) < 2:
        assert "TEMP B-TREE" not in plan
        assert "Sort" not in plan


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)  # rows as small as here PostgreSQL reads at once
@pytest.mark.parametrize("reach", [Reach(), Reach("", everything=False)], ids=["everybody", "owner"])
def test_jobs_are_counted_without_being_read(crowded: Ledger, reach: Reach) -> None:
    with _statements(crowded) as seen:
        assert sum(crowded.within(reach).counts().values()) > 1_000
    assert "COVERING INDEX ix_jobs_" in _plan(crowded, *seen[0])


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("filters", "index"),
    [
        (Filters(status=Status.RUNNING), "ix_jobs_status"),
        (Filters(method="advice"), "ix_jobs_method"),
        (Filters(status=Status.CANCELLED, method="advice"), "ix_jobs_method_status"),
        (Filters(dataset="cifar10"), "COVERING INDEX ix_jobs_created"),
        (Filters(status=Status.CANCELLED, dataset="cifar10"), "COVERING INDEX ix_jobs_status"),
        (Filters(q="nothing like it"), "COVERING INDEX ix_jobs_created"),
    ],
)
def test_rare_jobs_are_found_of_an_index(crowded: Ledger, filters: Filters, index: str) -> None:
    with _statements(crowded) as seen:
        assert crowded.page(filters, "newest", 40)[0] == []
    assert index in _plan(crowded, *seen[0])
    with _statements(crowded) as seen:
        assert crowded.within(Reach("", everything=False)).page(filters, "newest", 40)[0] == []
    assert "INDEX ix_jobs_" in _plan(crowded, *seen[0])
    if filters.dataset or filters.q:
        assert "COVERING INDEX ix_jobs_" in _plan(crowded, *seen[0]), "no job of the owner's is read"


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_jobs_under_unknown_conditions_are_missed_of_an_index(crowded: Ledger) -> None:
    with _statements(crowded) as seen:
        assert crowded.jobs_under("nobody's") == []
    assert "ix_jobs_conditions" in _plan(crowded, *seen[0])


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_a_queue_is_foretold_of_the_leases_alone(crowded: Ledger) -> None:
    job = queued(crowded)
    with _statements(crowded) as seen:
        assert crowded.job(job.id).queue_position == 2
    plans = [_plan(crowded, *each) for each in seen if "jobs.lease_expires_at IS NOT NULL" in each[0]]
    assert any("ix_jobs_leases" in plan for plan in plans)
    assert not any("SCAN jobs" in plan for plan in plans)


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("owner", [None, ""], ids=["everybody", "owner"])
def test_bytes_of_results_are_added_up_without_reading_a_job(crowded: Ledger, owner: str | None) -> None:
    claim = crowded.claim("w", 60)
    assert claim is not None
    files = [File(name, size, "0" * 64, "text/plain") for name, size in (("a", 700), ("b", 77))]
    assert crowded.succeed(claim, files)
    with _statements(crowded) as seen:
        assert [(each.owner, each.results) for each in crowded.keeping.by_owner(owner)] == [("", 777)]
    assert "COVERING INDEX ix_jobs_owner_bytes" in _plan(crowded, *seen[0])


def _plan(ledger: Ledger, statement: str, parameters: Any) -> str:
    """How the database answers the statement."""
    how = "EXPLAIN QUERY PLAN" if ledger.database.url.get_backend_name() == "sqlite" else "EXPLAIN"
    with ledger.database.read() as session:
        rows = session.connection().exec_driver_sql(f"{how} {statement}", parameters).all()
    return "\n".join(str(row[-1]) for row in rows)


@pytest.fixture
def crowded(ledger: Ledger) -> Ledger:
    """A ledger with very many jobs: each with a word of its own, and one that all have."""
    job = queued(ledger)
    with ledger.database.write() as session:
        row = session.get_one(JobRow, job.id)
        same = {each.key: getattr(row, each.key) for each in inspect(JobRow).column_attrs}
        same |= {"status": Status.CANCELLED, "finished_at": job.created_at, "fingerprint": None}
        rows = [
            same | {"id": f"{job.id[:-6]}{n:06}", "created_at": job.created_at + timedelta(seconds=n)}
            for n in range(MANY)
        ]
        session.execute(insert(JobRow), rows)
        words = [
            {"job_id": row["id"], "created_at": row["created_at"], "key": key, "value": value}
            for n, row in enumerate(rows)
            for key, value in (("commit", str(n)), ("team", "all"))
        ]
        session.execute(insert(MetadataRow), words)
    with ledger.database.write() as session:
        session.execute(text("ANALYZE"))
    return ledger


@pytest.mark.parametrize("word", ["\0", "\ud800", "sleeping", "nothing like it"])
@pytest.mark.parametrize("field", ["status", "dataset", "method", "q"])
def test_a_filter_nothing_matches_finds_nothing(ledger: Ledger, field: str, word: str) -> None:
    queued(ledger)
    filters: dict[str, Any] = {field: word}
    assert ledger.jobs(**filters) == []


def test_a_list_takes_the_same_few_statements_however_long(ledger: Ledger) -> None:
    numbers = []
    for _ in range(2):
        for _ in range(5):
            queued(ledger)
        with _statements(ledger) as seen:
            ledger.jobs(limit=200)
        numbers.append(len(seen))
    assert numbers[0] == numbers[1] <= 11


@pytest.mark.parametrize("how", ["alone", "listed"])
def test_a_finished_job_is_read_once_until_it_changes(ledger: Ledger, ledger_url: str, how: str) -> None:
    """Its documents, that is; another process may have it retried or deleted at any time."""
    other = Ledger(ledger_url)
    job_id = standing(ledger, Status.FAILED)[0].id

    def read() -> Job | None:
        return ledger.job(job_id) if how == "alone" else next(iter(ledger.jobs()), None)

    first = read()
    with _statements(ledger) as seen:
        assert read() is first
    assert not any("jobs.recipe" in statement for statement, _ in seen)
    assert first == Ledger(ledger_url).job(job_id)
    assert other.retry(job_id).status == "queued"
    assert read() == other.job(job_id)
    other.request_cancel(job_id)
    assert (found := read()) == other.job(job_id)
    assert found is not None
    assert found.status == "cancelled"
    other.delete(job_id, lambda address: None)
    if how == "listed":
        assert read() is None
    else:
        with pytest.raises(UnknownJob):
            read()
    other.close()


@contextmanager
def _statements(ledger: Ledger) -> Iterator[list[tuple[str, Any]]]:
    seen: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            seen.append((statement, parameters))

    event.listen(ledger.database.engine, "before_cursor_execute", note)
    yield seen
    event.remove(ledger.database.engine, "before_cursor_execute", note)
