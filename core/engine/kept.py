"""The one loop by which results that jobs share are found in the workspace, or made and kept there."""

from __future__ import annotations

from collections.abc import Callable, Container, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, TypeVar, final

from core.engine import stored
from core.engine.context import JobContext, follow
from core.engine.crew import Turns, order
from core.engine.evaluate import Trained
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
    workspace, journal = context.workspace, context.journal
    wanted = range(len(files) if most is None else min(most, len(files)))
    own = passing and context.only is None

    def find(name: str) -> Source | None:
        return (workspace.checkpoint(name) if own else None) or workspace.find(name)

    sources = [find(name) for name in files]
    there = ((index, source) for index in wanted if (source := sources[index]) is not None)
    found = {index: result for index, source in there if (result := making.read(source)) is not None}
    done, total = len(found) * making.units, len(wanted) * making.units
    if phase is not None:
        journal.enter(phase, total, skipped=done)
    if line := making.said(len(found)):
        journal.log(line)
    missing = [index for index in wanted if index not in found]
    if context.only is not None:
        parts = [*filter(None, [[index for index in missing if files[index] in context.only]])]
    else:
        parts = list(making.together(missing))

    def ordered(names: Sequence[str]) -> dict[str, Any]:
        for name, content in needs.items():
            if workspace.find(name) is None:
                workspace.keep(name, content(), beside=files)
        return order(context.recipe, kernels or context.kernels, told, names) | {"needs": [*needs]}

    turns = Turns(parts, files, workspace.crew if helped else None, ordered)

    def take() -> None:
        """Read what others have made."""
        for index in turns.others:
            source = None if index in found else workspace.find(files[index])
            if source is not None and (result := making.read(source)) is not None:
                found[index] = result

    try:
        for indices in _all(turns, take, parts, found):
            will_do = enough is not None and len(found) >= enough
            if will_do and workspace.time_left() <= 0:
                break
            done = len(found) * making.units
            if indices is None:
                (context.hurried if will_do else context).raise_if_draining()
                if say is not None:
                    say(done / total)
                elif phase is not None:
                    journal.progress(done, total)
                continue
            now = len(indices) * making.units

            def tell(share: float, behind: int = done, now: int = now) -> None:
                turns.tell(share)
                if say is not None:
                    say((behind + share * now) / total)
                elif phase is not None:
                    journal.progress(behind + share * now, total)

            try:
                contents = follow(context.hurried if will_do else context, making.make(list(indices)), tell)
            except TimeUp:
                if will_do:
                    break
                raise
            for index, content in zip(indices, contents, strict=True):
                if own:
                    workspace.store(files[index], content)
                found[index] = _read(making, content) if own else _kept(context, files, index, content, making)
    except TimeUp:
        turns.close()
        raise
    turns.close()  # but not where the job is to stop: what others are at serves when it goes on
    if turns.others:
        journal.log(f"Other workers made {len(turns.others)} of {len(missing)} results of this step.")
    if context.only is not None:
        raise PartMade
    if phase is not None:
        journal.progress(total, total)
    if own:
        for name in files:
            workspace.drop(name)
    return [found[index] for index in wanted if index in found]


def _all(
    turns: Turns, take: Callable[[], None], parts: Sequence[Sequence[int]], found: Container[int]
) -> Iterator[Sequence[int] | None]:
    """The turns, and then those of the parts that others made and that are not to be had."""
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


def _read(making: Making[T], content: bytes) -> T:
    found = making.read(content)
    assert found is not None, "what was made here is of use"
    return found


def _kept(context: JobContext, files: Sequence[str], index: int, content: bytes, making: Making[T]) -> T:
    # more than once only if another engine, which must make room too, was quicker to delete than we to map
    while True:
        context.workspace.keep(files[index], content, beside=files)
        source = context.workspace.find(files[index])
        if source is not None and (result := making.read(source)) is not None:
            return result
