"""Advice before a job, as frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, TypedDict


class Question(TypedDict, total=False):
    """The question beside the dataset: one of `ipc`, `target` and `bytes`; and what a job may take."""

    ipc: int | None
    target: Mapping[str, float] | None
    """`{"accuracy": 0.8}`, or `{"gap": 0.5}`: the share of the gap between random images and the whole set."""
    bytes: str | None
    within: str | None
    labels: Literal["hard", "soft"]
    extra: Mapping[str, Any] | None
    """Fields that only a newer service knows, by name."""


@dataclass(frozen=True)
class Estimate:
    """A test accuracy, and the bounds that hold four results out of five."""

    expected: float
    low: float
    high: float

    @classmethod
    def from_json(cls, raw: Mapping[str, Any] | None) -> Self | None:
        """Read the service's estimate."""
        return None if raw is None else cls(raw["expected"], raw["low"], raw["high"])


@dataclass(frozen=True)
class Count:
    """Images a class, and bounds; `high` is None where it may be more than the measurements say anything about."""

    expected: int
    low: int
    high: int | None

    @classmethod
    def from_json(cls, raw: Mapping[str, Any] | None) -> Self | None:
        """Read the service's count."""
        return None if raw is None else cls(raw["expected"], raw["low"], raw["high"])


@dataclass(frozen=True)
class Advice:
    """Whether distilling is worth it. A number that the measurements do not support is None: `reasons` says why."""

    verdict: str
    """`distil`, `real`: take real images, or `undecided`."""
    sentence: str
    reasons: tuple[str, ...]
    ipc: int | None
    """Distilled images a class that it speaks of; the fewest that reach a target."""
    needed: Count | None
    """The same with its bounds, where a target was given."""
    distilled: Estimate | None
    random: Estimate | None
    """As many random real images."""
    equal: Count | None
    """Random real images that reach the same."""
    job: str | None
    """The job that measured."""
    request: Mapping[str, Any] | None
    """The order of a job that distils them as the pilots did."""
    raw: Mapping[str, Any]

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read the service's advice."""
        return cls(
            verdict=str(raw["verdict"]),
            sentence=str(raw["sentence"]),
            reasons=tuple(raw.get("reasons") or ()),
            ipc=raw.get("ipc"),
            needed=Count.from_json(raw.get("needed")),
            distilled=Estimate.from_json(raw.get("distilled")),
            random=Estimate.from_json(raw.get("random")),
            equal=Count.from_json(raw.get("equal")),
            job=raw.get("job"),
            request=raw.get("request"),
            raw=raw,
        )
