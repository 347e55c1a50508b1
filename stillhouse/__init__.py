"""Stillhouse from Python: submit a distillation, wait for it, bring the verified artifact home; or distil right here.

Names are imported when they are first asked for, so that a program which only may distil does not pay for HTTP.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stillhouse.advice import Advice as Advice
    from stillhouse.api import Client as Client
    from stillhouse.checksums import verify as verify
    from stillhouse.errors import ClientError as ClientError
    from stillhouse.errors import HashMismatch as HashMismatch
    from stillhouse.errors import InvalidDataset as InvalidDataset
    from stillhouse.errors import JobCancelled as JobCancelled
    from stillhouse.errors import JobFailed as JobFailed
    from stillhouse.errors import Problem as Problem
    from stillhouse.errors import Unreachable as Unreachable
    from stillhouse.errors import UsageError as UsageError
    from stillhouse.errors import WaitTimeout as WaitTimeout
    from stillhouse.forecast import Estimate as Estimate
    from stillhouse.forecast import Forecast as Forecast
    from stillhouse.jobs import Event as Event
    from stillhouse.jobs import File as File
    from stillhouse.jobs import Job as Job
    from stillhouse.library import distil as distil

_EXPORTS = {
    "advice": ("Advice",),
    "api": ("Client",),
    "checksums": ("verify",),
    "errors": (
        *("ClientError", "HashMismatch", "InvalidDataset", "JobCancelled", "JobFailed"),
        *("Problem", "Unreachable", "UsageError", "WaitTimeout"),
    ),
    "forecast": ("Estimate", "Forecast"),
    "jobs": ("Event", "File", "Job"),
    "library": ("distil",),
}
_MODULES = {name: module for module, names in _EXPORTS.items() for name in names}


def __getattr__(name: str) -> object:
    if (module := _MODULES.get(name)) is None:
        raise AttributeError(f"module 'stillhouse' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"stillhouse.{module}"), name)
    return value


def __dir__() -> list[str]:
    return sorted(_MODULES)
