"""The report of a finished job as a page shows it: accuracies with their intervals, classes, confusions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, final

import structlog

from api.dashboard.charts import Level
from api.house import House
from core.artifacts import MissingObject, Store
from core.ledger import File
from core.worth import Interval

log = structlog.stdlib.get_logger(__name__)

LINES: Final = {
    "distilled": "these images",
    "distilled_8bit": "these images, rounded to 8-bit pixels",
    "distilled_hard": "these images, one class each",
    "random": "as many random real images",
    "random_hard": "random real images, one class each",
    "ridge": "ridge regression on these images",
    "ridge_random": "ridge regression on random real images",
    "ridge_full": "ridge regression on everything",
    "full": "the whole training set",
    "teacher": "the teacher itself",
}
"""The lines of a report as a person reads them, in this order."""

_LARGEST: Final = 8 << 20  # bytes of a file of text that a page reads


@final
@dataclass(frozen=True)
class Line:
    """One line of the report: a mean accuracy and its 95 % confidence interval over networks, if there were several."""

    name: str
    words: str
    images: int
    network: str
    interval: Interval
    balanced: float | None = None
    """Balanced accuracy: the mean over classes, each counting alike; None in reports that do not tell it."""

    @property
    def mean(self) -> float:
        """Mean accuracy."""
        return self.interval.mean

    @property
    def seeds(self) -> int:
        """Networks."""
        return self.interval.seeds

    @property
    def reach(self) -> float | None:
        """Half the width of the interval."""
        return self.interval.reach

    @property
    def low(self) -> float:
        """Where the interval begins, within 0 and 1."""
        return self.interval.low

    @property
    def high(self) -> float:
        """Where it ends."""
        return self.interval.high

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Line:
        """A row of the report."""
        return cls(
            name=str(row.get("name", "")),
            words=LINES.get(str(row.get("name", "")), str(row.get("name", "")).replace("_", " ")),
            images=int(row.get("images") or 0),
            network=str(row.get("network", "")),
            interval=Interval.of(row),
            balanced=row.get("balanced_accuracy_mean"),
        )


@final
@dataclass(frozen=True)
class Largest:
    """The largest class of a test split whose classes are of unequal size, and its share."""

    name: str
    share: float


def largest(found: Mapping[str, Any] | None) -> Largest | None:
    """The largest class as a report or a job's metrics name it; None if all are of one size or none is named."""
    told = (found or {}).get("majority") or {}
    return Largest(str(told["class"]), float(told["share"])) if told.get("unequal") else None


def lines(report: Mapping[str, Any]) -> list[Line]:
    """The report's lines in the order of `LINES`."""
    order = {name: place for place, name in enumerate(LINES)}
    rows = sorted(report.get("results", ()), key=lambda row: order.get(row.get("name"), len(order)))
    return [Line.of(row) for row in rows]


def levels(report: Mapping[str, Any]) -> tuple[Level, ...]:
    """Validation accuracies of networks trained on random images and on everything, as far as they are known."""
    return tuple(
        Level(LINES[name], float(row["validation_mean"]), name)
        for name in ("random", "full")
        for row in report.get("results", ())
        if row.get("name") == name and row.get("validation_mean") is not None
    )


@final
@dataclass(frozen=True)
class Class:
    """A class, and the share of its test images that are recognised after training on these and on random images."""

    name: str
    share: float
    random: float | None


def classes(report: Mapping[str, Any]) -> list[Class]:
    """Every class of the report in the order of its labels; without random images where it does not tell the order."""
    shares: Mapping[str, float] = report.get("per_class", {})
    names = report.get("class_names")
    if names is None:
        return [Class(name, share, None) for name, share in shares.items()]
    random: Mapping[str, Any] = next((row for row in report.get("results", ()) if row.get("name") == "random"), {})
    beside = random.get("per_class_mean") or [None] * len(names)
    return [Class(name, shares[name], other) for name, other in zip(names, beside, strict=True)]


@final
@dataclass(frozen=True)
class Mistake:
    """How often images of one class are taken for another, as a share of the first one's."""

    true: str
    taken: str
    share: float


def mistakes(names: Sequence[str], confusion: Sequence[Sequence[float]], most: int = 12) -> list[Mistake]:
    """The commonest confusions; `confusion` counts by true class and by what it was taken for."""
    found = []
    for true, row in enumerate(confusion):
        total = sum(row) or 1
        found += [Mistake(names[true], names[to], n / total) for to, n in enumerate(row) if n and to != true]
    return sorted(found, key=lambda each: -each.share)[:most]


def document(house: House, file: File | None) -> dict[str, Any] | None:
    """A JSON file of an artifact; None where there is none, or the store does not give it out now."""
    words = text(house, file)
    if words is None:
        return None
    found = json.loads(words)
    return found if isinstance(found, dict) else None


def text(house: House, file: File | None) -> str | None:
    """A text file of an artifact; None where there is none, it is huge, or the store does not give it out now."""
    if file is None or file.bytes > _LARGEST:
        return None
    try:
        return _kept(house.store, file.sha256)
    except (MissingObject, OSError) as error:
        log.warning("artifact not readable", sha256=file.sha256, reason=str(error))
        return None


@lru_cache(maxsize=64)
def _kept(store: Store, sha256: str) -> str:
    with store.open(sha256) as source:
        return source.read().decode("utf-8")


def snippet(card: str | None) -> str | None:
    """The first piece of Python in an artifact's README: how to load it."""
    found = re.search(r"```python\n(.*?)```", card or "", re.DOTALL)
    return found[1].strip() if found else None
