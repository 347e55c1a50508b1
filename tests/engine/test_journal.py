"""The estimate of what is left of a phase, as its journal has it."""

from __future__ import annotations

from typing import Any

import pytest

from core.engine.journal import Journal


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr("core.engine.journal.time.monotonic", lambda: now[0])
    return now


def test_what_is_left_shrinks_within_a_unit(clock: list[float]) -> None:
    told: list[dict[str, Any]] = []
    journal = Journal(told.append)
    journal.enter("evaluating", 5)
    for tenth in range(51):  # five networks of ten seconds each
        clock[0] = float(tenth)
        journal.progress(tenth / 10, 5)
    later = told[1:]
    assert [each["eta_seconds"] for each in later] == pytest.approx([50.0 - tenth for tenth in range(1, 51)])
    assert [each["done"] for each in later] == [tenth // 10 for tenth in range(1, 51)]


def test_what_an_earlier_attempt_did_does_not_shorten_the_rest(clock: list[float]) -> None:
    told: list[dict[str, Any]] = []
    journal = Journal(told.append)
    journal.enter("evaluating", 10, skipped=8)
    for second in range(5):
        clock[0] = float(second)
        journal.progress(8 + second / 10, 10)
    assert told[-1]["eta_seconds"] == pytest.approx(16.0)
    assert journal.share == pytest.approx(0.84)
