"""Pictures that are nearly copies: one picture saved anew, lighter or darker, with a little noise, or scaled and back.

Two pictures, averaged to at most 32 pixels a side, are compared by the length of their difference, once each has mean 0
and length 1: 0 for the same picture in another brightness, 1.4 for two that have nothing in common. JPEG of quality 75
moves MNIST's pictures by 0.07, Fashion-MNIST's by 0.07 and CIFAR-10's by 0.15 (medians), a shift by one pixel by 0.4 to
0.6. At 0.15 and less there are 9 of MNIST's 70,000 pictures, 862 of Fashion-MNIST's and 27 of CIFAR-10's
60,000. A hash of 64 bits cannot say as much: most of the bits say nothing on digits, icons and masks, which
are mostly even, so that it takes other pictures for near copies, and black for white.

A signature of few numbers only finds the candidates. It is a projection, which makes no distance larger, so it misses
none; the pixels decide. Candidates are found by comparing each picture with all whose first number is near: 70,000
pictures take about five seconds on one core.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from core.data.facts import Images, NearCopies
from core.data.shrinking import averaging, shrunk
from core.data.split import pictures_of

LARGEST: Final = 0.15
"""Length of a difference up to which two pictures are nearly copies."""
MOST_IMAGES: Final = 250_000
"""Images among which near copies are looked for: the time grows with the square."""
MOST_CANDIDATES: Final = 1_000_000
"""Pairs whose pixels are compared."""
MOST_PAIRS: Final = 100_000_000
"""Pairs of near signatures that are gone through; where all pictures are near copies, few need to be compared."""
SHOWN: Final = 8
"""Pairs of a kind that are kept."""

_SIDE, _CELLS, _NUMBERS = 32, 16, 64
_SAMPLE = 4096
_BLOCK, _BLOCKS = 2048, 8192
_FLAT = 2.0
"""Standard deviation of pixels, of 255, below which a picture shows nothing that could be compared."""
_LIGHTER, _STRONGER = 32.0, 1.5
"""Grey levels of mean, and times of contrast, by which near copies differ at most."""
_PIXELS_AT_ONCE = 1 << 22
_PAIRS_AT_ONCE = 1 << 16

Floats = NDArray[np.float32]
Places = NDArray[np.int64]
Pair = tuple[int, int]


@final
@dataclass(frozen=True)
class Near:
    """The near copies of a dataset, and of each kind the closest pairs: places in the training set, then the test."""

    counts: NearCopies
    across: tuple[Pair, ...]
    """(place in train, place in test)."""
    train: tuple[Pair, ...]
    test: tuple[Pair, ...]
    classes: tuple[Pair, ...]
    """Places in both splits, one after the other."""


@final
@dataclass(frozen=True)
class _Plain:
    """Pictures without brightness and contrast."""

    units: Floats
    """[n, pixels], of mean 0 and length 1."""
    means: Floats
    contrasts: Floats


def near_copies(train: Images, test: Images) -> Near | None:
    """The near copies within and across two splits of pictures; None where there are too many pictures to look.

    Equal pictures are no near copies of each other.
    """
    if len(train) + len(test) > MOST_IMAGES:
        return None
    pixels = _Pixels(train, test)
    ids = np.concatenate([pictures_of(train.images), pictures_of(test.images)])
    labels = np.concatenate([train.labels, test.labels])
    is_test = np.arange(len(ids)) >= len(train)
    learned = is_test & np.isin(ids, ids[: len(train)])  # equal to a training picture, and counted as such
    seen = {kind: np.zeros(len(ids), dtype=bool) for kind in ("across", "train", "test", "classes")}
    found: dict[str, list[tuple[float, Pair]]] = {kind: [] for kind in seen}
    gone_through, looked_at, complete = 0, 0, True
    for pairs in _pieces(_candidates(pixels)):
        gone_through += len(pairs)
        kinds = _kinds(pairs, is_test, labels, learned)
        news = {kind: those & ~(seen[kind][pairs[:, 0]] & seen[kind][pairs[:, 1]]) for kind, those in kinds.items()}
        news["across"] = kinds["across"] & ~seen["across"][pairs[:, 1]]
        wanted = np.any(list(news.values()), axis=0) & (ids[pairs[:, 0]] != ids[pairs[:, 1]])
        if looked_at + int(wanted.sum()) > MOST_CANDIDATES or gone_through > MOST_PAIRS:
            complete = False
            break
        looked_at += int(wanted.sum())
        chosen = pairs[wanted]
        lengths = pixels.differences(chosen)
        near = lengths <= LARGEST
        for kind, those in news.items():
            hits = near & those[wanted]
            seen[kind][chosen[hits, 1]] = True
            if kind != "across":
                seen[kind][chosen[hits, 0]] = True
            told = zip(lengths[hits].tolist(), map(tuple, chosen[hits].tolist()), strict=True)
            found[kind] = sorted([*found[kind], *told])[:SHOWN]
    counts = {kind: int(places.sum()) for kind, places in seen.items()}
    kept = {kind: tuple(pair for _, pair in pairs) for kind, pairs in found.items()}
    kept |= {"across": tuple((one, other - len(train)) for one, other in kept["across"])}
    kept |= {"test": tuple((one - len(train), other - len(train)) for one, other in kept["test"])}
    return Near(NearCopies(complete=complete, **counts), **kept)


def _pieces(candidates: Iterator[Places]) -> Iterator[Places]:
    """The candidates some at a time: what one piece shows to be near copies need not be compared in the next ones."""
    for pairs in candidates:
        yield from (pairs[first : first + _PAIRS_AT_ONCE] for first in range(0, len(pairs), _PAIRS_AT_ONCE))


def _kinds(
    pairs: Places, is_test: NDArray[np.bool_], labels: Places, learned: NDArray[np.bool_]
) -> dict[str, NDArray[np.bool_]]:
    """The pairs, in ascending places, that are of each kind."""
    one, other = pairs.T
    return {
        "across": ~is_test[one] & is_test[other] & ~learned[other],
        "train": ~is_test[other],
        "test": is_test[one],
        "classes": labels[one] != labels[other],
    }


@final
class _Pixels:
    """The pictures of both splits, one after the other, looked at some at a time."""

    def __init__(self, train: Images, test: Images) -> None:
        self._parts = (train.images, test.images)
        self._first = len(train)
        channels, *sides = train.images.shape[1:]
        self.shape = (channels, *(min(side, _SIDE) for side in sides))
        self.some = max(1, _PIXELS_AT_ONCE // int(np.prod(train.images.shape[1:])))

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def plain(self, places: Places) -> _Plain:
        """The pictures at these places."""
        small = np.empty((len(places), *self.shape), dtype=np.float32)
        for part, first in zip(self._parts, (0, self._first), strict=True):
            own = np.flatnonzero((places >= first) & (places < first + len(part)))
            small[own] = shrunk(part[places[own] - first].astype(np.float32), _SIDE)
        flat = small.reshape(len(small), -1)
        means = flat.mean(1)
        flat -= means[:, None]
        lengths = np.linalg.norm(flat, axis=1)
        flat /= np.maximum(lengths, 1e-6)[:, None]
        return _Plain(flat, means, lengths / np.sqrt(flat.shape[1]))

    def differences(self, pairs: Places) -> Floats:
        """Lengths of the differences of pairs [n, 2]; infinite where brightness or contrast differs too much."""
        lengths = np.full(len(pairs), np.inf, dtype=np.float32)
        for first in range(0, len(pairs), self.some):
            one, other = (self.plain(pairs[first : first + self.some, side]) for side in (0, 1))
            apart = np.linalg.norm(one.units - other.units, axis=1)
            low, high = np.sort([one.contrasts, other.contrasts], axis=0)
            alike = (np.abs(one.means - other.means) <= _LIGHTER) & (high <= _STRONGER * low)
            lengths[first : first + self.some] = np.where(alike, apart, np.inf)
        return lengths


def _candidates(pixels: _Pixels) -> Iterator[Places]:
    """Pairs of places [n, 2], ascending, whose signatures are so near that their pixels may be."""
    signatures, places = _signatures(pixels)
    if len(places) < 2:
        return
    order = np.argsort(signatures[:, 0], kind="stable")
    signatures, places = signatures[order], places[order]
    first, half, ones = signatures[:, 0], (signatures**2).sum(1) / 2, np.ones(len(places), dtype=np.float32)
    # The product of a row of each is a.b - |a|^2 / 2 - |b|^2 / 2, half the squared distance below 0.
    left, right = np.column_stack([signatures, -half, ones]), np.column_stack([signatures, ones, -half])
    least = -(LARGEST**2) / 2 - 1e-6
    for start in range(0, len(places), _BLOCK):
        end = int(np.searchsorted(first, first[min(start + _BLOCK, len(places)) - 1] + LARGEST, "right"))
        for across in range(start, end, _BLOCKS):
            product = left[start : start + _BLOCK] @ right[across : min(end, across + _BLOCKS)].T
            one, other = np.divmod(np.flatnonzero(product >= least), product.shape[1])
            once = one + start < other + across
            pairs = np.stack([places[one[once] + start], places[other[once] + across]], axis=1)
            if len(pairs):
                yield np.sort(pairs, axis=1)


def _signatures(pixels: _Pixels) -> tuple[Floats, Places]:
    """Signatures [n, numbers] of the pictures that show something, the number that varies most first; their places."""
    channels, height, width = pixels.shape
    rows, columns = (
        averaging(side, min(side, _CELLS)) * np.float32(np.sqrt(side / min(side, _CELLS))) for side in (height, width)
    )

    def grey(units: Floats) -> Floats:
        planes = units.reshape(len(units), channels, height, width).sum(1) / np.float32(np.sqrt(channels))
        cells: Floats = (rows @ planes @ columns.T).reshape(len(units), -1)
        return cells

    everywhere = np.linspace(0, len(pixels) - 1, min(len(pixels), _SAMPLE)).astype(np.int64)
    sample = np.concatenate([grey(pixels.plain(each).units) for each in _some(everywhere, pixels.some)])
    axes = np.linalg.eigh(sample.T @ sample)[1][:, ::-1][:, :_NUMBERS].astype(np.float32)
    signatures, kept = [], []
    for places in _some(np.arange(len(pixels)), pixels.some):
        plain = pixels.plain(places)
        shows = plain.contrasts >= _FLAT
        signatures.append((grey(plain.units) @ axes)[shows])
        kept.append(places[shows])
    return np.concatenate(signatures), np.concatenate(kept)


def _some(places: Places, count: int) -> Iterator[Places]:
    return (places[first : first + count] for first in range(0, len(places), count))
