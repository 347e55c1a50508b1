"""Phase 1: points that one gradient-matching step at initialisation draws into the subspace that matters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np

from core.data.multi_index import CHUNK
from core.engine.two_layer import student
from core.engine.two_layer.sweep import Arrays, Floats, Sweeper
from core.recipe.two_layer import TwoLayer

_STARTS = 4  # stream of random numbers of a seed

SHARES: Final = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)
"""Shares of the samples after which points are made, to see how many samples they take; the last is the result."""


@final
@dataclass(frozen=True)
class Points:
    """Distilled points [M, d], each of norm 1."""

    points: Floats
    first: Floats
    """The gradients [L / 2, d] of a network at the start, one a unit: its first layer after a step on real data."""
    samples: int
    """Real samples behind them."""
    after: tuple[tuple[int, Floats], ...]
    """Samples of a share of the first round, and the points that they make."""


def distilled(sweeper: Sweeper, choice: TwoLayer, count: int, seed: int) -> Points:
    """So many points, in as many rounds as the recipe has.

    Raises:
        Drained: the workspace said to stop.
    """
    task = sweeper.task
    start = student.start(choice.width, task.d, seed)[0][: choice.width // 2]
    starts = student.normal(seed, _STARTS, count * task.d).reshape(count, task.d)
    mean, linear = _linear(sweeper, choice.clip)
    units, after, found, samples = start, list[tuple[int, Floats]](), starts, task.n
    for round_ in range(choice.rounds):
        sums, samples = _gradients(sweeper, f"gradients-{round_}", units, mean, linear, choice.clip)
        if not round_:
            first = sums["sum"] / samples
            after = [
                (min(place * CHUNK, samples), _stepped(starts, units, sums[f"after-{place}"]))
                for place in _places(task.n)
                if f"after-{place}" in sums and place * CHUNK <= samples + CHUNK
            ]
        found = _stepped(starts, units, sums["sum"])
        stepped, _ = student.hidden(found, choice.width, seed, choice.bias)
        units = stepped[: len(start)]
    if not after or after[-1][0] < samples:
        after.append((samples, found))
    return Points(found, first, samples, tuple(after))


def _linear(sweeper: Sweeper, clip: float) -> tuple[np.float32, Floats]:
    """The mean of the clipped targets, and their linear part [d], which say nothing of directions beyond one."""
    task = sweeper.task

    def add(_: int, x: Floats, y: Floats, sums: Arrays) -> None:
        y = y.clip(-clip, clip)
        sums["y"] += y.sum(dtype=np.float64)
        sums["xy"] += y @ x
        sums["n"] += len(y)

    sums = sweeper.sums("moments", {"y": np.zeros(1), "xy": np.zeros(task.d), "n": np.zeros(1)}, add)
    count = float(sums["n"][0])
    return np.float32(sums["y"][0] / count), np.asarray(sums["xy"] / count, dtype=np.float32)


def _gradients(
    sweeper: Sweeper, name: str, units: Floats, mean: np.float32, linear: Floats, clip: float
) -> tuple[Arrays, int]:
    """Sums of y 1[<w, x> > 0] x over real samples, of each unit w, with mean and linear part taken off y.

    Targets are clipped: where they have long tails, the noise of a gradient is larger in the very directions that they
    depend on, by (r + 2k) / r for a polynomial of degree k, and would pass for alignment.
    """
    w, stops = units.T.astype(np.float32), _places(sweeper.task.n)

    def add(place: int, x: Floats, y: Floats, sums: Arrays) -> None:
        left = y.clip(-clip, clip) - mean - x @ linear
        sums["sum"] += ((x @ w > 0) * left[:, None]).T @ x
        sums["n"] += len(y)
        if place + 1 in stops:
            sums[f"after-{place + 1}"] = sums["sum"].copy()

    sums = sweeper.sums(name, {"sum": np.zeros(units.shape), "n": np.zeros(1, np.int64)}, add)
    return sums, int(sums["n"][0])


def _places(samples: int) -> tuple[int, ...]:
    """The chunks after which points are made."""
    chunks = -(-samples // CHUNK)
    return tuple(sorted({max(1, round(share * chunks)) for share in SHARES}))


def _stepped(starts: Floats, units: Floats, gradients: Floats) -> Floats:
    """The points [M, d] after one step that matches the gradients, with a weight decay that erases where they started.

    The step maximises sum_i <G_i(real), G_i(points)>, with G_i(points) = -2 a_i 1[<w_i, x> > 0] x for labels of 1 and a
    network that answers 0: a point becomes the sum of the real gradients of the units that are active on it.
    """
    found = (starts @ units.T > 0).astype(np.float64) @ gradients
    return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-30))
