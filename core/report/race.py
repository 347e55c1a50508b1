"""The race of a report: each candidate with its seconds and validation accuracy, and why it went no further."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Self, final

from core.plan import race
from core.plan.race import Candidate, Entrants, Trial
from core.report.section import Entry, Line, Measure, Section, Table


@final
class Judged(Entry):
    """The images of a candidate after some of its steps, and accuracies on the validation split."""

    step: int
    validation: tuple[float, ...]


@final
class Runner(Entry):
    """A candidate: the seconds it took, its steps of how many, and the outcome."""

    name: str
    seconds: float = 0.0
    steps: int = 0
    total_steps: int = 0
    looks: tuple[Judged, ...] = ()
    outcome: str = ""
    """Why it went no further; of the winner, that it won."""

    @property
    def best(self) -> Judged | None:
        """The look at which it did best."""
        return max(self.looks, key=lambda look: statistics.fmean(look.validation), default=None)


@final
class Race(Entry):
    """The search for a method under a budget, by the validation split alone."""

    winner: str
    seconds: float
    """All that the race took, the winner's rest included."""
    budget: float
    networks: int
    """Networks that judged each set."""
    epochs: int
    balanced: bool = False
    """Whether balanced accuracy decided, since classes are of unequal size."""
    real: bool = False
    """Whether the winner's images are real ones."""
    over: str | None = None
    """Why it ended before its last turn."""
    candidates: tuple[Runner, ...]

    @classmethod
    def of(
        cls, entrants: Entrants, trials: Sequence[Trial], winner: int, *, balanced: bool, over: str | None = None
    ) -> Self:
        """The entry on a race whose trial `winner` did best; `over` is why it ended before its last turn."""
        first = entrants.candidates
        runners = [_runner(candidate, entrants, trials, trials[winner].name) for candidate in first]
        runners += [Runner(name=each.name, outcome=f"Left out: {each.reason}") for each in entrants.left_out]
        return cls(
            winner=trials[winner].name,
            seconds=sum(trial.seconds for trial in trials),
            budget=entrants.seconds,
            networks=entrants.networks,
            epochs=entrants.epochs,
            balanced=balanced,
            real=not next(candidate for candidate in first if candidate.name == trials[winner].name).steps,
            over=over,
            candidates=tuple(runners),
        )

    def section(self) -> Section:
        """The section on the race."""
        measure = "Balanced accuracy" if self.balanced else "Accuracy"
        table = Table(
            heading="Candidate",
            columns=(f"{measure} on validation", "Seconds", "Steps", "Outcome"),
            lines=tuple(_line(runner, own=runner.name == self.winner) for runner in self._in_order),
        )
        return Section(name="race", title="How the method was chosen", measures=table, words=self.words)

    @property
    def words(self) -> tuple[str, ...]:
        """The paragraphs of the section."""
        of = "balanced accuracy" if self.balanced else "accuracy"
        how = (
            f"{self.winner} won. Each candidate distilled for a share of the time, and {self.networks} networks, "
            f"trained for {self.epochs} epochs on its images as 8 bits hold them, were tested on the validation split; "
            f"the better half by {of} went on, and the rest of the time was for those that promised most by its end, "
            "by their accuracies over the logarithm of their steps. The best set of all looks is the result. "
            f"The search took {self.seconds:,.0f} seconds; {self.budget:,.0f} were planned."
        )
        chosen = (
            "The test split chose nothing. Accuracies on the validation split are the largest of several, and so a "
            "little too high; those on the test split are not."
        )
        real = (
            "No distilled set did as well as real images in this time: the result is real images, chosen and not "
            "optimised.",
        )
        first = self._in_order[0]
        undecided = (
            f"{first.name} did better by less than the validation split can tell, and distilled images are preferred "
            "to real ones where that is so.",
        )
        more = real if self.real else undecided if first.best is not None and first.name != self.winner else ()
        return (how, *more, *((self.over,) if self.over else ()), chosen)

    @property
    def _in_order(self) -> list[Runner]:
        """The best first, those that were never judged last."""
        return sorted(self.candidates, key=lambda runner: -_mean(runner))


def _mean(runner: Runner) -> float:
    return statistics.fmean(runner.best.validation) if runner.best else -1.0


def _line(runner: Runner, *, own: bool) -> Line:
    look = runner.best
    accuracy = None
    if look is not None:
        spread = statistics.stdev(look.validation) if len(look.validation) > 1 else None
        accuracy = Measure(value=statistics.fmean(look.validation), deviation=spread, n=len(look.validation))
    steps = f"{runner.steps:,} of {runner.total_steps:,}" if runner.total_steps else None
    seconds = Measure(value=round(runner.seconds), unit="count") if runner.seconds else None
    return Line(title=runner.name, own=own, cells=(accuracy, seconds, steps, runner.outcome or None))


def _runner(candidate: Candidate, entrants: Entrants, trials: Sequence[Trial], winner: str) -> Runner:
    mine = [trial for trial in trials if trial.name == candidate.name]
    looks = tuple(Judged(step=trial.step, validation=trial.validation) for trial in mine if trial.validation)
    return Runner(
        name=candidate.name,
        seconds=sum(trial.seconds for trial in mine),
        steps=max((trial.step for trial in mine), default=0),
        total_steps=candidate.steps,
        looks=looks,
        outcome=_outcome(candidate, entrants, trials, mine, winner),
    )


def _outcome(
    candidate: Candidate, entrants: Entrants, trials: Sequence[Trial], mine: Sequence[Trial], winner: str
) -> str:
    """Why a candidate went no further."""
    fault = next((trial.fault for trial in mine if trial.fault), None)
    if candidate.name == winner:
        return f"Won; then: {fault}" if fault else "Won."
    if fault:
        return f"Dropped: {fault}"
    if not mine and race.too_late(entrants, trials, candidate.name):
        return "Left out: on this machine, what comes before its first step took others longer than it has."
    if not mine:
        return "The race was over before its turn."
    if not candidate.steps:
        return "Real images: judged once."
    rest = [trial for trial in trials if trial.round == len(race.SHARES)]
    if mine[-1] in rest:
        whole = all(trial.name == candidate.name for trial in rest)
        return f"It had {'' if whole else 'a part of '}the rest of the time, and did not do better."
    if mine[-1].step >= candidate.steps:
        return "It took all of its steps."
    last = mine[-1].round
    following = race.in_round(entrants, trials, last + 1)
    if candidate.name in following:
        if rest and (len(following) < 2 or last + 1 == len(race.SHARES)):
            return "It was in the better half, but the rest of the time was for what promised more by its end."
        return "The race was over before its next turn."
    if race.waiting(entrants, trials, last) and not any(trial.round > last for trial in trials):
        return "The race was over before its next turn."  # nothing is dropped until a round is over
    return f"Dropped after round {last + 1}: it was not in the better half."
