"""The one loop by which results that jobs share are found in the workspace, or made and kept there."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, TypeVar, final

from core.engine import stored
from core.engine.context import JobContext, follow
from core.engine.crew import Turns, order
from core.engine.evaluate import Trained
from core.engine.journal import Journal
from core.engine.kernels import Kernels
from core.engine.stored import Source
from core.engine.train import stack_for
from core.engine.workspace import PartMade, TimeUp
from core.plan.phases import Phase
from core.plan.steps import Kept

T = TypeVar("T")

Contents = Generator[float, None, Sequence[bytes]]
"""Work that yields the share of it that is done, and returns results as they are kept."""


@final
@dataclass(frozen=True)
class Making(Generic[T]):
    """How the results of a step are made, read again, and spoken of."""

    make: Callable[[list[int]], Contents]
    """The results of some numbers, together."""
    read: Callable[[Source], T | None]
    """A result that was kept; None where it is of no use to this job."""
    units: int = 1
    """How much of its phase's progress a result stands for."""
    said: Callable[[int], str | None] = lambda found: None
    """The log's line on how many were there."""
    together: Callable[[list[int]], Iterable[list[int]]] = lambda missing: ([index] for index in missing)
    """Which of those that are missing are made together."""


def gather(
    context: JobContext,
    files: Sequence[str],
    making: Making[T],
    phase: Phase | None = None,
    *,
    say: Callable[[float], None] | None = None,
    most: int | None = None,
    enough: int | None = None,
    helped: bool = False,
    told: Mapping[str, Any] = MappingProxyType({}),
    needs: Mapping[str, Callable[[], bytes]] = MappingProxyType({}),
    kernels: Kernels | None = None,
    passing: bool = False,
) -> list[T]:
    """The results of these names, in their order: those of the workspace, and the others once they are made.

    Each is kept as soon as it is there, and read back: a file that is mapped cannot be taken away any more.

    Args:
        context, files: the job, and a name for each result.
        making: how they come to be.
        phase: one that begins with them; None where they are part of another.
        say: told the share of what is made at a time, in the place of the phase's progress.
        most: only so many of them.
        enough: so many will do, whichever they are, once no time is left.
        helped: whether others may make some of them, which a plan of the recipe names.
        told: what an engine that helps has to know beside the recipe.
        needs: files that it has to have, by name; they are kept where others are asked.
        kernels: those that make them; by default the job's.
        passing: whether they are of no use to later jobs: what is made here is then in the checkpoint until all are.

    Raises:
        Drained: the job was told to stop.
        TimeUp: no time is left, and the context is `hurried`.
    """
    shelf = _Shelf(context, files, making, passing and context.only is None)
    wanted = range(len(files) if most is None else min(most, len(files)))
    found = shelf.there(wanted)
    missing = [index for index in wanted if index not in found]
    pace = _Pace(context.journal, phase, say, making.units, len(wanted))
    pace.begin(len(found))
    if line := making.said(len(found)):
        context.journal.log(line)

    def ordered(names: Sequence[str]) -> dict[str, Any]:
        for name, content in needs.items():
            if context.workspace.find(name) is None:
                context.workspace.keep(name, content(), beside=files)
        return order(context.recipe, kernels or context.kernels, told, names) | {"needs": [*needs]}

    if context.only is None:
        parts = list(making.together(missing))
    else:
        parts = [*filter(None, [[index for index in missing if files[index] in context.only]])]
    turns = Turns(parts, files, context.workspace.crew if helped else None, ordered)
    try:
        for indices in _all(turns, shelf, parts, found):
            will_do = enough is not None and len(found) >= enough
            if will_do and context.workspace.time_left() <= 0:
                break
            hurried = context.hurried if will_do else context
            if indices is None:
                hurried.raise_if_draining()
                pace.tell(len(found))
                continue

            def tell(share: float, behind: int = len(found), now: int = len(indices)) -> None:
                turns.tell(share)
                pace.tell(behind + share * now)

            try:
                contents = follow(hurried, making.make(list(indices)), tell)
            except TimeUp:
                if will_do:
                    break
                raise
            found |= {index: shelf.put(index, content) for index, content in zip(indices, contents, strict=True)}
    except TimeUp:
        turns.close()
        raise
    turns.close()  # but not where the job is to stop: what others are at serves when it goes on
    if turns.others:
        context.journal.log(f"Other workers made {len(turns.others)} of {len(missing)} results of this step.")
    if context.only is not None:
        raise PartMade
    pace.end()
    shelf.clear()
    return [found[index] for index in wanted if index in found]


@final
@dataclass(frozen=True)
class _Shelf(Generic[T]):
    """Where the results of a step lie: in the cache, or if `own` in the job's checkpoint until all are there."""

    context: JobContext
    files: Sequence[str]
    making: Making[T]
    own: bool

    def there(self, indices: Iterable[int]) -> dict[int, T]:
        """The results of these numbers that are to be had, by their numbers."""
        read = self.making.read
        # a list, so that all count as used before one is read
        sources = [(index, self._source(self.files[index])) for index in indices]
        return {index: found for index, source in sources if source is not None and (found := read(source)) is not None}

    def put(self, index: int, content: bytes) -> T:
        """A result that was made here, read back."""
        workspace, name = self.context.workspace, self.files[index]
        if self.own:
            workspace.store(name, content)
            found = self.making.read(content)
            assert found is not None, "what was made here is of use"
            return found
        # more than once only if another engine, which must make room too, was quicker to delete than we to map
        while True:
            workspace.keep(name, content, beside=self.files)
            source = workspace.find(name)
            if source is not None and (found := self.making.read(source)) is not None:
                return found

    def clear(self) -> None:
        """Nothing is left in the checkpoint of what is of no use later."""
        if self.own:
            for name in self.files:
                self.context.workspace.drop(name)

    def _source(self, name: str) -> Source | None:
        workspace = self.context.workspace
        return (workspace.checkpoint(name) if self.own else None) or workspace.find(name)


@final
@dataclass(frozen=True)
class _Pace:
    """How far a step is: told to `say`, or as the progress of its phase, or to nobody."""

    journal: Journal
    phase: Phase | None
    say: Callable[[float], None] | None
    units: int
    results: int

    def begin(self, made: int) -> None:
        """The phase begins, with so many results there."""
        if self.phase is not None:
            self.journal.enter(self.phase, self.results * self.units, skipped=made * self.units)

    def tell(self, made: float) -> None:
        """So many results are there, parts of some included."""
        if self.say is not None:
            self.say(made / self.results)
        elif self.phase is not None:
            self.journal.progress(made * self.units, self.results * self.units)

    def end(self) -> None:
        """All of the phase is done."""
        if self.phase is not None:
            self.journal.progress(self.results * self.units, self.results * self.units)


def _all(
    turns: Turns, shelf: _Shelf[T], parts: Sequence[Sequence[int]], found: dict[int, T]
) -> Iterator[Sequence[int] | None]:
    """The turns, and then those of the parts that others made and that are not to be had.

    What others have made is read into `found` before each turn that says so.
    """

    def take() -> None:
        found.update(shelf.there(index for index in turns.others if index not in found))

    for indices in turns:
        if indices is None:
            take()
        yield indices
    take()
    yield from filter(None, ([index for index in part if index not in found] for part in parts))


def network(
    context: JobContext, names: Kept, work: Generator[float, None, Trained], phase: Phase, steps: int, name: str
) -> Trained:
    """The network of a name: the workspace's, or what the work returns, which is kept there.

    `name` is what the log calls it, `steps` how many there are to its training.
    """

    def make(_: list[int]) -> Contents:
        return [stored.packed(stored.of((yield from work)))]

    making = Making(
        make,
        lambda source: stored.read(source, context.real.device),
        steps,
        lambda found: f"{name} was in the cache." if found else None,
    )
    (known,) = gather(context, names.files, making, phase)
    return stored.trained(known)


def together(context: JobContext, batch_size: int) -> int:
    """How many networks are trained at once."""
    return stack_for(context.network, min(batch_size, len(context.real.train)), context.real.device)


def stacks(count: int, size: int) -> Callable[[Sequence[int]], Iterator[list[int]]]:
    """The numbers, among those missing, that are made `size` at a time: `Making.together` of so many networks.

    The numbers alone decide, so that a job done again has the same.
    """

    def divided(missing: Sequence[int]) -> Iterator[list[int]]:
        for first in range(0, count, size):
            if indices := [index for index in missing if first <= index < first + size]:
                yield indices

    return divided


def at_once(measure: Callable[[], bytes]) -> Contents:
    """A result that says for itself how far it is."""
    yield 0.0
    return [measure()]
