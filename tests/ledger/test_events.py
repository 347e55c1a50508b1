"""The event log: complete, in order, and bounded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from core.ledger import Ledger, UnknownJob, events
from core.ledger.models import JobRow
from tests.ledger.orders import ERROR, LONG, queued, running, types


def test_the_log_tells_a_whole_life(ledger: Ledger) -> None:
    claim = running(ledger, ttl=0)
    ledger.sweep()
    second = ledger.claim("other", LONG)
    assert second is not None
    ledger.release(second, "drained")
    third = ledger.claim("other", LONG)
    assert third is not None
    ledger.fail(third, ERROR)
    ledger.retry(claim.job.id)
    ledger.request_cancel(claim.job.id)
    assert types(ledger, claim.job.id) == [
        "job.created",
        *("job.started", "job.requeued"),
        *("job.started", "job.requeued"),
        *("job.started", "job.failed"),
        *("job.requeued", "job.cancelled"),
    ]
    told = ledger.events(claim.job.id)
    assert [event.at for event in told] == sorted(event.at for event in told)
    assert [event.data["attempt"] for event in told] == [0, 1, 1, 2, 2, 3, 3, 3, 3]


def test_pages_of_the_log_meet_without_gap_or_overlap(ledger: Ledger) -> None:
    claim = running(ledger)
    ledger.record(claim, events=[("log", {"number": number}) for number in range(7)])
    everything = ledger.events(claim.job.id)
    pages, after = [], 0
    while page := ledger.events(claim.job.id, after=after, limit=2):
        pages += page
        after = page[-1].seq
    assert pages == everything
    assert ledger.events(claim.job.id, after=10**9) == []


def test_reported_events_carry_the_attempt(ledger: Ledger) -> None:
    claim = running(ledger)
    ledger.record(claim, events=[("metric", {"name": "loss", "step": 3, "value": float("nan")})])
    (event,) = ledger.events(claim.job.id, after=2)
    assert (event.type, event.data) == ("metric", {"attempt": 1, "name": "loss", "step": 3, "value": None})


def test_progress_is_told_at_once_and_then_at_most_once_a_second(ledger: Ledger) -> None:
    claim = running(ledger)
    for done in range(50):
        ledger.record(claim, progress={"phase": "distilling", "done": done, "total": 50, "phases": {"big": "table"}})
    told = [event for event in ledger.events(claim.job.id) if event.type == "progress"]
    counts = {"phase": "distilling", "done": 0, "total": 50}
    assert told[0].data == {"attempt": 1, **counts, "eta_seconds": None, "phase_eta_seconds": None}
    assert all(later.at - earlier.at >= timedelta(seconds=1) for earlier, later in pairwise(told))
    progress = ledger.job(claim.job.id).progress
    assert progress is not None
    assert progress["done"] == 49


def test_a_new_phase_is_told_at_once(ledger: Ledger) -> None:
    claim = running(ledger)
    for phase in ("preparing", "training_experts", "distilling", "distilling"):
        ledger.record(claim, phase=phase)
    told = [event.data["phase"] for event in ledger.events(claim.job.id) if event.type == "progress"]
    assert told == ["preparing", "training_experts", "distilling"]


@pytest.mark.parametrize(("elapsed", "expected"), [(0, 1), (360, 1), (720, 2), (3600, 10), (86_400, 10)])
def test_progress_is_told_more_rarely_the_longer_a_job_runs(elapsed: float, expected: float) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert events.spacing(JobRow(started_at=start), start + timedelta(seconds=elapsed)) == expected


def test_an_attempt_reports_so_much_and_no_more(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "REPORTED_LIMIT", 5)
    claim = running(ledger)
    for _ in range(3):
        assert ledger.record(claim, phase="distilling", events=[("log", {}), ("log", {})])
    assert types(ledger, claim.job.id).count("log") == 5
    ledger.release(claim, "drained")
    again = ledger.claim("worker", LONG)
    assert again is not None
    ledger.record(again, events=[("log", {})])
    assert types(ledger, claim.job.id).count("log") == 6


def test_an_unknown_job_has_no_log(ledger: Ledger) -> None:
    queued(ledger)
    with pytest.raises(UnknownJob):
        ledger.events("job_00000000000000000000000000")
