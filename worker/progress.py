"""How far each phase of a job has come, and how long it took, over all attempts at it."""

from __future__ import annotations

import time
from typing import final

from core.ledger import Document


@final
class Progress:
    """Adds up what the engine says of its phases."""

    def __init__(self, before: Document | None) -> None:
        """
        Args:
            before: the job's progress at the end of its previous attempt.
        """
        self.phase: str | None = None
        """The phase last heard of."""
        self._phases: dict[str, Document] = {name: dict(row) for name, row in (before or {}).get("phases", {}).items()}
        self._since = time.monotonic()

    def update(self, phase: str, counts: Document) -> Document:
        """The job's progress after the engine reported a phase's `done`, `total`, `eta_seconds` and maybe `skipped`.

        The time since the last report is the phase's that was reported then: engines speak first when a phase begins.
        """
        now = time.monotonic()
        current = self._phases.setdefault(self.phase or phase, {"done": 0, "total": None, "seconds": 0.0})
        current["seconds"] = round(current["seconds"] + now - self._since, 3)
        self.phase, self._since = phase, now
        row = self._phases.setdefault(phase, {"done": 0, "total": None, "seconds": 0.0})
        row.update(done=counts.get("done", 0), total=counts.get("total"))
        if "skipped" in counts:
            row["skipped"] = counts["skipped"]
        phases = {name: dict(row) for name, row in self._phases.items()}
        return {
            "phase": phase,
            "done": row["done"],
            "total": row["total"],
            "eta_seconds": counts.get("eta_seconds"),
            "phases": phases,
        }
