"""How many of a synthetic set's images each class has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from core.recipe.component import Later

Share = Annotated[Literal["equal", "proportional"], Later(neutral="equal")]
"""Each class has ipc images, or as large a share of K * ipc as it has of the training images, and at least one."""

Counts = tuple[int, ...]
"""Images of each class, the classes in order; images of a set lie class by class."""


def equal(ipc: int, classes: int) -> Counts:
    """As many of each class."""
    return (ipc,) * classes


def counts(share: Share, ipc: int, members: Sequence[int]) -> Counts:
    """The images of each class of a set of K * ipc, where `members` are the training images of each.

    Proportional ones are by largest remainders (Hamilton's method), among equal ones the earlier class first. A class
    that would have less than one image has one, and the others share the rest in proportion. None is given more than
    its training images, unless the set has more than there are.
    """
    if share == "equal":
        return equal(ipc, len(members))
    small: set[int] = set()
    while True:
        rest = len(members) * ipc - len(small)
        among = sum(size for c, size in enumerate(members) if c not in small)
        below = {c for c, size in enumerate(members) if c not in small and rest * size < among}
        if not below:
            break
        small |= below
    # whole images and what remains of one, in units of 1 / among
    quotas = [(1, 0) if c in small else divmod(rest * size, among) for c, size in enumerate(members)]
    missing = len(members) * ipc - sum(whole for whole, _ in quotas)
    larger = sorted(range(len(members)), key=lambda c: (-quotas[c][1], c))[:missing]
    return tuple(whole + (c in larger) for c, (whole, _) in enumerate(quotas))
