"""The cost of a regression memory: products of matrices, whose operations take as long as those of a forward pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from core.plan.cost.passes import Algebra
from core.plan.cost.scale import Scale
from core.plan.two_layer import JudgeStudents, MatchGradients, MatchPerformance
from core.recipe import TwoLayer

_DRAWN: Final = 400  # operations of a random number, and of what is done to it beside the products
_UNIT: Final = 150  # of a hidden unit of a sample: comparing, adding, copying
_SLOWER: Final = 2.5  # times as long as an operation of a convolution, measured on two cores
_OTHERS: Final = 14  # networks that a report compares with, beside students and those on raw samples
_SOLVED: Final = 4  # times the cube of the width of a linear system in doubles, and what is made of it


def pointed(step: MatchGradients, scale: Scale, missing: int) -> Iterator[Algebra]:
    """Every sample is made once for the linear part and once a round, and multiplied with half of the units, twice."""
    choice, d, samples = _of(scale)
    passes = samples * d * _DRAWN * (1 + step.rounds)
    yield Algebra(step.phase, _SLOWER * (passes + step.rounds * samples * choice.width // 2 * (4 * d + _UNIT)))


def labelled(step: MatchPerformance, scale: Scale, missing: int) -> Iterator[Algebra]:
    """A student each: its hidden units of real samples multiplied with each other, and linear systems."""
    yield Algebra(step.phase, _SLOWER * step.students * _student(scale))


def judged(step: JudgeStudents, scale: Scale, missing: int) -> Iterator[Algebra]:
    """Students and networks on raw samples, and those with second layers solved on real data; each is tested."""
    choice, d, _ = _of(scale)
    test = scale.sizes.test * (d * _DRAWN + choice.width * (2 * d + _UNIT))
    solved = _SOLVED * choice.width**3
    yield Algebra(step.phase, _SLOWER * (2 * step.students * (test + solved) + _OTHERS * (_student(scale) + test)))


def _student(scale: Scale) -> float:
    choice, d, samples = _of(scale)
    used, width = min(choice.samples, samples), choice.width
    return used * (d * _DRAWN + width * (2 * d + 2 * width + _UNIT)) + 3 * _SOLVED * width**3


def _of(scale: Scale) -> tuple[TwoLayer, int, int]:
    """The recipe's objective, the dimension, and the training samples."""
    choice, sizes = scale.recipe.objective, scale.sizes
    assert isinstance(choice, TwoLayer), "steps of such a recipe"
    return choice, scale.network.pixels, sizes.train + sizes.validation
