"""Phase 2: labels after which students answer real data best, in closed form; and second layers solved on real data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from core.data.multi_index import CHUNK, MultiIndex
from core.engine.two_layer import student
from core.engine.two_layer.student import Student
from core.engine.two_layer.sweep import Floats

_TRUST: Final = 0.1
"""Weight that keeps labels near the answers of networks solved on real data, of the mean square of what they move."""

_MATCHED: Final = 1_000_000
"""Added to the seed of a job, and to its place, for the seeds of the students that labels are matched for."""


@final
@dataclass(frozen=True)
class Real:
    """The real samples that second layers are solved on, made again chunk by chunk."""

    task: MultiIndex
    samples: int

    def sums(self, first: Floats, bias: Floats) -> tuple[Floats, Floats, int]:
        """Products of the hidden units [L + 1, L + 1] and with the targets [L + 1] in sum, and over how many."""
        gram, moments, count = np.zeros((len(bias) + 1,) * 2), np.zeros(len(bias) + 1), 0
        narrow = first.astype(np.float32), bias.astype(np.float32)
        for x, y in self.task.chunks("train"):
            units = student.features(x, *narrow)[: self.samples - count]
            gram += units.T @ units
            moments += units.T @ y[: len(units)]
            count += len(units)
            if count >= self.samples:
                break
        return gram, moments, count

    def solved(self, first: Floats, bias: Floats, ridge: float) -> Student:
        """The network of a hidden layer whose second one is best on real data."""
        return Student(first, bias, student.least_squares(*self.sums(first, bias), ridge))


def matched_seeds(seed: int, count: int) -> tuple[int, ...]:
    """The seeds of the students that labels are matched for, the memory's own first."""
    return (seed, *(_MATCHED * (seed + 1) + place for place in range(1, count)))


def distilled(
    points: Floats, width: int, seeds: Sequence[int], real: Real, ridge: float, bias: float, tick: Callable[[], None]
) -> Floats:
    """Labels [L] of the inputs that the first seed mixes from the points, in the mean best for students of all seeds.

    A student's second layer is P z with P = (F^T F / L + lam I)^-1 F^T / L for labels z and its hidden units F of these
    inputs. Its mean squared error on real data is z^T P^T A P z - 2 z^T P^T q + const with A and q the products of its
    hidden units of real inputs. The sum over students, with a weight on the distance to what networks solved on real
    data answer, is least at the solution of one linear system.
    """
    mixed = student.mixtures(points, width, seeds[0])
    square, linear, prior = np.zeros((width, width)), np.zeros(width), np.zeros(width)
    for seed in seeds:
        first, biases = student.hidden(points, width, seed, bias)
        gram, moments, count = real.sums(first, biases)
        units = student.features(mixed, first, biases)
        prior += units @ student.least_squares(gram, moments, count, ridge) / len(seeds)
        own = units.T @ units / width
        own += ridge * np.trace(own) / len(own) * np.eye(len(own))
        effect = np.linalg.solve(own, units.T / width)
        square += effect.T @ (gram / count) @ effect
        linear += effect.T @ (moments / count)
        tick()
    trust = _TRUST * np.trace(square) / width
    return np.asarray(np.linalg.solve(square + trust * np.eye(width), linear + trust * prior))


def chunks(samples: int) -> int:
    """How many chunks so many samples are."""
    return -(-samples // CHUNK)
