"""Remarks on parts of a file that were left out, which know their names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Self, final

MOST_NAMED: Final = 100
"""Names of a remark that a finding keeps."""


@final
class LeftOut(str):
    """A remark that parts of a file were left out; `names` are theirs, and `number` says how many they are."""

    names: tuple[str, ...]
    number: int

    def __new__(cls, remark: str, names: Iterable[str], number: int | None = None) -> Self:
        """The remark; `number` is said where there are more parts than names, as rows of a table have none."""
        made = super().__new__(cls, remark)
        made.names = tuple(names)
        made.number = len(made.names) if number is None else number
        return made


def finding_of(remarks: Iterable[str]) -> list[dict[str, Any]]:
    """The parts that were left out by these remarks, as the finding of an inspection has them."""
    return [
        {"remark": str(each), "count": each.number, "names": list(each.names[:MOST_NAMED])}
        for each in remarks
        if isinstance(each, LeftOut)
    ]
