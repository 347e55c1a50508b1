"""The student that all candidates of a search have: a network, an evaluation, and the seconds that it leaves them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, final

from pydantic import ValidationError

from core import methods
from core.budget.fit import Fitted, Price, differences, fit
from core.budget.ladders import NARROW
from core.data import DatasetFacts
from core.methods.automatic import SHARED
from core.plan.race import Candidate, Entrants, passes
from core.recipe import MeanStd, Recipe, RecipeError, SoftLabels

RANDOM: Final = "random"
"""The first candidate: it needs nothing but the images, and is judged whatever the time."""

_TAUGHT: Final = ("relabel", "teacher")
"""Parts that a method with a teacher's labels has for itself."""
_LEARNING: Final = ("lr", "optimiser", "weight_decay", "schedule", "baseline_lrs")
"""Fields of its evaluation that it has for itself, too: classes and a teacher's labels are not learned alike."""

_STUDENT: Final = (0.3, 0.4, 0.5, 0.65, 0.8, 1.0)
"""Shares of the time for reading the data and for evaluating the result, its reference included: the first in which
that can be done."""
_WIDE: Final = 0.5
"""The largest of them that is taken for a wider network."""
_MARGIN: Final = 0.03
"""Share of the time for packing, and for a turn that takes longer than its seconds."""
_DEAREST: Final = ("mtt", "dm")
"""Methods whose network, cut to the time, is that of all: the first one that can finish."""
_LARGE: Final = ("rat-bptt",)
"""Others that may take the most memory."""
WINNING: Final = 0.7
"""Share of a race's time that a winner has, all in all."""
_PREPARING: Final = 0.1
"""Share of the time that whitening may take."""


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
    prepared = _prepared(recipe, seconds, price, fixed)
    dear = _dear(prepared, facts, ipc, seconds, price, fixed)
    narrow = _narrowed(prepared, [each.recipe for each in dear if each.name in _DEAREST])
    found = judged(narrow, dear, facts, ipc, seconds, price, fixed)
    return replace(found, given_up=differences(recipe, found.recipe))


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
    found = _evaluated(recipe, facts, ipc, seconds, price, fixed)
    common = {"network": found.recipe.network, "evaluation": found.recipe.evaluation}
    dearest = (Candidate(name=each.name, recipe=each.recipe.model_copy(update=common)) for each in dear)
    return Student(found.recipe, found.given_up, max(1.0, (1 - _MARGIN) * seconds - found.seconds), tuple(dearest))


def _evaluated(
    recipe: Recipe, facts: DatasetFacts, ipc: int, seconds: float, price: Price, fixed: Collection[str]
) -> Fitted:
    """The recipe fitted to the first share of the time that keeps its network, if one up to a half does.

    Else it is the first share that will do at all: what is gained by a network that candidates can distil with is more
    than the time that it costs them.
    """
    first: Fitted | None = None
    for share in _STUDENT:
        try:
            found = fit(recipe, facts, ipc, share * seconds, price, fixed)
        except RecipeError:
            if share == _STUDENT[-1]:
                raise
            continue
        first = first or found
        if _width(found.recipe.network) >= _width(recipe.network):
            return found
        if share >= _WIDE:
            break
    assert first is not None, "the last share is all of the time: it fits, or is refused"
    return first


def unnamed(shared: Student) -> Entrants:
    """A race that takes the time and the memory of any: all that a forecast needs to know of it."""
    first = Candidate(name=RANDOM, recipe=shared.recipe)
    return Entrants(
        candidates=(first, *shared.dearest), seconds=round(shared.seconds, 1), epochs=shared.recipe.evaluation.epochs
    )


def _dear(
    recipe: Recipe, facts: DatasetFacts, ipc: int, seconds: float, price: Price, fixed: Collection[str]
) -> list[Candidate]:
    """The dearest candidates, as they are asked for by name in a winner's time; without those that cannot finish."""
    found = list[Candidate]()
    for name in (*_DEAREST, *_LARGE):
        try:
            asked = joined(name, recipe, facts, ipc, fixed)
            fitted = fit(asked, facts, ipc, WINNING * seconds, price, fixed).recipe
        except (ValidationError, RecipeError):
            continue
        found.append(Candidate(name=name, recipe=fitted))
    return found


def _prepared(recipe: Recipe, seconds: float, price: Price, fixed: Collection[str]) -> Recipe:
    """The recipe without whitening, where that would take too much of the time."""
    plain = recipe.model_copy(update={"preprocess": MeanStd()})
    if any(path.startswith("preprocess") for path in fixed) or recipe.preprocess.kind == plain.preprocess.kind:
        return recipe
    return plain if price(recipe) - price(plain) > _PREPARING * seconds else recipe


def _narrowed(recipe: Recipe, dearest: Sequence[Recipe]) -> Recipe:
    """The recipe with the network that the dearest candidate would have; too narrow a one only if all are.

    An evaluation alone affords a wider one, with which no candidate would come far. One narrower than what was measured
    costs all of them more than it gives to the dearest. None is one that the client asks for as unseen.
    """
    if not dearest:
        return recipe
    first, widest = dearest[0].network, max((each.network for each in dearest), key=_width)
    known = widest.model_copy(update={"width": min(NARROW, _width(widest))})
    wanted = (first, widest) if _width(first) >= _width(known) else (known, first, widest)
    network = next((each for each in wanted if each not in recipe.evaluation.across), recipe.network)
    return recipe.model_copy(update={"network": network})


def _width(network: Any) -> int:
    return int(getattr(network, "width", 0))


def joined(name: str, shared: Recipe, facts: DatasetFacts, ipc: int, fixed: Collection[str]) -> Recipe:
    """A method's recipe with what all share; the rate of evaluation is the method's own, if the client sets none.

    A step size that a method learns is part of its result. So are a teacher's labels, one an image, and how networks
    learn from them.
    """
    return sharing(methods.method(name).recipe(task(facts, ipc)), shared, facts, ipc, fixed)


def task(facts: DatasetFacts, ipc: int) -> methods.Task:
    """A job as the recipes of methods are made for it."""
    return methods.Task.of(facts, ipc)


def sharing(recipe: Recipe, shared: Recipe, facts: DatasetFacts, ipc: int, fixed: Collection[str]) -> Recipe:
    """A recipe with what all share, see `joined`.

    Where a stored image holds several, a student takes as many steps on them as on images of others, each on as many.
    A teacher is there for those that ask one. A rate of none, which only a step size that is learned can stand in for,
    is nobody else's.
    """
    tree, own = recipe.model_dump(mode="json"), shared.model_dump(mode="json")
    taught = recipe.relabel.needs_teacher and not shared.relabel.needs_teacher
    tree |= {part: own[part] for part in SHARED if not (taught and part in _TAUGHT)}
    asks = taught or shared.relabel.needs_teacher or recipe.objective.needs_teacher or recipe.init.needs_teacher
    teacher = recipe.teacher if taught or shared.teacher is None else shared.teacher
    tree["teacher"] = teacher.model_dump(mode="json") if asks and teacher else None
    said = {field for field, value in own["evaluation"].items() if f"evaluation.{field}" in fixed and value is not None}
    kept = set(_LEARNING if taught else ("lr",)) - said
    tree["evaluation"] = own["evaluation"] | recipe.evaluation.model_dump(mode="json", include=kept)
    if taught:
        tree["relabel"] = SoftLabels(temperature=recipe.relabel.temperature).model_dump(mode="json")
    if _steps_alike(recipe, shared, fixed):
        others = shared.parameterize.formation
        tree["evaluation"]["epochs"] = epochs_of(recipe, shared, fixed)
        tree["evaluation"]["batch_size"] = min(shared.evaluation.batch_size, ipc * facts.classes * others)
    tree["evaluation"] |= {"look_every": None, "select": "last"}  # the race itself looks
    return Recipe.model_validate(tree)


def epochs_of(recipe: Recipe, shared: Recipe, fixed: Collection[str]) -> int:
    """The epochs of the evaluation of a recipe in a race of those that share a recipe, see `sharing`."""
    epochs, others = shared.evaluation.epochs, shared.parameterize.formation
    return passes(recipe, epochs * others) if _steps_alike(recipe, shared, fixed) else epochs


def _steps_alike(recipe: Recipe, shared: Recipe, fixed: Collection[str]) -> bool:
    """Whether students take as many steps on stored images that hold a number of others as on images of one each."""
    said = {"evaluation.epochs", "evaluation.batch_size"} & {*fixed}
    return recipe.parameterize.formation != shared.parameterize.formation and not said


def bare(recipe: Recipe) -> Recipe:
    """The recipe without the reference on the full set, which is no part of the race."""
    return recipe.model_copy(update={"evaluation": recipe.evaluation.model_copy(update={"full": None})})
