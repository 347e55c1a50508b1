"""Advice as the service gives it: numbers with intervals, a verdict, and the sentence that says both."""

from __future__ import annotations

from typing import Any, Literal, final

from pydantic import BaseModel, ConfigDict, Field

from core.advice.curves import LEVEL

Verdict = Literal["distil", "real", "undecided"]


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


@final
class Estimate(_Shown):
    """A test accuracy, from 0 to 1, with the interval in which four of five results lie."""

    expected: float
    low: float
    high: float


@final
class Count(_Shown):
    """Images a class, with the interval in which the true number lies in four of five cases."""

    expected: int
    low: int
    high: int | None = Field(description="Null: more than the measurements say anything about.")


@final
class CurvePoint(_Shown):
    """A point of a curve."""

    ipc: int
    expected: float
    low: float
    high: float


@final
class Line(_Shown):
    """A learning curve as the measurements have it: what it is of, its points, and the sizes that were measured."""

    source: Literal["random", "window", "distilled"]
    points: tuple[CurvePoint, ...]
    measured: tuple[int, ...]


@final
class Advice(_Shown):
    """Whether distilling is worth it: what it reaches, what real images reach, and how many of them do the same.

    A number that the measurements do not support is null, and `reasons` says why.
    """

    object: Literal["advice"] = "advice"
    job: str | None = Field(default=None, description="The job that measured; its files hold the measurements.")
    dataset: str
    dataset_title: str = ""
    labels: Literal["hard", "soft"]
    level: float = Field(default=LEVEL, description="Share of the results that intervals are to hold.")
    verdict: Verdict = Field(description="'undecided' where the measurements do not tell.")
    sentence: str = Field(description="The advice in one sentence.")
    reasons: tuple[str, ...] = Field(description="What it rests on, and what is not said for which reason.")
    ipc: int | None = Field(description="Distilled images a class that it speaks of; the smallest that reach a target.")
    needed: Count | None = Field(description="The same with its interval, where a target was given.")
    distilled: Estimate | None = Field(description="Test accuracy with so many distilled images a class.")
    random: Estimate | None = Field(description="Test accuracy with as many random real images a class.")
    equal: Count | None = Field(description="Random real images a class that reach the same.")
    request: dict[str, Any] | None = Field(
        default=None, description="The body of POST /v1/jobs that distils them as the pilots did."
    )
    seconds: float | None = Field(default=None, description="What distilling them takes here, where that is known.")
    method: str
    network: str
    measured_seconds: float
    curves: tuple[Line, ...]
