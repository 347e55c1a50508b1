"""A step's parts, the results that are made together, shared with others who may make them at the same time.

The job offers what is left of a step once its first part shows that there is enough of it, and goes on making parts
itself: whoever is first makes the next one. It waits at the end alone, for parts that others still make.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, final

from core.engine.kernels import Compiled, Kernels
from core.plan.cache_names import name_of
from core.recipe import Recipe

_TELLING: Final = 0.5
"""Seconds of work before which it says nothing: the first steps are the slowest."""
_PAUSE: Final = 0.2
"""Seconds between two questions whether others are done."""


@final
@dataclass(frozen=True)
class Answer:
    """The next part to make here, None if there is none; whether others still make some; all parts that are made."""

    part: str | None
    waits: bool
    made: tuple[str, ...]


class Crew(Protocol):
    """Others who can make parts. One that does not answer costs nothing but its help."""

    @property
    def worth(self) -> float:
        """Seconds of work left above which others are asked."""

    def offer(self, parts: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Let others make these parts, each by its name and order, instead of all that were offered before."""

    def turn(self) -> Answer | None:
        """The part to make next; None where nobody answers."""

    def made(self, part: str) -> None:
        """A part is made here."""

    def withdraw(self) -> None:
        """No part is wanted of others any more."""


def order(recipe: Recipe, kernels: Kernels, told: Mapping[str, Any], files: Sequence[str]) -> dict[str, Any]:
    """All by which another engine, of a job of the same dataset, makes the same results to the same bits.

    `told` is what a step depends on beside the recipe.
    """
    compiled = [list(shape) for shape in sorted(kernels.used)] if isinstance(kernels, Compiled) else None
    return {"recipe": recipe.model_dump(mode="json"), "compiled": compiled, "files": list(files), **told}


@final
@dataclass
class Turns:
    """The parts to make here, one after the other: all of them, but for those that others make.

    An item is a part's numbers; None says that there is nothing to do here at the moment, and that `others` may have
    grown.
    """

    groups: Sequence[Sequence[int]]
    files: Sequence[str]
    crew: Crew | None
    order: Callable[[Sequence[str]], dict[str, Any]]
    clock: Callable[[], float] = time.monotonic
    wait: Callable[[float], None] = time.sleep
    others: list[int] = field(default_factory=list)
    """Numbers of the results that others have made."""
    _offered: dict[str, Sequence[int]] = field(default_factory=dict)
    _own: set[str] = field(default_factory=set)
    _open: bool = False
    _place: int = 0
    _began: float = 0.0

    def __iter__(self) -> Iterator[Sequence[int] | None]:
        self._began = self.clock()
        while self._place < len(self.groups) and not self._open:
            self._place += 1
            yield self.groups[self._place - 1]
        while self._open and self.crew is not None:
            answer = self.crew.turn()
            if answer is None or answer.part not in (None, *self._offered):
                # all that was offered is made here, whoever else may be at it, or whatever was offered before
                self._open = False
                yield from (group for name, group in self._offered.items() if name not in self._own)
                break
            made = {index for name in answer.made if name not in self._own for index in self._offered.get(name, ())}
            self.others.extend(sorted(made - set(self.others)))
            if answer.part is not None:
                self._own.add(answer.part)
                yield self._offered[answer.part]
                self.crew.made(answer.part)
                continue
            self._open = answer.waits
            yield None
            if answer.waits:
                self.wait(_PAUSE)

    def tell(self, share: float) -> None:
        """So much of the part at hand is done: where much is left behind it, others are asked."""
        if self.crew is None or self._open or self._offered:
            return
        rest, spent = self.groups[self._place :], self.clock() - self._began
        behind = sum(map(len, self.groups[: self._place - 1]))
        now = len(self.groups[self._place - 1])
        done = behind + share * now
        if not rest or done <= 0 or (spent < _TELLING and self.crew.worth > 0):
            return
        if spent / done * (sum(map(len, rest)) + (1 - share) * now) < self.crew.worth:
            return
        names = [[self.files[index] for index in group] for group in rest]
        self._offered = {name_of({"files": each}): group for each, group in zip(names, rest, strict=True)}
        self.crew.offer([(name, self.order(each)) for name, each in zip(self._offered, names, strict=True)])
        self._open = True

    def close(self) -> None:
        """Nothing more is wanted of others."""
        if self._open and self.crew is not None:
            self._open = False
            self.crew.withdraw()
