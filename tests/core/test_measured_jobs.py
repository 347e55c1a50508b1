"""The rows that benchmarks keep: one for each question, found by the dataset's content and the size next to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from core.data import Catalogue
from core.measured_jobs import MeasuredJob, near, read, write
from core.methods import names

DIGITS = Catalogue(Path("nowhere")).facts("digits")
WHERE = ("Pentium", "abc", date(2026, 11, 29))


def row(ipc: int, within: str, method: str, *accuracies: float, seconds: float = 50) -> MeasuredJob:
    runs = [(accuracy, 0.5, seconds + place) for place, accuracy in enumerate(accuracies)]
    return MeasuredJob.of(DIGITS, (ipc, within, method), runs, ["dm", "dm"] if method == "auto" else (), WHERE)


def test_a_row_is_of_several_jobs_and_takes_the_place_of_its_like(tmp_path: Path) -> None:
    found = row(1, "60s", "auto", 0.8, 0.9)
    assert (found.accuracy, found.std, found.n, found.longest, found.won) == (0.85, 0.0707, 2, 51, ("dm",))
    assert row(1, "60s", "dm", 0.8).std is None
    assert [row(1, "60s", "dm", 0.8, seconds=seconds).kept for seconds in (65, 67)] == [True, False]
    file = tmp_path / "rows.jsonl"
    assert read(file) == ()
    write([found, row(1, "20m", "dm", 0.9)], file)
    newer = row(1, "1m", "auto", 0.7)
    write([newer], file)
    assert read(file) == (newer, row(1, "20m", "dm", 0.9))
    file.write_text('{"accuracy": 2}\n')
    with pytest.raises(ValidationError):
        read(file)


def test_rows_are_those_of_the_same_content_at_the_nearest_size() -> None:
    rows = [row(1, "20m", "dm", 0.8), row(1, "60s", "dm", 0.7), row(1, "60s", "mtt", 0.9), row(50, "20m", "dm", 0.95)]
    assert [(each.within, each.method) for each in near(DIGITS, 3, rows)] == [
        ("60s", "mtt"),
        ("60s", "dm"),
        ("20m", "dm"),
    ]
    assert near(DIGITS, 20, rows) == rows[3:]
    assert near(replace(DIGITS, name="mine"), 50, rows) == rows[3:]
    assert near(replace(DIGITS, digest="sha256:0"), 50, rows) == [], "another dataset of that name"
    assert near(replace(DIGITS, digest=None), 50, rows) == rows[3:], "not on this machine, known by its name"


def test_what_is_kept_can_be_asked_for() -> None:
    rows = read()
    assert rows
    assert all(row.method in names() and row.commit and row.n >= 1 for row in rows)
    assert all(row.digest == DIGITS.digest for row in rows if row.dataset == "digits"), "measured on today's digits"
