"""Seconds until a job is over: its phase's own, and the forecast of what is still to come."""

from __future__ import annotations

from typing import Any

import pytest

from core.ledger import remaining

FORECAST: dict[str, Any] = {
    "phases": {
        name: {"expected": seconds, "low": 0, "high": 0}
        for name, seconds in {"training_experts": 100.0, "training_generator": 30.0, "evaluating": 10.0}.items()
    }
}


def progress(phase: str, eta: float | None, seconds: float = 0.0) -> dict[str, Any]:
    return {"phase": phase, "eta_seconds": eta, "phases": {phase: {"seconds": seconds}}}


@pytest.mark.parametrize(
    ("phase", "eta", "seconds", "left"),
    [
        ("training_experts", 4.0, 60.0, 44.0),
        ("training_experts", None, 60.0, 80.0),
        ("training_experts", None, 600.0, 40.0),
        ("preparing", 1.0, 0.0, 141.0),
        ("preparing", None, 0.0, None),
        ("training_generator", 5.0, 1.0, 15.0),
        ("evaluating", 3.0, 1.0, 3.0),
        ("publishing", 0.5, 1.0, 0.5),
    ],
)
def test_it_counts_every_phase_to_come(phase: str, eta: float | None, seconds: float, left: float | None) -> None:
    assert remaining(phase, progress(phase, eta, seconds), FORECAST) == left


def test_without_a_forecast_only_the_last_phase_knows() -> None:
    for forecast in (None, {"phases": {}}):
        assert remaining("training_experts", progress("training_experts", 4.0), forecast) is None
        assert remaining("publishing", progress("publishing", 4.0), forecast) == 4.0


def test_what_was_said_of_another_phase_is_not_believed() -> None:
    assert remaining("training_experts", progress("preparing", 1.0), FORECAST) == 140.0
    assert remaining(None, None, FORECAST) is None
    assert remaining("unheard_of", progress("unheard_of", 1.0), FORECAST) is None
