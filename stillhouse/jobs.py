"""The service's account of a job, as frozen data. Unknown fields are kept in `raw`, missing ones are None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from stillhouse.forecast import Forecast

ENDED = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True)
class Phase:
    """How far one phase is: `done` of `total` (its own units), after `seconds`."""

    done: float
    total: float
    seconds: float


@dataclass(frozen=True)
class Job:
    """A job as the service last described it."""

    id: str
    kind: str
    """`distillation`, or `advice`: measurements that `Client.advise` asked for."""
    status: str
    phase: str | None
    phases: Mapping[str, Phase]
    eta_seconds: float | None
    """Seconds until the job is over, all phases included."""
    phase_eta_seconds: float | None
    """Seconds until its phase is over."""
    queue_position: int | None
    queue_seconds: float | None
    """Seconds until a worker is expected to take a queued job."""
    dataset: str
    dataset_title: str
    """How people call it: of an upload its title, else its name."""
    method: str
    ipc: int | None
    """None for advice, which makes no images."""
    cached: bool
    metadata: Mapping[str, str]
    """Words to find it by."""
    created_at: str | None
    error: Mapping[str, Any] | None
    forecast: Forecast | None
    raw: Mapping[str, Any]

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in ENDED

    @property
    def title(self) -> str:
        """The set that it makes, in a few words; of advice, that it is some."""
        if self.kind != "distillation":
            return f"{self.kind} for {self.dataset_title}"
        target = (self.raw.get("request") or {}).get("target")
        if target and self.status != "succeeded":
            return f"{self.dataset_title}, as few per class as reach the target, {self.method}"
        return f"{self.dataset_title}, {self.ipc} per class, {self.method}"

    @property
    def seconds(self) -> float:
        """Seconds that all its phases together have taken so far."""
        return sum(phase.seconds for phase in self.phases.values())

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read the service's job object."""
        request = raw.get("request") or {}
        progress = raw.get("progress") or {}
        return cls(
            id=str(raw["id"]),
            kind=str(raw.get("kind") or "distillation"),
            status=str(raw["status"]),
            phase=raw.get("phase"),
            phases=phases_of(progress),
            eta_seconds=progress.get("eta_seconds"),
            phase_eta_seconds=progress.get("phase_eta_seconds"),
            queue_position=raw.get("queue_position"),
            queue_seconds=raw.get("queue_seconds"),
            dataset=str(raw.get("dataset") or request.get("dataset") or ""),
            dataset_title=str(raw.get("dataset_title") or raw.get("dataset") or ""),
            method=str(raw.get("method") or request.get("method") or ""),
            ipc=raw.get("ipc") or request.get("ipc"),
            cached=bool(raw.get("cached")),
            metadata=raw.get("metadata") or {},
            created_at=raw.get("created_at"),
            error=raw.get("error"),
            forecast=Forecast.from_json(raw["forecast"]) if raw.get("forecast") else None,
            raw=raw,
        )


@dataclass(frozen=True)
class Event:
    """One line of a job's history; `seq` counts from 1 without a gap."""

    seq: int
    type: str
    at: str | None
    data: Mapping[str, Any]

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read the service's event object."""
        return cls(int(raw["seq"]), str(raw["type"]), raw.get("at"), raw.get("data") or {})


@dataclass(frozen=True)
class File:
    """One file of an artifact, by content."""

    name: str
    bytes: int
    sha256: str
    media_type: str | None

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read the service's file object."""
        return cls(
            str(raw["name"]), int(raw["bytes"]), str(raw["sha256"]).removeprefix("sha256:"), raw.get("media_type")
        )


def phases_of(progress: Mapping[str, Any]) -> dict[str, Phase]:
    """Every phase a progress object speaks of, in the order they ran."""
    known = {
        name: Phase(p.get("done") or 0, p.get("total") or 0, p.get("seconds") or 0)
        for name, p in (progress.get("phases") or {}).items()
    }
    current = progress.get("phase")
    if current and current not in known:
        known[current] = Phase(progress.get("done") or 0, progress.get("total") or 0, 0)
    return known
