"""The measures of a regression memory: errors on test samples, and how its points lie to the true subspace."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from core.data.multi_index import MultiIndex
from core.engine.two_layer import student
from core.engine.two_layer.labels import Real
from core.engine.two_layer.student import Student
from core.engine.two_layer.sweep import Floats

_ORACLE, _RANDOM, _RAW = 11, 12, 13  # streams of random numbers of a seed


class Subspace(NamedTuple):
    """How points lie to the subspace that the target depends on."""

    alignment: float
    """The share of the points' squares that lies in it, in the mean over points: r / d of random ones."""
    angles: tuple[float, ...]
    """Degrees between it and the span of as many leading directions of the points, the smallest first."""
    singular: tuple[float, ...]
    """The points' singular values, the largest of which is 1."""
    gap: int
    """The place of the widest gap between them: the directions before it."""


def subspace(points: Floats, truth: Floats) -> Subspace:
    """Alignment, principal angles and singular values of points [M, d] beside directions [r, d]."""
    inside = points @ truth.T
    squares = np.maximum((points**2).sum(1), 1e-30)
    _, singular, right = np.linalg.svd(points, full_matrices=False)
    leading = right[: len(truth)]
    cosines = np.linalg.svd(leading @ truth.T, compute_uv=False)
    angles = np.degrees(np.arccos(np.clip(np.sort(cosines)[::-1], -1, 1)))
    falls = singular[:-1] / np.maximum(singular[1:], 1e-12)
    return Subspace(
        alignment=float(((inside**2).sum(1) / squares).mean()),
        angles=tuple(float(each) for each in angles),
        singular=tuple(float(each) for each in singular / max(float(singular[0]), 1e-30)),
        gap=int(falls.argmax()) + 1 if len(falls) else 1,
    )


def error(task: MultiIndex, network: Student) -> float:
    """Mean squared error on the test samples, as a share of the variance of their targets: 1 is no better than their
    mean.
    """
    narrow = Student(*(array.astype(np.float32) for array in (network.first, network.bias, network.second)))
    squares, targets = 0.0, list[Floats]()
    for x, y in task.chunks("test"):
        squares += float(((narrow(x) - y) ** 2).sum(dtype=np.float64))
        targets.append(y)
    whole = np.concatenate(targets).astype(np.float64)
    return squares / (len(whole) * float(whole.var()))


def random_features(real: Real, width: int, seed: int, ridge: float, bias: float) -> Student:
    """The network whose first layer stays as it starts: uniform on the sphere."""
    first, biases = _unmoved(real.task.d, width, seed, bias)
    return real.solved(first, biases, ridge)


def oracle_features(real: Real, width: int, seed: int, ridge: float, bias: float) -> Student:
    """The network whose first layer is uniform on the sphere of the true subspace."""
    first, biases = _unmoved(real.task.r, width, seed, bias)
    return real.solved(first @ real.task.subspace(), biases, ridge)


def real_step(real: Real, gradients: Floats, width: int, seed: int, ridge: float, bias: float) -> Student:
    """The network that took its first step on the real data: its first layer is the gradients [L / 2, d], both ways."""
    first = np.concatenate([gradients, -gradients])
    first /= max(float(np.sqrt((first**2).sum(1).mean())), 1e-30)
    return real.solved(first, student.hidden(first[:1], width, seed, bias)[1], ridge)


def on_raw(task: MultiIndex, count: int, width: int, seed: int, ridge: float, bias: float) -> Student:
    """The network trained on so many real samples alone, by the same two steps."""
    x, y = next(task.chunks("train"))
    chosen = student.uniform(seed, _RAW, len(x)).argsort()[:count]
    x, y = x[chosen].astype(np.float64), y[chosen].astype(np.float64)
    w, a = student.start(width, task.d, seed)
    first = a[:, None] * ((w @ x.T > 0) @ (x * y[:, None])) / count
    first /= max(float(np.sqrt((first**2).sum(1).mean())), 1e-30)
    biases = student.hidden(x[:1], width, seed, bias)[1]
    units = student.features(x, first, biases)
    return Student(first, biases, student.least_squares(units.T @ units, units.T @ y, count, ridge))


def _unmoved(d: int, width: int, seed: int, bias: float) -> tuple[Floats, Floats]:
    w = student.normal(seed, _RANDOM, width * d).reshape(width, d)
    w /= np.linalg.norm(w, axis=1, keepdims=True)
    return w, bias * (2 * student.uniform(seed, _ORACLE, width) - 1)
