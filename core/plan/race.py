"""A race of recipes under a budget as data, and its decisions: successive halving by shares of time.

Every candidate distils for its share of a round and is judged by networks that are trained on its images and tested on
the validation split. After a round the better half goes on, each from where it was; the rest of the time is for
whatever promises most by its end. Real images, which take no steps, are judged once and stay in the comparison.

The next turn follows from the turns so far and from nothing else, so that a race that was interrupted goes on to equal
decisions. Jamieson & Talwalkar 2016 (successive halving); here a round's resource is seconds.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Final, final

from pydantic import BaseModel, ConfigDict, Field

from core.recipe import Recipe

SHARES: Final = (0.2, 0.15)
"""The shares that the candidates of a round have together, of the time to distil; the rest of it is the leader's."""

LOOKS: Final = 3
"""Turns into which the rest of the time is divided; the set of each may be the result."""

_WORTH: Final = 0.05
"""Share of the race's time for which one more turn is worth its judging."""

_LEFT: Final = 0.25
"""Share of the time that is taken to be there to distil, whatever comes before the first steps."""

_LATE: Final = 0.35
"""Share of the time that is the leader's even where others wait for their turn: on a machine slower than foreseen."""

_SETUP: Final = 1.5
"""Times as long as foreseen that a candidate may take before its first step."""

_SHOWING: Final = 0.25
"""Share of what is foreseen before its first step that its first turn is longer by: dear experts are to be of use."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


@final
class Candidate(_Frozen):
    """A recipe that takes part, under the name of its method."""

    name: str
    recipe: Recipe
    setup: float = Field(default=0.0, description="Seconds foreseen before its first step: of experts, for instance.")

    @property
    def steps(self) -> int:
        """Its outer steps; 0 of real images."""
        return self.recipe.schedule.total_steps


@final
class LeftOut(_Frozen):
    """A method that takes no part."""

    name: str
    reason: str


@final
class Entrants(_Frozen):
    """The candidates of a race, real images first, and what it may take."""

    candidates: tuple[Candidate, ...] = Field(min_length=1)
    left_out: tuple[LeftOut, ...] = ()
    seconds: float = Field(gt=0, description="Of the race, the leader's rest and all judging included.")
    networks: int = Field(default=2, ge=1, description="Networks that judge a set.")
    epochs: int = Field(ge=1, description="Passes over the set that they are trained for.")
    judging: float = Field(default=0.0, description="Seconds foreseen for judging a set.")


@final
class Turn(_Frozen):
    """A candidate that is to distil for so many seconds more, after at most so many before its first step."""

    name: str
    round: int
    seconds: float
    before: float = 0.0


@final
class Trial(_Frozen):
    """A turn that was taken: where the candidate stood after it, and how its images did on the validation split."""

    name: str
    round: int
    step: int
    seconds: float = Field(description="Of the turn, judging included.")
    judging: float = Field(default=0.0, description="Seconds of it that judging took.")
    before: float = Field(default=0.0, description="Seconds of it before its first step.")
    validation: tuple[float, ...] = ()
    fault: str | None = Field(default=None, description="Why it goes no further; null while it may.")

    @property
    def mean(self) -> float:
        """Mean validation accuracy; nothing is below that of a set that was not judged."""
        return statistics.fmean(self.validation) if self.validation else float("-inf")

    @property
    def distilling(self) -> float:
        """Seconds of its steps."""
        return max(0.0, self.seconds - self.judging - self.before)


def passes(recipe: Recipe, epochs: int) -> int:
    """The epochs in which students of a recipe see as many images as others do in `epochs`: of tiles there are more."""
    return max(1, round(epochs / recipe.parameterize.formation))


def next_turn(entrants: Entrants, trials: Sequence[Trial]) -> Turn | None:
    """The turn after those that were taken; None where the race is over."""
    left = entrants.seconds - sum(trial.seconds for trial in trials)
    if trials and left <= 0:
        return None
    for round_, share in enumerate(SHARES):
        standing = in_round(entrants, trials, round_)
        if round_ and len(standing) < 2:
            break
        late = left < _LATE * entrants.seconds and bool(in_round(entrants, trials, round_ + 1))
        if (ahead := waiting(entrants, trials, round_)) and not late:
            return _turn(entrants, ahead[0], round_, share, standing)
    alone = sum(trial.round == len(SHARES) for trial in trials)
    leader = None if alone >= LOOKS else _leader(entrants, trials, left)
    if leader is None:
        return None
    return Turn(name=leader, round=len(SHARES), seconds=left / (LOOKS - alone))


def in_round(entrants: Entrants, trials: Sequence[Trial], round_: int) -> tuple[str, ...]:
    """The candidates of a round: all of them in the first one, then the better half of those of the round before.

    They are in the order of their turns. While a round goes on, the half is that of its turns so far.
    """
    if not round_:
        return tuple(candidate.name for candidate in entrants.candidates)
    by_now = [trial for trial in trials if trial.round < round_]  # what came later has not changed who went on
    taken = {trial.name for trial in by_now}
    standing = [name for name in in_round(entrants, trials, round_ - 1) if name in taken]
    able = going_on(entrants, by_now, standing)
    return able[: max(1, len(able) // 2)]


def waiting(entrants: Entrants, trials: Sequence[Trial], round_: int) -> tuple[str, ...]:
    """The candidates of a round whose turn in it is still to come, the next one first."""
    done = {trial.name for trial in trials if trial.round == round_}
    left = (name for name in in_round(entrants, trials, round_) if name not in done)
    return tuple(name for name in left if round_ or not too_late(entrants, trials, name))


def too_late(entrants: Entrants, trials: Sequence[Trial], name: str) -> bool:
    """Whether a candidate would not come to its first step in its time, either: another one did not, and this machine
    took so many times as long as foreseen for what comes before it."""
    setup = {candidate.name: candidate.setup for candidate in entrants.candidates}
    # one that diverged has no step, either, but may have come to its first one: then it has seconds before it
    missed = [trial for trial in trials if trial.fault and not trial.step and not trial.before and setup[trial.name]]
    pace = max((trial.seconds / setup[trial.name] for trial in missed), default=0.0)
    turn = _turn(entrants, name, 0, SHARES[0], tuple(setup))
    return pace * setup[name] > turn.before + turn.seconds and name not in {trial.name for trial in trials}


def further_turn(entrants: Entrants, trials: Sequence[Trial], seconds: float) -> Turn | None:
    """One more turn after the last, in so many seconds that turned out to be left; None where it is worth nothing."""
    leader = _leader(entrants, trials, seconds)
    if leader is None or seconds < _WORTH * entrants.seconds:
        return None
    return Turn(name=leader, round=len(SHARES), seconds=seconds)


def going_on(entrants: Entrants, trials: Sequence[Trial], names: Iterable[str]) -> tuple[str, ...]:
    """Those of the names that have steps left and no fault, the best first; of equals the earlier in the race."""
    last = {trial.name: trial for trial in trials}
    steps = {candidate.name: candidate.steps for candidate in entrants.candidates}
    able = [name for name in names if last[name].step < steps[name] and last[name].fault is None]
    return tuple(sorted(able, key=lambda name: -last[name].mean))


def _leader(entrants: Entrants, trials: Sequence[Trial], seconds: float) -> str | None:
    """The candidate that so many seconds are worth most to, or None where none can go on."""
    base = next((trial.mean for trial in trials if trial.validation), 0.0)
    able = going_on(entrants, trials, dict.fromkeys(trial.name for trial in trials))
    steps = {candidate.name: candidate.steps for candidate in entrants.candidates}
    own = {name: [trial for trial in trials if trial.name == name] for name in able}
    return max(able, key=lambda name: _promise(own[name], steps[name], base, seconds), default=None)


def _promise(turns: Sequence[Trial], steps: int, base: float, seconds: float) -> float:
    """The accuracy of a candidate after so many seconds more, if it goes on along the logarithm of its steps.

    Args:
        turns: its own.
        steps: the most that it takes.
        base: the accuracy of random images, where it began.
    """
    judged, step = [turn for turn in turns if turn.validation], turns[-1].step
    reached, spent = turns[-1].mean, sum(turn.distilling for turn in turns)
    if not turns[-1].validation or not step or not spent:
        return reached
    along = [0.0, *(math.log1p(turn.step) for turn in judged)]
    slope = statistics.linear_regression(along, [base, *(turn.mean for turn in judged)]).slope
    then = min(steps, step + step / spent * seconds)
    return reached + max(0.0, slope) * (math.log1p(then) - math.log1p(step))


def best(trials: Sequence[Trial], images: float = math.inf) -> int | None:
    """The place of the trial whose images did best, the first of equals; None where none was judged.

    Real images have to lead by more than the standard error of an accuracy on so many validation images: what is within
    it is undecided, and distilled images learn on (the rule of one standard error of Breiman et al. 1984).
    """
    judged = [place for place, trial in enumerate(trials) if trial.validation]
    first = max(judged, key=lambda place: trials[place].mean, default=None)
    distilled = max(
        (place for place in judged if trials[place].step), key=lambda place: trials[place].mean, default=first
    )
    if first is None or distilled is None:
        return first
    accuracy = trials[first].mean
    error = math.sqrt(max(0.0, accuracy * (1 - accuracy)) / images)
    return distilled if trials[distilled].mean >= accuracy - error else first


def _turn(entrants: Entrants, name: str, round_: int, share: float, standing: Sequence[str]) -> Turn:
    """An equal part of the round's time, and in the first one what comes before the first step."""
    optimised = [each for each in entrants.candidates if each.name in standing and each.steps]
    setup = next(each.setup for each in entrants.candidates if each.name == name) if round_ == 0 else 0.0
    time = max(_LEFT * entrants.seconds, entrants.seconds - sum(each.setup for each in entrants.candidates))
    seconds = share * time / max(1, len(optimised)) + _SHOWING * setup
    return Turn(name=name, round=round_, seconds=seconds, before=_SETUP * setup)
