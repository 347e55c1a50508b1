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
from core.budget.fit import Price, fit, steps_alike
from core.budget.ladders import LADDERS
from core.budget.student import RANDOM, WINNING, Student, bare, joined, sharing, task
from core.data import DatasetFacts
from core.methods.automatic import SHARED
from core.methods.task import large_from
from core.plan import steps
from core.plan.build import plan
from core.plan.race import LOOKS, SHARES, Candidate, Entrants, LeftOut
from core.recipe import Compact, Recipe, RecipeError, search
from core.request import JobRequest, check

REAL: Final = ("k-means", "herding", "window", "dual", "self-evolved")
"""Other methods that choose real images; what is distilled has to beat them."""

LARGE: Final = ("dual", "self-evolved")
"""Those of them that are for large sets, and take no time where sets are small."""

DISTILLED: Final = ("dm", "dsa", "mtt", "rat-bptt")
"""Methods whose images have a class each: of every family that has one, the one that does best."""

LABELLED: Final = ("frepo", "rded", "cim")
"""Methods whose labels say more than a class, targets of a regression or a teacher's: only where those are allowed."""

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
_DISPENSABLE_LARGE: Final = ("herding", "k-means", "self-evolved", "window", "dual", "mtt")
"""The same of large sets, for which typical images are worth less than those that say what is hard."""
_LOOKING: Final = 0.3
"""Share of the race's time that all looks may take before candidates are left out for it."""
_UNSEEN: Final = ("window", "herding", "k-means", "rded", "rat-bptt", "dsa", "cim", "mtt", "frepo")
"""The order in which they are: real images first, which what is distilled beats in most cases, `dm` never."""
_UNSEEN_LARGE: Final = ("herding", "k-means", "self-evolved", *_UNSEEN)
"""The same of large sets."""
_FEWEST: Final = 5
"""Outer steps that a candidate takes in its first turn, at least: fewer say nothing."""
_LONGER: Final = 4
"""Times as many steps as its preset has that a candidate may take: its best look is chosen, not its last."""
_JUDGING: Final = 0.12
"""Share of the race's time that judging may take."""
_JUDGES: Final = ((3, 250), (2, 250), (2, 120))
"""Networks, and the steps of their training after which they say which images are better; the first that are cheap
enough. Of evaluations that have fewer steps, all."""


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
    learned = {"evaluation.lr"} if recipe.evaluation.lr is None else set[str]()  # by this method; not by random images
    return _Field(shared.recipe, facts, ipc, shared.seconds, price, frozenset(fixed) - learned).alone(name, recipe)


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
        first = Candidate(name=RANDOM, recipe=joined(RANDOM, self.shared, self.facts, self.ipc, self.fixed))
        found, left_out = [first], list[LeftOut]()
        for name in (*REAL, *DISTILLED, *LABELLED):
            if name in LABELLED and not soft:
                left_out.append(
                    LeftOut(name=name, reason="its labels say more than a class; labels are asked for as hard.")
                )
                continue
            if name in LARGE and (small := self._small()):
                left_out.append(LeftOut(name=name, reason=small))
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
        found, unseen = self._judgeable(found)
        return self._race(found, [*left_out, *late, *unseen])

    def _small(self) -> str:
        """Why a method for large sets takes no part; nothing where this set is large."""
        least = large_from(self.facts.smallest_class)
        return "" if self.ipc >= least else f"it is for {least} images a class and more of this dataset."

    def alone(self, name: str, recipe: Recipe) -> Entrants:
        """Random real images, and one method where it can finish."""
        first = Candidate(name=RANDOM, recipe=joined(RANDOM, self.shared, self.facts, self.ipc, self.fixed))
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
        try:
            recipe = methods.method(name).recipe(task(self.facts, self.ipc))
        except RecipeError as error:  # it is for another kind of data
            return _first(error)
        tiled = methods.cuts_tiles(name, self.facts)
        if tiled and recipe.parameterize.formation == 1:
            return "its tiles need an even number of pixels a side."
        if tiled and isinstance(self.shared.storage, Compact):
            return "a set of so many bytes has no room for the labels of each tile."
        return self._cut(name, recipe)

    def _cut(self, name: str, recipe: Recipe) -> Candidate | str:
        """A candidate cut to the time that it may have; why there is none, if it cannot be cut so far."""
        try:
            recipe = sharing(recipe, self.shared, self.facts, self.ipc, self.fixed)
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
            if search.asks(lasting):  # the more steps, the longer its probes
                probed = self._costs(lasting, base)[0]
                fits = probed <= _SETUP * self.seconds
                setup, lasting = (probed, lasting) if fits else (setup, _as_probed(lasting, fitted))
            return Candidate(name=name, recipe=lasting, setup=round(setup, 1))
        return refused

    def _longer(self, fitted: Recipe, preset: Recipe, seconds: float, step: float) -> Recipe:
        """The fitted recipe with what all share, for as many steps as it may come to take.

        Those that were given up come back at most; of a recipe that has all of its own there may be several times as
        many, since its best look is chosen. Where steps are not alike, there are no more than are foreseen to fit, and
        where a rate rises as steps become fewer, nothing is given back.
        """
        found, own = fitted.model_copy(update={"evaluation": preset.evaluation}), preset.schedule.steps
        count, rates = fitted.schedule.steps, (fitted.schedule.image_lr, preset.schedule.image_lr)
        if not count or not step or "schedule.steps" in self.fixed:
            return found
        paced = count < own and LADDERS[preset.objective.kind].paced and rates[0] != rates[1]
        most = count if paced else own if count < own else _LONGER * count
        fits = most if steps_alike(found) else int(seconds / step) // found.schedule.stages.count
        return _of_steps(found, max(count, min(most, fits)))

    def _costs(self, recipe: Recipe, base: float) -> tuple[float, float]:
        """Seconds before the first outer step, and of one, beyond those of a job that only evaluates."""
        count, whole = recipe.schedule.steps, self.price(recipe) - base
        if count < 2:
            return max(0.0, whole), 0.0
        setups, settled = [], search.largest(recipe)  # probes are longer before more steps, and no part of one
        known = self.price(settled) - base
        for other in (count // 2, 2 * count):  # kernels may be compiled for the larger number alone
            priced = self.price(_of_steps(settled, other)) - base
            setups.append(whole - count * (priced - known) / (other - count))
        setup = max(0.0, min(setups))
        return setup, max(0.0, whole - setup) / count

    def _affordable(self, found: Sequence[Candidate]) -> tuple[list[Candidate], list[LeftOut]]:
        """Those that, all together, leave enough time to distil once they can begin to."""
        kept, late = list(found), list[LeftOut]()
        for name in _DISPENSABLE if self._small() else _DISPENSABLE_LARGE:
            costly = [candidate for candidate in kept if candidate.name == name and candidate.setup]
            real = self._setups([candidate for candidate in kept if not candidate.steps]) if name in REAL else 0.0
            if costly and (real > _SETUPS_REAL * self.seconds or self._setups(kept) > _SETUPS * self.seconds):
                kept.remove(costly[0])
                late.append(LeftOut(name=name, reason=_too_late(costly[0].setup)))
        return kept, late

    def _judgeable(self, found: Sequence[Candidate]) -> tuple[list[Candidate], list[LeftOut]]:
        """Those that, all together, leave time for distilling beside the looks at their images."""
        kept, unseen = list(found), list[LeftOut]()
        for name in _UNSEEN if self._small() else _UNSEEN_LARGE:
            judging = self._judging(kept)[2]
            if _looks(kept) * judging <= _LOOKING * self.seconds:
                break
            others = [candidate for candidate in kept if candidate.name != name]
            if len(others) < len(kept) and any(candidate.steps for candidate in others):
                kept = others
                told = f"a look at its images would take {judging:,.0f} seconds, which a likelier one needs more."
                unseen.append(LeftOut(name=name, reason=told))
        return kept, unseen

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
        looks = _looks(found)
        for networks, steps_ in _JUDGES:
            epochs = min(evaluation.epochs, math.ceil(steps_ / math.ceil(images / evaluation.batch_size)))
            if looks * networks * epochs * each <= _JUDGING * self.seconds:
                break
        return networks, epochs, networks * epochs * each


def _as_probed(lasting: Recipe, fitted: Recipe) -> Recipe:
    """The lasting recipe, of no more steps than have probes as long as the fitted one's."""
    most = search.most_steps(fitted) or lasting.schedule.steps
    return _of_steps(lasting, max(fitted.schedule.steps, min(most, lasting.schedule.steps)))


def _of_steps(recipe: Recipe, steps: int) -> Recipe:
    return recipe.model_copy(update={"schedule": recipe.schedule.model_copy(update={"steps": steps})})


def _looks(found: Sequence[Candidate]) -> int:
    """Looks of a race, about: one at each candidate, one more at the better half, and those of the leader."""
    return len(found) + len(DISTILLED) // 2 + LOOKS


def _too_late(setup: float) -> str:
    return f"{setup:,.0f} seconds are foreseen before its first step, more than this time has for that."


def _first(error: ValidationError | RecipeError) -> str:
    """The first thing wrong with a recipe."""
    if isinstance(error, RecipeError):
        return error.errors[0].message
    details: Any = error.errors(include_url=False)[0]
    return str(details.get("ctx", {}).get("message") or details["msg"])
