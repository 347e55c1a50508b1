"""When a running job will be over, as everybody tells it: API, dashboard and client."""

from __future__ import annotations

from core.ledger.types import Document
from core.plan.phases import PHASES


def remaining(phase: str | None, progress: Document | None, forecast: Document | None) -> float | None:
    """Seconds until a running job is over: what is left of its phase, and the forecast of the later ones.

    None where nobody knows: the engine has not said, or later phases may come that nobody has forecast.

    Args:
        phase: what the job is doing.
        progress, forecast: its documents of these names.
    """
    if phase not in PHASES or progress is None:
        return None
    foreseen = (forecast or {}).get("phases") or {}
    expected = {name: float(each["expected"]) for name, each in foreseen.items()}
    last = phase == PHASES[-1]
    if not expected and not last:
        return None
    here = phase_remaining(phase, progress)
    if here is None:
        if phase not in expected:
            return None
        took = ((progress.get("phases") or {}).get(phase) or {}).get("seconds") or 0.0
        here = max(0.0, expected[phase] - took)
    return here + sum(expected.get(name, 0.0) for name in PHASES[PHASES.index(phase) + 1 :])


def phase_remaining(phase: str | None, progress: Document | None) -> float | None:
    """Seconds until a running job's phase is over, as its engine counts them; None where it does not say."""
    if progress is None or progress.get("phase") != phase:
        return None
    left = progress.get("eta_seconds")
    return None if left is None else float(left)
