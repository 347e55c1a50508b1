"""The report of a finished job as a page shows it: accuracies with their intervals, classes, confusions."""

from __future__ import annotations

import json
import math
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
_T: Final = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)
"""97.5 % quantiles of Student's t by degrees of freedom, from 1."""


@final
@dataclass(frozen=True)
class Line:
    """One line of the report: a mean accuracy and its 95 % confidence interval over networks, if there were several."""

    name: str
    words: str
    images: int
    network: str
    seeds: int
    mean: float
    std: float | None
    reach: float | None
    """Half the width of the interval."""

    @property
    def low(self) -> float:
        """Where the interval begins, within 0 and 1."""
        return max(0.0, self.mean - (self.reach or 0.0))

    @property
    def high(self) -> float:
        """Where it ends."""
        return min(1.0, self.mean + (self.reach or 0.0))

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Line:
        """A row of the report."""
        seeds = int(row.get("n_seeds") or len(row.get("accuracies") or [0]))
        std = float(row["accuracy_std"]) if seeds > 1 else None
        return cls(
            name=str(row.get("name", "")),
            words=LINES.get(str(row.get("name", "")), str(row.get("name", "")).replace("_", " ")),
            images=int(row.get("images") or 0),
            network=str(row.get("network", "")),
            seeds=seeds,
            mean=float(row["accuracy_mean"]),
            std=std,
            reach=None if std is None else quantile(seeds - 1) * std / math.sqrt(seeds),
        )


def quantile(freedom: int) -> float:
    """The 97.5 % quantile of Student's t distribution; of many degrees of freedom by its expansion at the normal's."""
    if freedom <= len(_T):
        return _T[freedom - 1]
    z = 1.959964
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def lines(report: Mapping[str, Any]) -> list[Line]:
    """The report's lines in the order of `LINES`."""
    order = {name: place for place, name in enumerate(LINES)}
    rows = sorted(report.get("results", ()), key=lambda row: order.get(row.get("name"), len(order)))
    return [Line.of(row) for row in rows]


def levels(report: Mapping[str, Any]) -> tuple[Level, ...]:
    """What networks trained on random images and on everything score on the validation split, as far as it is known."""
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
