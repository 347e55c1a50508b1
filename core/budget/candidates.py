"""The candidates of a race: methods of the catalogue, each cut so that the forecast says that it can finish in time.

All have one student, that is one network, preprocessing, augmentation and evaluation, so that their accuracies on the
validation split compare and that what one of them trains on the real images serves the others.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

from pydantic import ValidationError

from core import methods
from core.budget.fit import Price, fit
from core.budget.ladders import LADDERS, NARROW
from core.data import DatasetFacts
from core.methods.automatic import SHARED
from core.plan import steps
from core.plan.build import plan
from core.plan.race import LOOKS, SHARES, Candidate, Entrants, LeftOut
from core.recipe import Recipe, RecipeError, SoftLabels
from core.request import JobRequest, check

RANDOM: Final = "random"
"""The first candidate: it needs nothing but the images, and is judged whatever the time."""

REAL: Final = ("k-means", "herding", "window")
"""Other methods that choose real images; what is distilled has to beat them."""

DISTILLED: Final = ("dm", "dsa", "mtt", "rat-bptt")
"""Methods whose images have a class each: of every family that has one, the one that does best."""

LABELLED: Final = ("frepo", "rded")
"""Methods whose labels say more than a class, targets of a regression or a teacher's: only where those are allowed."""

_TAUGHT: Final = ("relabel", "teacher")
"""Parts that a method with a teacher's labels has for itself."""
_LEARNING: Final = ("lr", "optimiser", "weight_decay", "schedule", "baseline_lrs")
"""Fields of its evaluation that it has for itself, too: classes and a teacher's labels are not learned alike."""

_STUDENT: Final = (0.3, 0.4, 0.5, 0.65, 0.8, 1.0)
"""Shares of the time for reading the data and for evaluating the result, its reference included: the first in which
that can be done."""
_MARGIN: Final = 0.03
"""Share of the time for packing, and for a turn that takes longer than its seconds."""
_DEAREST: Final = ("mtt", "dm")
"""Methods whose network, cut to the time, is that of all: the first one that can finish."""
_LARGE: Final = ("rat-bptt",)
"""Others that may take the most memory."""
WINNING: Final = 0.7
"""Share of a race's time that a winner has, all in all."""
_CUTS: Final = (WINNING, 0.6, 0.5, 0.42, 0.35, 0.3, 0.25, 0.2)
"""Shares of the race's time to which a candidate is cut: what a winner has, and less where too much comes first.

Of what then is left of a winner's time it gets its steps back.
"""
_CUTS_REAL: Final = (0.06, 0.045, 0.03)
"""The same of real images, which are chosen by networks, and judged once."""
_SETUP: Final = 0.3
"""Share of the race's time that may pass before a candidate's first step."""
_SETUPS: Final = 0.4
"""The same for all candidates together."""
_SETUPS_REAL: Final = 0.1
"""The same for real images: what is distilled from them is worth more in most cases."""
_DISPENSABLE: Final = ("window", "herding", "k-means", "mtt")
"""The order in which candidates are left out that need too much of it, all together."""
_FEWEST: Final = 5
"""Outer steps that a candidate takes in its first turn, at least: fewer say nothing."""
_LONGER: Final = 4
"""Times as many steps as its preset has that a candidate may take: its best look is chosen, not its last."""
_JUDGING: Final = 0.12
"""Share of the race's time that judging may take."""
_JUDGES: Final = ((3, 250), (2, 250), (2, 120))
"""Networks, and the steps of their training after which they say which images are better; the first that are cheap
enough. Of evaluations that have fewer steps, all."""


@final
@dataclass(frozen=True)
class Student:
    """The recipe with what all candidates share, what was given up for it, and the seconds that are left to race."""

    recipe: Recipe
    given_up: tuple[str, ...]
    seconds: float
    dearest: tuple[Candidate, ...] = ()
    """Candidates that may take the most memory, about as they will take part."""


def student(
    recipe: Recipe, facts: DatasetFacts, ipc: int, seconds: float, price: Price, fixed: Collection[str] = ()
) -> Student:
    """The recipe that all candidates of a job share, which is to end within so many seconds.

    Args:
        recipe: as method `auto` has it: random real images.
        facts, ipc: the job.
        seconds: from the attempt's start to the published result.
        price: seconds of a whole job.
        fixed: paths of fields that the client has set.

    Raises:
        RecipeError: not even random real images can be evaluated in that time; its fix names one in which they can.
    """
    dear = _dear(recipe, facts, ipc, seconds, price, fixed)
    recipe = _narrowed(recipe, [each.recipe for each in dear if each.name in _DEAREST])
    return judged(recipe, dear, facts, ipc, seconds, price, fixed)


def judged(
    recipe: Recipe,
    dear: Sequence[Candidate],
    facts: DatasetFacts,
    ipc: int,
    seconds: float,
    price: Price,
    fixed: Collection[str],
) -> Student:
    """The recipe with the evaluation that fits into its share of the time."""
    for share in _STUDENT:
        try:
            found = fit(recipe, facts, ipc, share * seconds, price, fixed)
            break
        except RecipeError:
            if share == _STUDENT[-1]:
                raise
    common = {"network": found.recipe.network, "evaluation": found.recipe.evaluation}
    dearest = (Candidate(name=each.name, recipe=each.recipe.model_copy(update=common)) for each in dear)
    return Student(found.recipe, found.given_up, max(1.0, (1 - _MARGIN) * seconds - found.seconds), tuple(dearest))


def unnamed(shared: Student) -> Entrants:
    """A race that takes the time and the memory of any: all that a forecast needs to know of it."""
    first = Candidate(name=RANDOM, recipe=shared.recipe)
    return Entrants(
        candidates=(first, *shared.dearest), seconds=round(shared.seconds, 1), epochs=shared.recipe.evaluation.epochs
    )


def entrants(
    shared: Student,
    facts: DatasetFacts,
    ipc: int,
    price: Price,
    fixed: Collection[str] = (),
    *,
    soft: bool = False,
    names: Collection[str] = (),
) -> Entrants:
    """The candidates that can finish, and why the others cannot; `soft` says that labels may say more than a class.

    Where there are `names`, those of another size that led there, no others take part.
    """
    return _Field(shared.recipe, facts, ipc, shared.seconds, price, frozenset(fixed)).entrants(soft, names)


def alone(
    shared: Student,
    facts: DatasetFacts,
    ipc: int,
    price: Price,
    name: str,
    recipe: Recipe,
    fixed: Collection[str] = (),
) -> Entrants:
    """The race of one method, by its `recipe` at this size, against random real images."""
    return _Field(shared.recipe, facts, ipc, shared.seconds, price, frozenset(fixed)).alone(name, recipe)


def _dear(
    recipe: Recipe, facts: DatasetFacts, ipc: int, seconds: float, price: Price, fixed: Collection[str]
) -> list[Candidate]:
    """The dearest candidates, as they are asked for by name in a winner's time; without those that cannot finish."""
    found = list[Candidate]()
    for name in (*_DEAREST, *_LARGE):
        try:
            asked = _shared(name, recipe, facts, ipc, fixed)
            fitted = fit(asked, facts, ipc, WINNING * seconds, price, fixed).recipe
        except (ValidationError, RecipeError):
            continue
        found.append(Candidate(name=name, recipe=fitted))
    return found


def _narrowed(recipe: Recipe, dearest: Sequence[Recipe]) -> Recipe:
    """The recipe with the network that the dearest candidate would have; too narrow a one only if all are.

    An evaluation alone affords a wider one, with which no candidate would come far. One narrower than what was measured
    costs all of them more than it gives to the dearest.
    """
    if not dearest:
        return recipe
    first, widest = dearest[0].network, max((each.network for each in dearest), key=_width)
    if _width(first) >= min(NARROW, _width(widest)):
        return recipe.model_copy(update={"network": first})
    return recipe.model_copy(update={"network": widest.model_copy(update={"width": min(NARROW, _width(widest))})})


def _width(network: Any) -> int:
    return int(getattr(network, "width", 0))


def _shared(name: str, shared: Recipe, facts: DatasetFacts, ipc: int, fixed: Collection[str]) -> Recipe:
    """A method's recipe with what all share; the rate of evaluation is the method's own, if the client sets none.

    A step size that a method learns is part of its result. So are a teacher's labels, one an image, and how networks
    learn from them.
    """
    return sharing(methods.method(name).recipe(task(facts, ipc)), shared, fixed)


def task(facts: DatasetFacts, ipc: int) -> methods.Task:
    """A job as the recipes of methods are made for it."""
    return methods.Task(facts.name, ipc, facts.shape, facts.classes, facts.mirroring.allowed, facts.unequal)


def sharing(recipe: Recipe, shared: Recipe, fixed: Collection[str]) -> Recipe:
    """A recipe with what all share, see `_shared`."""
    tree, own = recipe.model_dump(mode="json"), shared.model_dump(mode="json")
    taught = recipe.relabel.needs_teacher and not shared.relabel.needs_teacher
    tree |= {part: own[part] for part in SHARED if not (taught and part in _TAUGHT)}
    kept = {field for field in (_LEARNING if taught else ("lr",)) if f"evaluation.{field}" not in fixed}
    tree["evaluation"] = own["evaluation"] | recipe.evaluation.model_dump(mode="json", include=kept)
    if taught:
        tree["relabel"] = SoftLabels(temperature=recipe.relabel.temperature).model_dump(mode="json")
    tree["evaluation"] |= {"look_every": None, "select": "last"}  # the race itself looks
    return Recipe.model_validate(tree)


@final
@dataclass(frozen=True)
class _Field:
    shared: Recipe
    facts: DatasetFacts
    ipc: int
    seconds: float
    price: Price
    fixed: frozenset[str]

    def entrants(self, soft: bool, names: Collection[str]) -> Entrants:
        """All of them, or those of some names."""
        first = Candidate(name=RANDOM, recipe=_shared(RANDOM, self.shared, self.facts, self.ipc, self.fixed))
        found, left_out = [first], list[LeftOut]()
        for name in (*REAL, *DISTILLED, *LABELLED):
            if name in LABELLED and not soft:
                left_out.append(
                    LeftOut(name=name, reason="its labels say more than a class; labels are asked for as hard.")
                )
                continue
            if names and name not in names:
                left_out.append(LeftOut(name=name, reason="it did worse at another size."))
                continue
            match self._candidate(name):
                case Candidate() as candidate:
                    found.append(candidate)
                case str() as reason:
                    left_out.append(LeftOut(name=name, reason=reason))
        found, late = self._affordable(found)
        return self._race(found, [*left_out, *late])

    def alone(self, name: str, recipe: Recipe) -> Entrants:
        """Random real images, and one method where it can finish."""
        first = Candidate(name=RANDOM, recipe=_shared(RANDOM, self.shared, self.facts, self.ipc, self.fixed))
        found, left_out = [first], list[LeftOut]()
        match self._cut(name, recipe) if name != RANDOM else None:
            case Candidate() as candidate:
                found.append(candidate)
            case str() as reason:
                left_out.append(LeftOut(name=name, reason=reason))
        return self._race(found, left_out)

    def _race(self, found: Sequence[Candidate], left_out: Sequence[LeftOut]) -> Entrants:
        networks, epochs, judging = self._judging(found)
        return Entrants(
            candidates=tuple(found),
            left_out=tuple(left_out),
            seconds=round(self.seconds, 1),
            networks=networks,
            epochs=epochs,
            judging=round(judging, 3),
        )

    def _candidate(self, name: str) -> Candidate | str:
        """A method of the catalogue as a candidate."""
        return self._cut(name, methods.method(name).recipe(task(self.facts, self.ipc)))

    def _cut(self, name: str, recipe: Recipe) -> Candidate | str:
        """A candidate cut to the time that it may have; why there is none, if it cannot be cut so far."""
        try:
            recipe = sharing(recipe, self.shared, self.fixed)
            check(recipe, JobRequest(dataset=self.facts.name, method=name, ipc=self.ipc), self.facts)
        except (ValidationError, RecipeError) as error:
            return _first(error)
        base, refused = self.price(bare(self.shared)), ""
        for share in _CUTS_REAL if name in REAL else _CUTS:
            time = share * self.seconds
            try:
                fixed = (*(part for part in SHARED if part != "teacher"), *self.fixed)
                fitted = fit(bare(recipe), self.facts, self.ipc, base + time, self.price, fixed).recipe
            except RecipeError:
                return refused or f"it cannot finish in the {time:,.0f} seconds that it would have."
            setup, step = self._costs(fitted, base)
            if setup > _SETUP * self.seconds:
                refused = _too_late(setup)
                continue
            turn = SHARES[0] * self.seconds / len(DISTILLED)
            if step * _FEWEST > turn:
                return f"a step is foreseen to take {step:.1f} seconds, and its first turn {turn:,.0f}."
            whole = (_CUTS_REAL if name in REAL else _CUTS)[0] * self.seconds
            lasting = self._longer(fitted, recipe, whole - setup, step)
            return Candidate(name=name, recipe=lasting, setup=round(setup, 1))
        return refused

    def _longer(self, fitted: Recipe, preset: Recipe, seconds: float, step: float) -> Recipe:
        """The fitted recipe for as many steps as there is time for, with what all share.

        Those that were given up come back at most; of a recipe that has all of its own there may be several times as
        many, since its best look is chosen. Where a rate rises as steps become fewer, nothing is given back.
        """
        found, own = fitted.model_copy(update={"evaluation": preset.evaluation}), preset.schedule.steps
        count, rates = fitted.schedule.steps, (fitted.schedule.image_lr, preset.schedule.image_lr)
        if not count or not step or "schedule.steps" in self.fixed:
            return found
        paced = count < own and LADDERS[preset.objective.kind].paced and rates[0] != rates[1]
        most = count if paced else own if count < own else _LONGER * count
        longer = max(count, min(most, int(seconds / step) // found.schedule.stages.count))
        return found.model_copy(update={"schedule": found.schedule.model_copy(update={"steps": longer})})

    def _costs(self, recipe: Recipe, base: float) -> tuple[float, float]:
        """Seconds before the first outer step, and of one, beyond those of a job that only evaluates."""
        count, whole = recipe.schedule.steps, self.price(recipe) - base
        if count < 2:
            return max(0.0, whole), 0.0
        setups = []
        for other in (count // 2, 2 * count):  # kernels may be compiled for the larger number alone
            schedule = recipe.schedule.model_copy(update={"steps": other})
            priced = self.price(recipe.model_copy(update={"schedule": schedule})) - base
            setups.append(whole - count * (priced - whole) / (other - count))
        setup = max(0.0, min(setups))
        return setup, max(0.0, whole - setup) / count

    def _affordable(self, found: Sequence[Candidate]) -> tuple[list[Candidate], list[LeftOut]]:
        """Those that, all together, leave enough time to distil once they can begin to."""
        kept, late = list(found), list[LeftOut]()
        for name in _DISPENSABLE:
            costly = [candidate for candidate in kept if candidate.name == name and candidate.setup]
            real = self._setups([candidate for candidate in kept if not candidate.steps]) if name in REAL else 0.0
            if costly and (real > _SETUPS_REAL * self.seconds or self._setups(kept) > _SETUPS * self.seconds):
                kept.remove(costly[0])
                late.append(LeftOut(name=name, reason=_too_late(costly[0].setup)))
        return kept, late

    def _setups(self, candidates: Sequence[Candidate]) -> float:
        """Seconds before the first steps of all; what two of them need alike is made once."""
        once = {self._needed(candidate): candidate.setup for candidate in candidates}
        return sum(once.values())

    def _needed(self, candidate: Candidate) -> object:
        """The results that a candidate needs and jobs share, or itself."""
        parts = plan(candidate.recipe, self.facts, self.ipc).parts()
        keys = [key for part in parts for step in part.steps if step.phase != "evaluating" for key in steps.keys(step)]
        return frozenset(keys) or candidate.name

    def _judging(self, found: Sequence[Candidate]) -> tuple[int, int, float]:
        """The networks that judge a set, their epochs, and the seconds of all.

        The epochs are fewer than the evaluation's, where those tell sets apart.
        """
        evaluation, images = self.shared.evaluation, self.ipc * self.facts.classes
        short = self.shared.model_copy(update={"evaluation": evaluation.model_copy(update={"epochs": 1})})
        rates = len(evaluation.baseline_lrs)
        trained = 3 * evaluation.seeds + (rates if rates > 1 else 0)
        each = (self.price(self.shared) - self.price(short)) / max(1, evaluation.epochs - 1) / trained
        looks = len(found) + len(DISTILLED) // 2 + LOOKS
        for networks, steps_ in _JUDGES:
            epochs = min(evaluation.epochs, math.ceil(steps_ / math.ceil(images / evaluation.batch_size)))
            if looks * networks * epochs * each <= _JUDGING * self.seconds:
                break
        return networks, epochs, networks * epochs * each


def bare(recipe: Recipe) -> Recipe:
    """The recipe without the reference on the full set, which is no part of the race."""
    return recipe.model_copy(update={"evaluation": recipe.evaluation.model_copy(update={"full": None})})


def _too_late(setup: float) -> str:
    return f"{setup:,.0f} seconds are foreseen before its first step, more than this time has for that."


def _first(error: ValidationError | RecipeError) -> str:
    """The first thing wrong with a recipe."""
    if isinstance(error, RecipeError):
        return error.errors[0].message
    details: Any = error.errors(include_url=False)[0]
    return str(details.get("ctx", {}).get("message") or details["msg"])
