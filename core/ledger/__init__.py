"""Jobs, events, leases and artifacts in SQL: the truth of the service. `Ledger` is the door; the rest are values."""

from core.ledger.ledger import Ledger
from core.ledger.types import (
    ENDED,
    HELD,
    Beat,
    Claim,
    Document,
    Event,
    File,
    IdempotencyConflict,
    IllegalTransition,
    Job,
    Outcome,
    Phase,
    Status,
    Submission,
    Swept,
    UnknownJob,
    Worker,
)

__all__ = [
    "ENDED",
    "HELD",
    "Beat",
    "Claim",
    "Document",
    "Event",
    "File",
    "IdempotencyConflict",
    "IllegalTransition",
    "Job",
    "Ledger",
    "Outcome",
    "Phase",
    "Status",
    "Submission",
    "Swept",
    "UnknownJob",
    "Worker",
]
