"""The search for the smallest set that reaches a target: races at one size after the other, by the validation split."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, final

from core.engine import balance, evaluate, lines, stored
from core.engine.context import JobContext, follow
from core.engine.keys import Key
from core.engine.lane import Lane
from core.engine.winner import Enough, Winner
from core.engine.workspace import Drained
from core.plan import race, steps
from core.plan.race import Trial
from core.plan.sizing import Attempt, Probe, Sizes, Sizing, best, next_probe
from core.recipe import FullTraining
from core.report import Aim

_FILE: Final = "sizing.json"
_RANDOM: Final = "random"
_KEPT: Final = 3
"""Candidates of a size that take part at the next ones, beside random images."""
_QUICK: Final = 5
"""Epochs of the networks on everything where nobody says how many."""


class Racing(Protocol):
    """Races candidates as the context has it; with `compiles` the leader waits for a compiler."""

    def __call__(self, context: JobContext, step: steps.Race, enough: Enough, /, *, compiles: bool) -> Winner: ...


def sized(
    context: JobContext,
    asked: Sizing,
    sizes: Sizes,
    raced: Racing,
    clock: Callable[[], float] = time.monotonic,
) -> Winner:
    """Find the smallest set that reaches a target on the validation split; without one, the best set there was.

    Each trial that ended is in the checkpoint, and so is each race on its way: an attempt that follows goes on from
    there, to equal decisions. Once no time is left, the search is over.

    Args:
        context: the job, with a recipe that has everything that the candidates share.
        asked: the target and the time.
        sizes: the candidates of a size within so many seconds.
        raced: the winner of a race.
        clock: seconds.

    Raises:
        Drained: the job was told to stop.
    """
    document = stored.document(context.workspace.checkpoint(_FILE), {})
    tried = [Attempt.model_validate(each) for each in document.get("tried", [])]
    search = _Search(context, asked, sizes, raced, clock, tried, document.get("spent", 0.0), document.get("full", []))
    return search.won()


@final
@dataclass
class _Search:
    context: JobContext
    asked: Sizing
    sizes: Sizes
    raced: Racing
    clock: Callable[[], float]
    tried: list[Attempt]
    spent: float
    """Seconds of the trial that was interrupted."""
    full: list[float]
    """Validation accuracies of networks on everything, where the target is a share of the gap, and then the seconds."""

    def won(self) -> Winner:
        """Make the trials that are left, and find the result."""
        context = self.context
        context.journal.enter("racing", 100)
        if self.asked.gap and not self.full:
            self._measure_everything()
        taken = self.full[-1] if self.full else 0.0
        asked = self.asked.model_copy(update={"seconds": max(1.0, self.asked.seconds - taken)})
        while (probe := next_probe(asked, self.tried)) is not None and self._has_time(probe):
            self._try(probe)
        over = None if probe is None else context.workspace.ending()
        place = best(self.tried)
        chosen = self.tried[place]
        self._foresee(chosen.ipc)
        found = self._race(Probe(chosen.ipc, 1.0, chosen.longer), lambda trials: True)
        context.journal.recall(found.context.journal.curves())
        context.journal.progress(100, 100)
        balanced = context.recipe.evaluation.measure == "balanced"
        aim = Aim.of(self.asked, self.tried, place, self.everything, over, balanced=balanced)
        selection = f"{found.selection}; {chosen.ipc} images a class are {aim.chosen}"
        whole = replace(found.context, workspace=context.workspace, aim=aim)
        return replace(found, context=whole, selection=selection)

    @property
    def everything(self) -> float:
        """Mean validation accuracy of networks on everything; 0 where nobody needs it."""
        return statistics.fmean(self.full[:-1]) if self.full else 0.0

    @property
    def _telling(self) -> float:
        """Images of the validation split that tell one set from another."""
        return evaluate.telling(self.context.recipe.evaluation.measure, self.context.real.validation.labels)

    def _has_time(self, probe: Probe) -> bool:
        """Whether there is time for a trial so that its result can be evaluated, and the best one by now."""
        results = [self.tried[best(self.tried)].ipc] if self.tried else []
        self._foresee(max([probe.ipc, *results]))
        return not self.tried or self.context.workspace.time_left() > 0

    def _foresee(self, ipc: int) -> None:
        self.context.workspace.foresee("evaluating", self.sizes.evaluating(ipc))

    def _try(self, probe: Probe) -> None:
        began = self.clock() - self.spent
        level = [0.0]

        def enough(trials: Sequence[Trial]) -> bool:
            spent = sum(each.seconds for each in self.tried) + self.clock() - began
            self.context.journal.progress(min(99, int(100 * spent / self.asked.seconds)), 100)
            level[0] = self.asked.level(_random(trials), self.everything)
            polishing = any(each.ipc == probe.ipc and each.reached for each in self.tried)
            place = race.best(trials, self._telling)  # the result, which a better set of real images may not be
            return not polishing and place is not None and trials[place].mean >= level[0]

        try:
            found = self._race(probe, enough)
        except Drained:
            self.spent = self.clock() - began
            self._store()
            raise
        enough(found.trials)
        self.tried.append(_attempt(probe, found, self._telling, level[0], self.clock() - began))
        self.spent = 0.0
        self._store()
        last = self.tried[-1]
        word = "reached" if last.reached else "missed"
        self.context.journal.log(
            f"{probe.ipc} images a class: {last.mean:.1%} on the validation split by {last.method}, {level[0]:.1%} "
            f"{word}, in {last.seconds:.0f} s."
        )

    def _race(self, probe: Probe, enough: Enough) -> Winner:
        whole = self.context.workspace
        lane = Lane.of(whole, f"size-{probe.ipc}-{probe.longer}", lambda: False, whole.time_left)
        lane = replace(lane, crew=whole.crew)
        lane.journal.ahead = whole.journal.ahead  # what judging takes here tells what the evaluation will
        known = next((each.ranking for each in reversed(self.tried) if each.ranking), ())
        names = (_RANDOM, *known[:_KEPT]) if known else ()
        context = replace(self.context, ipc=probe.ipc, workspace=lane)
        entrants = self.sizes(probe.ipc, probe.seconds, names)
        return self.raced(context, steps.Race(entrants), enough, compiles=probe.longer > 0)

    def _measure_everything(self) -> None:
        context, real, began = self.context, self.context.real, self.clock()
        measure = context.recipe.evaluation.measure
        asked = context.recipe.evaluation.full
        if asked is None:
            asked = FullTraining(epochs=_QUICK, balance="loss" if measure == "balanced" else "none")
        keys = lines.keys(Key(0).fold("everything"), 2)
        labels = balance.supervision(real.train.labels, real.classes, asked.balance)
        protocol = evaluate.on_full(asked, context.recipe.augment)
        trained = follow(context, evaluate.train(context.kernels, real.train, labels, protocol, keys))
        self.full = [evaluate.measured(measure, context.kernels, each, real.validation) for each in trained]
        self.full.append(self.clock() - began)
        self._store()
        context.journal.log(f"Everything: {self.everything:.1%} on the validation split, in {self.full[-1]:.0f} s.")

    def _store(self) -> None:
        tried = [each.model_dump(mode="json") for each in self.tried]
        content = {"tried": tried, "spent": self.spent, "full": self.full}
        self.context.workspace.store(_FILE, stored.written(content))


def _random(trials: Sequence[Trial]) -> float:
    """Mean validation accuracy of random images; nothing is below that of none."""
    return next((each.mean for each in trials if each.name == _RANDOM), float("-inf"))


def _attempt(probe: Probe, found: Winner, images: float, level: float, seconds: float) -> Attempt:
    """The trial of a size, by the set that its race would publish (`race.best`, of so many validation images)."""
    judged = [each for each in found.trials if each.validation]
    place = race.best(judged, images)
    assert place is not None, "the first candidate is judged whatever the time"
    leader = judged[place]
    steps = {each.name for each in judged if each.step}
    means = {each.name: max(one.mean for one in judged if one.name == each.name) for each in judged}
    ranking = sorted((name for name in means if name != _RANDOM), key=lambda name: -means[name])
    return Attempt(
        ipc=probe.ipc,
        longer=probe.longer,
        seconds=seconds,
        level=level,
        method=leader.name,
        real=leader.name not in steps,
        validation=leader.validation,
        random=next((each.validation for each in judged if each.name == _RANDOM), ()),
        ranking=tuple(ranking) if steps else (),
    )
