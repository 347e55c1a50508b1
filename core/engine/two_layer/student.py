"""Students of a regression memory: networks of two layers trained on a few points, as many labels as units, and a seed.

Needs NumPy and safetensors, and nothing else of the service: an artifact has this file beside its arrays.

from student import load, train
memory = load()                 points [M, d], labels [L], and how students are made of them
student = train(memory, seed=7) a network of a seed of your own; without one, of the memory's
student(x)                      its answers [n] to inputs float32 [n, d]
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

HERE = Path(__file__).resolve().parent
FILE = "dataset.safetensors"
_WEIGHTS, _BIASES, _MIXTURES = 1, 2, 3
"""Streams of random numbers of a seed."""


@final
@dataclass(frozen=True)
class Memory:
    """A distilled regression: all that a student is trained from.

    points [M, d] span the directions that matter; labels [L] are those of inputs that are mixed from them by `seed`.
    """

    points: Floats
    labels: Floats
    seed: int
    ridge: float
    """Weight of the squared second layer beside the mean squared error."""
    bias: float
    """Biases of the second step are uniform from minus this to this."""

    @property
    def width(self) -> int:
        """Hidden units L of a student."""
        return len(self.labels)

    @property
    def floats(self) -> int:
        """Numbers that are stored: M d + L."""
        return int(self.points.size + self.labels.size)


@final
@dataclass(frozen=True)
class Student:
    """f(x) = second . [relu(first x + bias), 1] with first [L, d], bias [L] and second [L + 1]."""

    first: Floats
    bias: Floats
    second: Floats

    def __call__(self, x: Floats) -> Floats:
        """Answers [n] to inputs [n, d]."""
        return np.asarray(features(x, self.first, self.bias) @ self.second)


def train(memory: Memory, seed: int | None = None) -> Student:
    """The student of a seed, by default the memory's: a gradient step on the points, then least squares on labels."""
    first, bias = hidden(memory.points, memory.width, memory.seed if seed is None else seed, memory.bias)
    mixed = features(mixtures(memory.points, memory.width, memory.seed), first, bias)
    return Student(first, bias, least_squares(mixed.T @ mixed, mixed.T @ memory.labels, len(mixed), memory.ridge))


def start(width: int, d: int, seed: int) -> tuple[Floats, Floats]:
    """First layer [L, d], uniform on the sphere, and second layer [L] of +-1 at the start.

    The second half has the first one's units with the opposite sign: the network answers exactly 0, whatever it sees.
    """
    half = width // 2
    w = normal(seed, _WEIGHTS, half * d).reshape(half, d)
    w /= np.linalg.norm(w, axis=1, keepdims=True)
    signs = np.where(np.arange(half) % 2, -1.0, 1.0)
    return np.concatenate([w, w]), np.concatenate([signs, -signs])


def answers(x: Floats, first: Floats, second: Floats) -> Floats:
    """Answers [n] of a network at the start, whose biases are 0, the halves' sums subtracted from each other."""
    values, half = np.maximum(x @ first.T, 0) * second, len(first) // 2
    return np.asarray(values[:, :half].sum(1) + values[:, half:].sum(1))


def hidden(points: Floats, width: int, seed: int, bias: float) -> tuple[Floats, Floats]:
    """First layer [L, d] after one gradient step on the points, whose labels are 1, and the biases [L] drawn anew.

    The step erases the start, and its length is such that the mean square of a unit's norm is 1.
    """
    w, a = start(width, points.shape[1], seed)
    stepped = a[:, None] * ((w @ points.T > 0) @ points) / len(points)
    stepped /= max(float(np.sqrt((stepped**2).sum(1).mean())), 1e-30)
    return stepped, bias * (2 * uniform(seed, _BIASES, width) - 1)


def mixtures(points: Floats, count: int, seed: int) -> Floats:
    """Inputs [count, d] that are random mixtures of the points, as a seed draws them: nobody needs to store them.

    They are standard normal in the span of the points, as real inputs are there: a first layer that was made of the
    points sees of any input no more than that.
    """
    _, singular, right = np.linalg.svd(points.astype(np.float64), full_matrices=False)
    spanned = right[singular > 1e-6 * singular[0]]
    return np.asarray(normal(seed, _MIXTURES, count * len(spanned)).reshape(count, -1) @ spanned)


def features(x: Floats, first: Floats, bias: Floats) -> Floats:
    """The hidden units of inputs [n, d] and a constant, [n, L + 1]."""
    units = np.maximum(x @ first.T.astype(x.dtype) + bias.astype(x.dtype), 0)
    return np.concatenate([units, np.ones((len(x), 1), x.dtype)], axis=1)


def least_squares(gram: Floats, moments: Floats, count: int, ridge: float) -> Floats:
    """Second layer [L + 1] that minimises squared error by ridge regression, from sums over `count` samples."""
    gram = gram.astype(np.float64) / count
    lam = ridge * float(np.trace(gram)) / len(gram)
    return np.asarray(np.linalg.solve(gram + lam * np.eye(len(gram)), moments.astype(np.float64) / count))


def uniform(seed: int, stream: int, count: int) -> Floats:
    """Numbers in (0, 1), from the raw output of PCG64: the same on every machine and with every version of NumPy."""
    raw = np.random.PCG64(np.random.SeedSequence([seed, stream])).random_raw(count)
    return ((raw >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53


def normal(seed: int, stream: int, count: int) -> Floats:
    """Standard normal numbers, of the same source (Box & Muller 1958)."""
    u = uniform(seed, stream, 2 * (-(-count // 2)))
    radius, angle = np.sqrt(-2 * np.log(u[::2])), 2 * np.pi * u[1::2]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).ravel()[:count]


def load(folder: Path | str = HERE) -> Memory:
    """The memory of a folder, the one this file lies in unless told otherwise."""
    from safetensors import safe_open

    with safe_open(Path(folder, FILE), framework="numpy") as file:
        about = json.loads(file.metadata()["stillhouse"])
        arrays = {name: file.get_tensor(name) for name in ("points", "labels")}
    return Memory(**arrays, seed=about["seed"], ridge=about["ridge"], bias=about["bias"])
