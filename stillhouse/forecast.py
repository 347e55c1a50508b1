"""The expected cost of a job, as frozen data; and the same beside the real cost, as a table's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from stillhouse.jobs import Phase


@dataclass(frozen=True)
class Estimate:
    """Seconds: the likeliest number, and bounds that hold four jobs out of five."""

    expected: float
    low: float
    high: float

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read the service's estimate."""
        return cls(raw["expected"], raw["low"], raw["high"])

    def __str__(self) -> str:
        return f"{duration(self.expected)} ({duration(self.low)} to {duration(self.high)})"


@dataclass(frozen=True)
class Cheaper:
    """The same job within a time: what to ask for, the seconds it takes, and what its recipe gives up."""

    within: str
    seconds: float
    given_up: Sequence[str]

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read the service's offer; fields that only a newer service has are left out."""
        return cls(raw["within"], raw["seconds"], raw["given_up"])

    def __str__(self) -> str:
        lost = f"; it gives up {', '.join(self.given_up)}" if self.given_up else ""
        return f"Make it cheaper: --within {self.within} takes about {duration(self.seconds)}{lost}."


@dataclass(frozen=True)
class Forecast:
    """A job's expected cost. `seconds` is None until a worker has measured its hardware."""

    hardware: str | None
    seconds: Estimate | None
    phases: Mapping[str, Estimate]
    peak_mib: float | None
    expert_bytes: int | None
    label_bytes: int | None
    artifact_bytes: int | None
    compact_bytes: int | None
    """Those of the compact file, labels included, where there is one."""
    basis: str
    reference: Estimate | None
    """The part of `seconds` that is the reference's on the full training set; None where nothing is to be trained."""
    given_up: tuple[str, ...]
    """The fields of its recipe that a job within a time gives up, a phrase each."""
    cheaper: Cheaper | None
    """An offer, where the job takes more than an hour."""
    raw: Mapping[str, Any]

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read the service's forecast object."""
        stored, seconds = raw.get("bytes") or {}, raw.get("seconds")
        return cls(
            hardware=raw.get("hardware"),
            seconds=Estimate.from_json(seconds) if seconds else None,
            phases={name: Estimate.from_json(phase) for name, phase in (raw.get("phases") or {}).items()},
            peak_mib=(raw.get("memory") or {}).get("peak_mib"),
            expert_bytes=stored.get("experts"),
            label_bytes=stored.get("labels"),
            artifact_bytes=stored.get("artifact"),
            compact_bytes=stored.get("compact"),
            reference=Estimate.from_json(raw["reference"]) if raw.get("reference") else None,
            given_up=tuple((raw.get("within") or {}).get("given_up", ())),
            cheaper=Cheaper.from_json(raw["cheaper"]) if raw.get("cheaper") else None,
            basis=str((raw.get("basis") or {}).get("detail") or ""),
            raw=raw,
        )


def total(forecast: Forecast) -> list[str]:
    """The sentence on how long a job will take, which its remarks speak of; none where nothing was measured yet."""
    if not (whole := forecast.seconds):
        return []
    return [
        f"It will take about {duration(whole.expected)}: four in five {duration(whole.low)} to {duration(whole.high)}."
    ]


def remarks(forecast: Forecast) -> list[str]:
    """Sentences beside the table: the reference's part, what was given up for the time, and an offer."""
    said = []
    if forecast.reference:
        part = duration(forecast.reference.expected)
        said.append(
            f"{part} of it are the reference on the full training set: once a dataset and network, or never with "
            "--set evaluation.full=null."
        )
    if forecast.given_up:
        said.append(f"Given up for the time: {', '.join(forecast.given_up)}.")
    return [*said, *([str(forecast.cheaper)] if forecast.cheaper else [])]


COLUMNS = ("PHASE", "EXPECTED", "LOW", "HIGH")


def rows(forecast: Forecast) -> list[tuple[str, ...]]:
    """A line a phase, and the total."""
    total = {"total": forecast.seconds} if forecast.seconds else {}
    return [
        (name.replace("_", " "), duration(each.expected), duration(each.low), duration(each.high))
        for name, each in {**forecast.phases, **total}.items()
    ]


def beside(forecast: Forecast, phases: Mapping[str, Phase]) -> list[tuple[str, ...]]:
    """The lines of `rows` with what each phase has taken so far."""
    taken = [duration(phases[name].seconds) if name in phases else "" for name in forecast.phases]
    total = duration(sum(phase.seconds for phase in phases.values())) if phases else ""
    return [(*row, actual) for row, actual in zip(rows(forecast), [*taken, total], strict=False)]


def duration(seconds: float) -> str:
    """Seconds as people say them: `7.3 s`, `12 min`, `3.4 h`, `5.0 d`."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.{0 if seconds >= 10 * size else 1}f} {unit}"
    return f"{seconds:.{0 if seconds >= 10 else 1}f} s"
