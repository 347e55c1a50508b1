"""The fields in which jobs beside each other differ, and those alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

from api.dashboard.figures import NOTHING

Fields = Mapping[str, Any]
Line = tuple[str, tuple[str, ...]]
"""A field's path, and its value in each recipe."""

_ABSENT: Final = object()


@final
@dataclass(frozen=True)
class Difference:
    """The fields that every recipe has, with other values; those that only some have; how many are the same in all."""

    changed: tuple[Line, ...]
    partial: tuple[Line, ...]
    same: int


def difference(recipes: Sequence[Fields]) -> Difference:
    """The difference of recipes, each as JSON, in the order of their fields."""
    flat = [dict(_flat("", recipe)) for recipe in recipes]
    changed, partial, same = list[Line](), list[Line](), 0
    for path in dict.fromkeys(path for each in flat for path in each):
        values = [each.get(path, _ABSENT) for each in flat]
        if all(value == values[0] for value in values):
            same += 1
            continue
        line = (path, tuple(NOTHING if value is _ABSENT else _spelt(value) for value in values))
        (partial if _ABSENT in values else changed).append(line)
    return Difference(tuple(changed), tuple(partial), same)


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping) or not value:
        yield path, value
        return
    for name, each in value.items():
        yield from _flat(f"{path}.{name}" if path else name, each)


def _spelt(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
