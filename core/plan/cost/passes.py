"""A job's work in units of kernel calls: passes of so many networks over so many images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, final

from core.data import DatasetFacts
from core.data.split import held_out
from core.plan import limits
from core.plan.phases import Phase

Kernel = Literal["forward", "gradient", "adjoint", "data"]
"""A forward pass; a gradient; the adjoint of a step; what surrounds them: picking and augmenting a batch, updating."""


class Work(NamedTuple):
    """So many calls of a kernel in a phase, each for so many networks on so many images each."""

    phase: Phase
    kernel: Kernel
    calls: int
    images: int
    networks: int = 1
    by_kernels: bool = True
    """Whether a gradient is the one that kernels compute: the loss's, in the parameters."""
    teacher: bool = False
    """Whether the networks are the teacher's, not the recipe's own."""
    tests: bool = False
    """Whether a forward pass is one of a test, which kernels compute."""
    across: int | None = None
    """Which of the evaluation's other architectures the networks are of; None: of none."""

    @property
    def total(self) -> int:
        """Calls, had each been for one network."""
        return self.calls * self.networks


class Algebra(NamedTuple):
    """Work of a phase that no kernel does: seconds, and operations that take as long as those of a forward pass."""

    phase: Phase
    operations: float
    seconds: float = 0.0


Stack = Callable[[int], int]
"""How many networks the engine trains together on batches of that many images."""


@final
@dataclass(frozen=True)
class Sizes:
    """Images the engine will see: training and validation are the two parts of the source's training images."""

    train: int
    validation: int
    test: int
    classes: int
    synthetic: int

    @property
    def members(self) -> int:
        """Training images of a class, had all as many."""
        return max(self.train // self.classes, 1)

    @classmethod
    def of(cls, facts: DatasetFacts, ipc: int) -> Sizes:
        """One training image in ten is held out, class by class, and at least one of each class; or a source's own."""
        validation = facts.validation or max(held_out(facts.train_count), facts.classes)
        return cls(
            max(facts.train_count - validation, 1), validation, facts.test_count, facts.classes, ipc * facts.classes
        )


def training(
    phase: Phase, networks: int, epochs: int, n: int, batch: int, stack: Stack, gradients: int = 1
) -> Iterator[Work]:
    """So many networks, as many at a time as the engine takes, by so many gradients a step."""
    for stacks, together in batches(networks, stack(min(n, batch))):
        for calls, images in batches(n, batch):
            yield Work(phase, "gradient", gradients * stacks * epochs * calls, images, together)
            yield Work(phase, "data", stacks * epochs * calls, images, together)


def testing(phase: Phase, networks: int, n: int) -> Iterator[Work]:
    """So many trained networks, each asked what n images are."""
    for call in showing(phase, networks, n):
        yield call._replace(tests=True)


def showing(phase: Phase, networks: int, n: int) -> Iterator[Work]:
    """So many networks, each shown n images."""
    for calls, images in batches(n, limits.TESTED):
        yield Work(phase, "forward", networks * calls, images)


def batches(n: int, batch: int) -> list[tuple[int, int]]:
    """(calls, images) of one pass over n images."""
    whole, rest = divmod(n, batch)
    return [(calls, images) for calls, images in ((whole, batch), (1, rest)) if calls and images]
