"""The faults between a client and a service: one exception each, with the command line's exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class ClientError(Exception):
    """Root of everything this package raises on purpose; `exit_code` is the command line's answer to a script."""

    exit_code: int = 1

    def __init__(self, message: str, *, exit_code: int | None = None) -> None:
        super().__init__(message)
        if exit_code is not None:
            self.exit_code = exit_code


class UsageError(ClientError):
    """The call itself makes no sense; nothing was sent."""

    exit_code = 2


@dataclass(frozen=True)
class FieldProblem:
    """One field the service refused: where, why, and what to write instead."""

    field: str
    message: str
    fix: str | None = None

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" + (f" {self.fix}" if self.fix else "")


class Problem(ClientError):
    """The service refused: an RFC 9457 problem document."""

    def __init__(self, status: int, document: Mapping[str, Any]) -> None:
        self.status = status
        self.exit_code = _exit_code(status)
        self.document = dict(document)
        self.title = str(document.get("title") or f"HTTP {status}")
        self.detail = str(document.get("detail") or "")
        self.errors: Sequence[FieldProblem] = tuple(
            FieldProblem(str(e.get("field", "")), str(e.get("message", "")), e.get("fix"))
            for e in document.get("errors") or ()
        )
        super().__init__(str(self))

    def __str__(self) -> str:
        hint = self.document.get("hint")
        if self.errors:  # `detail` is these lines in a row
            return "\n".join([self.title, *(f"  {error}" for error in self.errors)])
        return f"{self.title}: {self.detail}" + (f"\n  {hint}" if hint else "")


def _exit_code(status: int) -> int:
    """6 for keys and quotas, 7 for what is not there, 9 for a service that is away, 2 for any other wrong request."""
    match status:
        case 401 | 403 | 429:
            return 6
        case 404:
            return 7
        case 502 | 503 | 504:
            return 9
        case _:
            return 2 if status < 500 else 1


class InvalidDataset(ClientError):
    """An upload arrived and cannot be used."""

    exit_code = 2

    def __init__(self, name: str, problem: str, title: str = "") -> None:
        self.name, self.problem, self.title = name, problem, title
        super().__init__(f"{f'{title!r} ({name})' if title else name} cannot be used: {problem}")


class JobFailed(ClientError):
    """The job ended in `failed`; `error` is the job's own error object."""

    exit_code = 3

    def __init__(self, job_id: str, error: Mapping[str, Any]) -> None:
        self.job_id = job_id
        self.error = dict(error)
        message = f"Job {job_id} failed ({error.get('code', 'internal')}): {error.get('message', 'no message')}"
        lines = [message, error.get("hint"), f"Its history: stillhouse events {job_id}"]
        super().__init__("\n  ".join(filter(None, lines)))


class JobCancelled(ClientError):
    """The job was cancelled, by whomever."""

    exit_code = 4

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        super().__init__(f"Job {job_id} was cancelled.")


class WaitTimeout(ClientError):
    """The wait is over, the job is not: it goes on."""

    exit_code = 5

    def __init__(self, job_id: str, seconds: float) -> None:
        self.job_id = job_id
        super().__init__(f"Job {job_id} was still running after {seconds:g} s; it goes on: stillhouse wait {job_id}")


class OutOfTime(ClientError):
    """The time that the caller gave is over; what was asked for goes on without them."""

    exit_code = 5


class HashMismatch(ClientError):
    """Bytes are not the bytes that were published."""

    exit_code = 8


class Unreachable(ClientError):
    """Nobody answers at the service's address."""

    exit_code = 9
