"""Column types that behave alike on SQLite and PostgreSQL, the texts that both hold, and the columns of lists."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, final

from sqlalchemy import JSON, DateTime, Dialect
from sqlalchemy.types import TypeDecorator

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""Characters that no text column holds: neither database takes half a surrogate pair, PostgreSQL takes no NUL."""


UNMEASURED: Final = -1.0
"""The accuracy of a job that has none yet: in an order by accuracy such jobs come last."""


def accuracy_of(metrics: dict[str, Any] | None) -> float:
    """The mean test accuracy of the distilled images, as the engine's metrics tell it."""
    found: Any = metrics
    for name in ("results", "distilled", "accuracy_mean"):
        found = found.get(name) if isinstance(found, dict) else None
    return float(found) if isinstance(found, int | float) and math.isfinite(found) else UNMEASURED


FILTERED: Final = ("dataset", "dataset_title", "method", "owner", "status", "searched")
"""The columns that lists are filtered by: to find what few jobs have, an index is read and no job's documents."""


def filtered_after(*columns: str) -> list[str]:
    """Those of an index that begins with some columns: all the others."""
    return [column for column in FILTERED if column not in columns]


def among(column: str, values: Iterable[str]) -> str:
    """The SQL by which a column has one of these values."""
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"


def storable(word: str | None) -> bool:
    """Whether a text column could hold it: what none can hold is found nowhere."""
    return word is None or _UNSTORABLE.search(word) is None


@final
class Instant(TypeDecorator[datetime]):
    """A moment: aware in, aware and UTC out. SQLite keeps it as UTC text that sorts as time does."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        assert value.tzinfo is not None, f"{value} has no time zone"
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


@final
class JsonDocument(TypeDecorator[dict[str, Any]]):
    """A JSON object kept as text, in the order it was written, which PostgreSQL's binary JSON forgets.

    A library's error message may contain NUL characters, and a name half a surrogate pair. They are replaced by U+FFFD:
    PostgreSQL would keep the document as it is, and then fail every statement that asks for a part of it.
    """

    impl = JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: dict[str, Any] | None, dialect: Dialect) -> Any:
        return None if value is None else _readable(value)


def _readable(value: Any) -> Any:
    """The same document with null where a float is not finite, which JSON cannot say (a diverged loss is NaN).

    In place of characters that no text column holds there is U+FFFD, in keys as well.
    """
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {_readable(key): _readable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(item) for item in value]
    return value
