"""The measurements of advice that finished jobs have left in the store."""

from __future__ import annotations

from functools import lru_cache

from api import downloads
from api.problems import ProblemError
from api.services import Services
from core import ledger
from core.advice.measured import Measured
from core.artifacts.advice import ADVICE


def known(services: Services, mark: str) -> tuple[str, Measured] | None:
    """The newest finished job with these measurements, and they; None where there are none, or they cannot be read."""
    found = services.ledger.answer(mark)
    if found is None:
        return None
    job_id, files = found
    file = next((each for each in files if each.name == ADVICE), None)
    measured = file and measured_of(services, file)
    return None if measured is None else (job_id, measured)


def measured_of(services: Services, file: ledger.File) -> Measured | None:
    """The measurements in a file of the store; None where it does not give them out."""
    try:
        return _read(downloads.text(services.store, file))
    except (ProblemError, ValueError):
        return None


@lru_cache(maxsize=64)
def _read(text: str) -> Measured:
    return Measured.model_validate_json(text)
