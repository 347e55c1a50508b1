"""Classes that would vanish with the broken files that are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from core.data.facts import DatasetInvalid
from core.data.folders.faults import NAMED, quoted
from core.data.folders.words import Split

Placed = tuple[Split | None, str]
"""A picture's split, where the archive has one, and its class."""


def check_losses(before: Iterable[Placed], after: Iterable[Placed]) -> None:
    """Refuse to go on without classes of which no picture is left, in all or in one split.

    Args:
        before: the pictures that an archive has.
        after: those of them that can be taken.

    Raises DatasetInvalid, which names the classes.
    """
    had, left = Counter(map(_place, before)), Counter(map(_place, after))
    lost = sorted(had.keys() - left.keys())
    if not lost:
        return
    kept = {label for _, label in left}
    gone = Counter({label: sum(had[part, label] for part in (False, True)) for _, label in lost if label not in kept})
    told = [_listed(sorted(gone), gone)] if gone else []
    for is_test, where in ((False, "train"), (True, "test")):
        if names := [label for part, label in lost if part == is_test and label in kept]:
            counts = Counter({label: had[is_test, label] for label in names})
            told.append(f"{_listed(names, counts)} in {where}")
    if any(is_test for is_test, _ in had):
        needed = [("two or more in train", False), ("one or more in test", True)]
        save = " and ".join(words for words, is_test in needed if any(part == is_test for part, _ in lost))
    else:
        save = "three or more"
    labels = {label for _, label in lost}
    fix = f"save {save} of {'each' if len(labels) > 1 else 'it'} anew as PNG"
    if len(kept - labels) > 1:
        fix += f", or leave the class{'es' if len(labels) > 1 else ''} out altogether"
    raise DatasetInvalid(f"no picture that can be taken is left of {' and of '.join(told)}; {fix}")


def _place(placed: Placed) -> tuple[bool, str]:
    """Whether a picture is a test picture, and its class: those for validation are training pictures."""
    return placed[0] == "test", placed[1]


def _listed(names: Sequence[str], counts: Counter[str]) -> str:
    each = [f"{quoted(name)} (of {counts[name]:,})" for name in names[:NAMED]]
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f"the class{'es' if len(names) > 1 else ''} {', '.join(each)}{more}"
