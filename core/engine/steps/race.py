"""The racing phase: candidates distil in turns under a budget, and the validation split decides."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final, final

import torch

from core.engine import checkpoint, distill, evaluate, jury, relabel, stored
from core.engine.context import JobContext, KernelPlan
from core.engine.distill import Diverged
from core.engine.evaluate import Replays
from core.engine.jury import Jury
from core.engine.keys import Key
from core.engine.lane import Lane
from core.engine.planner import Planning
from core.engine.state import State
from core.engine.teacher import Teacher, TeacherAtChance
from core.engine.view_labels import Replay
from core.engine.winner import Enough, Winner, never
from core.engine.workspace import Drained
from core.plan import race, steps
from core.plan.race import Candidate, Entrants, Trial, Turn
from core.report import Race

_FILE: Final = "race.json"

Prepared = tuple[JobContext, Teacher | None]
"""A job before its first outer step: with what was searched for, its experts in the cache, and its teacher."""


def raced(
    context: JobContext,
    step: steps.Race,
    prepare: Callable[[JobContext], Prepared],
    distil: Callable[[JobContext, Teacher | None], State],
    plan: Planning,
    clock: Callable[[], float] = time.monotonic,
    enough: Enough = never,
) -> Winner:
    """Race candidates, and return the set that did best on the validation split, be it of real images.

    Each turn that ended is in the checkpoint, and each candidate's loop has a checkpoint of its own: an attempt that
    follows goes on from there, to equal decisions. Once no time is left, what is best by then is the result.

    Args:
        context: the job, with a recipe that has everything that the candidates share.
        step: the candidates and their time.
        prepare: everything that the context's recipe has done before it distils.
        distil: the best state of a job that was prepared, from where its checkpoint ends.
        plan: the kernels of a recipe. Compiling takes a while: only the leader and those with experts wait for that.
        clock: seconds.
        enough: whether the turns so far suffice, so that there is no other.

    Raises:
        Drained: the job was told to stop.
    """
    return _Race(context, step, prepare, distil, plan, clock, enough).won()


@final
class _Race:
    def __init__(
        self,
        context: JobContext,
        step: steps.Race,
        prepare: Callable[[JobContext], Prepared],
        distil: Callable[[JobContext, Teacher | None], State],
        plan: Planning,
        clock: Callable[[], float],
        enough: Enough,
    ) -> None:
        self._context, self._workspace, self._enough = context, context.workspace, enough
        self._prepare, self._distil, self._plan, self._clock = prepare, distil, plan, clock
        document = stored.document(self._workspace.checkpoint(_FILE), {})
        # an earlier attempt's, since the machine may be thought faster or slower by now
        self._entrants = Entrants.model_validate(document["entrants"]) if document else step.entrants
        self._trials = [Trial.model_validate(each) for each in document.get("trials", [])]
        self._spent = float(document.get("spent", 0.0))  # in the turn that was interrupted
        self._before: float | None = document.get("before")  # its first step in this turn, if it came to one
        self._ready: dict[str, Prepared] = {}
        self._plans: dict[str, tuple[bool, KernelPlan]] = {}
        """Kernels by candidate, and whether a compiler was waited for."""

    def won(self) -> Winner:
        """Take the turns that are left, and find the winner."""
        self._context.journal.enter("racing", 100)
        self._tell_pace()
        while (turn := self._next()) and self._has_time():
            self._take(turn)
        place = self._best()
        assert place is not None, "the first candidate is judged whatever the time"
        trial = self._trials[place]
        candidate = self._candidate(trial.name)
        lane = Lane.of(self._workspace, candidate.name, lambda: False)
        context, taught = self._prepared(candidate, lane)
        state = checkpoint.load(self._workspace.checkpoint(_kept(place)), context.run, context.real.device)
        assert state is not None, "the best state is kept"
        self._context.journal.recall(stored.document(lane.checkpoint("curves.json"), []))
        self._context.journal.progress(100, 100)
        over = None if turn is None else self._workspace.ending()
        balanced = context.recipe.evaluation.measure == "balanced"
        entry = Race.of(self._entrants, self._trials, place, balanced=balanced, over=over)
        after = f" after step {trial.step:,} of {candidate.steps:,}" if candidate.steps else ""
        selection = f"{candidate.name}{after}, the best of {len(self._trials)} looks of a race on the validation split"
        whole = replace(context, workspace=self._workspace, race=entry)
        return Winner(whole, taught, state, selection, tuple(self._trials))

    def _next(self) -> Turn | None:
        """The next turn; after the last one of the plan those that there turns out to be time for."""
        if self._enough(self._trials):
            return None
        turn = race.next_turn(self._entrants, self._trials)
        if turn is None and self._trials:
            spare = self._workspace.spare()
            turn = None if math.isinf(spare) else race.further_turn(self._entrants, self._trials, spare)
            if turn is not None:
                taken = sum(trial.seconds for trial in self._trials)
                self._workspace.lengthen("racing", max(1.0, (taken + spare) / self._entrants.seconds))
        return turn

    def _best(self) -> int | None:
        """The place of the trial that would win now."""
        measure = self._context.recipe.evaluation.measure
        return race.best(self._trials, evaluate.telling(measure, self._context.real.validation.labels))

    def _has_time(self) -> bool:
        return not self._trials or self._workspace.time_left() > 0

    def _take(self, turn: Turn) -> None:
        """Let a candidate distil until its turn is over, and judge its images."""
        candidate, began, first = self._candidate(turn.name), self._clock() - self._spent, not self._trials
        alone = turn.round == len(race.SHARES) and candidate.steps > 0
        judging = self._trials[-1].judging if self._trials else 0.0
        # where experts are trained first, compiling costs less than it saves, whoever wins
        self._kernels(candidate, waits=alone or (candidate.setup > 0 and candidate.steps > 0))
        seconds = max(0.0, turn.seconds - (judging if alone else 0.0))
        most = math.inf if first else turn.before + seconds

        def is_over() -> bool:
            if self._before is None and lane.journal.phase == "distilling":
                self._before = self._clock() - began
            # whatever came before the first step is of use only if steps follow
            limit = most if self._before is None or first else self._before + seconds
            return self._is_over(began, began + limit, judging, first=first)

        lane = Lane.of(self._workspace, candidate.name, is_over)
        state, validation, fault, judged = None, tuple[float, ...](), None, 0.0
        try:
            state, fault = self._stretched(candidate, lane)
            if state is not None:
                started = self._clock()
                validation, alone_takes = self._judge(candidate, state, first=first)
                judged = max(self._clock() - started, alone_takes)  # others need not be there the next time
        except (Diverged, TeacherAtChance, MemoryError, torch.OutOfMemoryError) as error:
            fault = str(error) or "It took more memory than there is."
        except Drained:
            if self._workspace.should_stop():
                self._spent = self._clock() - began
                self._store()
                raise
            if self._workspace.crew is not None:  # what others were at for this turn serves nothing
                self._workspace.crew.withdraw()
        trial = Trial(
            name=turn.name,
            round=turn.round,
            step=state.step if state else 0,
            seconds=self._clock() - began,
            judging=judged,
            before=self._before or 0.0,
            validation=validation,
            fault=fault,
        )
        self._record(trial, state)

    def _record(self, trial: Trial, state: State | None) -> None:
        before = self._best()
        self._trials.append(trial)
        self._tell_pace()
        self._spent, self._before, place = 0.0, None, self._best()
        if place is not None and place != before:
            assert state is not None, "an image that was judged is of a state"
            self._workspace.store(_kept(place), checkpoint.packed(state, self._context.run))
        self._store()
        if before is not None and place != before:
            self._workspace.drop(_kept(before))
        steps = f" after {trial.step:,} steps" if trial.step else ""
        told = f"{trial.mean:.1%} on the validation split{steps}" if trial.validation else trial.fault or "no time left"
        self._context.journal.log(f"{trial.name}: {told}, in {trial.seconds:.0f} s.")

    def _tell_pace(self) -> None:
        """Say how many times as long as foreseen judging takes: the evaluation will, too.

        The quicker of the last two counts, since the first one of all finds nothing warm.
        """
        took = [trial.judging for trial in self._trials if trial.validation][-2:]
        if len(took) > 1 and self._entrants.judging:
            self._context.journal.ahead["evaluating"] = min(took) / self._entrants.judging

    def _store(self) -> None:
        trials = [trial.model_dump(mode="json") for trial in self._trials]
        now = {"spent": self._spent, "before": self._before}
        document = {"entrants": self._entrants.model_dump(mode="json"), "trials": trials, **now}
        self._workspace.store(_FILE, stored.written(document))

    def _is_over(self, began: float, limit: float, judging: float, *, first: bool) -> bool:
        """Whether a turn has ended, so that what is left of it is enough to judge the images."""
        now = self._clock()
        spent = sum(trial.seconds for trial in self._trials) + now - began
        self._context.journal.progress(min(99, int(100 * spent / self._entrants.seconds)), 100)
        return now >= limit or (not first and self._workspace.time_left() <= judging)

    def _kernels(self, candidate: Candidate, *, waits: bool = False) -> KernelPlan:
        """A candidate's kernels, decided on once, and once more where they are to wait for a compiler at last."""
        waited, known = self._plans.get(candidate.name, (False, None))
        if known is None or (waits and not waited):
            known = self._plan(candidate.recipe, waits=waits)
            self._plans[candidate.name] = waits, known
        return known

    def _stretched(self, candidate: Candidate, lane: Lane) -> tuple[State | None, str | None]:
        """The state at the end of a turn; none, and why, of a candidate that did not come to its first step."""
        try:
            context, taught = self._prepared(candidate, lane)
            return self._distil(context, taught), None
        except Drained:
            if self._workspace.should_stop():
                raise
        state = checkpoint.load(lane.checkpoint("state.safetensors"), self._context.run, self._context.real.device)
        return state, None if state else "It did not come to its first step in its time."

    def _prepared(self, candidate: Candidate, lane: Lane) -> Prepared:
        if candidate.name not in self._ready:
            own = replace(self._context, recipe=candidate.recipe, workspace=lane, plan=self._kernels(candidate))
            self._ready[candidate.name] = self._prepare(own)
        context, taught = self._ready[candidate.name]
        return replace(context, workspace=lane, plan=self._kernels(candidate)), taught

    def _judge(self, candidate: Candidate, state: State, *, first: bool) -> tuple[tuple[float, ...], float]:
        """Accuracies on the validation split of networks trained on the images as 8 bits hold them, and their seconds.

        Other workers may make some of them.

        Raises:
            Drained: the job was told to stop, or there is no time left and others were judged.
        """
        whole = self._workspace
        lane = replace(Lane.of(whole, candidate.name, lambda: not first and whole.time_left() <= 0), crew=whole.crew)
        context, taught = self._prepared(candidate, lane)
        epochs = race.passes(context.recipe, self._entrants.epochs)
        evaluation = context.recipe.evaluation.model_copy(update={"epochs": epochs})
        context = replace(context, recipe=context.recipe.model_copy(update={"evaluation": evaluation}))
        real, result = context.real, distill.finish(context.recipe, state, context.real, context.ipc)
        if taught is not None:
            result = relabel.labelled(context, taught, result, context.key.fold("relabel"))
        rounded = result.rounded if result.stored is None else result.images
        shown = rounded if result.views is None else Replays((Replay(rounded, result.views),))
        protocol = replace(evaluate.on_result(context.recipe, result), temperature=result.temperature)
        keys = tuple(Key(0).fold("race", place) for place in range(self._entrants.networks))
        judges = Jury(shown, result.supervision(real.classes), protocol, keys, split="validation")
        found, seconds = jury.validated(context, judges)
        return tuple(found), seconds

    def _candidate(self, name: str) -> Candidate:
        return next(candidate for candidate in self._entrants.candidates if candidate.name == name)


def _kept(place: int) -> str:
    """The file of the state of a trial."""
    return f"race-{place}.safetensors"
