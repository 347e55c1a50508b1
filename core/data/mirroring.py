"""Whether a mirrored picture stays what it is, measured on a dataset's own training images.

A kernel classifier is judged twice, each image by all the others: once it learns the images as they are, once their
mirrored copies as well. Arrows to the left and to the right it then no longer tells apart; cats and dogs it tells apart
better. How it does on mirrored pictures without having learned any is no measure alone: of Fashion-MNIST, where all
shoes point one way, it recognises 62 % of them and 88 % of the others, and mirrored copies cost it nothing.

Accuracies in % (means) and verdicts of four draws each; ? is undecided, where pictures are not mirrored:

    dataset, images a class             upright  mirrored  with copies  verdicts
    arrows left and right, 20              98.1       5.6         59.4  no  no  no  no
    the same, noisy, 120                   85.7      23.3         56.1  no  no  no  no
    the same, very noisy, 120              61.9      42.8         52.6  ?   ?   no  no
    letters b and d, 20                    90.6       5.0         50.6  no  no  no  no
    letters F G J K L R, 100               99.5      32.1         98.9  no  no  no  no
    letters A H O X M T, 20                90.4      89.6         96.7  yes yes ?   yes
    digits 8x8, 143                        99.5      34.5         99.2  ?   no  ?   ?
    MNIST, 20                              92.5      44.0         90.3  ?   ?   no  ?
    MNIST, 200                             97.4      42.8         96.4  no  no  ?   no
    Fashion-MNIST, 20                      79.4      57.9         78.0  ?   ?   ?   ?
    Fashion-MNIST, 50                      84.0      59.2         84.4  yes yes ?   ?
    Fashion-MNIST, 500                     88.9      63.6         89.1  yes yes yes ?
    its sneakers, half of them turned      99.2       0.8         51.7  no  no  no  no
    CIFAR-10, 20                           33.9      35.4         38.4  yes yes yes yes
    CIFAR-10, 2,500                        51.0      52.5         55.6  yes yes yes yes
    CIFAR-10, cats and dogs, 200           60.7      59.9         63.6  ?   yes yes yes
    Tiny-ImageNet, 100 classes, 20          8.1       7.7          9.2  yes yes yes yes
    with arrows as two of 42 classes       17.4      12.9         17.6  no  no  no  no
    lung tissue, 20                        75.0      79.2         77.5  yes yes yes yes
    random pixels, 100                     47.4      52.1         48.5  ?   ?   ?   ?

Only NumPy, seconds at most, and the same answer for the same content.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final, get_args

import numpy as np
from numpy.typing import NDArray

from core.data.bundle import Bundle
from core.data.facts import Images, Judge, Mirroring, Values
from core.data.known import KNOWN
from core.data.shrinking import shrunk
from core.data.split import pictures_of

LARGEST_SAMPLE: Final = 1600
"""Images that are looked at: evenly many of each class, as far as a class has them."""

_MARGIN = 0.01  # of accuracy: copies that cost more than this are no help
_CHANCE = 0.01  # what is less probable than this did not happen by chance
_DEVIATIONS = 1.645  # of a one-sided bound at 95 %
_RIDGE = 1e-4  # times the images
_FINE, _COARSE, _CELLS, _BINS, _PARTS = 32, 16, 7, 8, 4
_BRIGHTNESS = 2.0  # length that a white image adds
_FLOOR = 8.0  # grey levels: fainter edges than this are noise
_PIXELS_AT_ONCE = 1 << 24
_EXAMPLES = 8
_ONCE_MIRRORED = 16
"""Pixels of a side from which every upload used to be mirrored."""

NUMBERS: Final = Mirroring(False, "known", "numbers are no picture")
"""The verdict on tables and series."""

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


@final
@dataclass(frozen=True)
class Evidence:
    """How the classifier did on so many different `images`: accuracies, and which images the copies decided.

    `mirrored` is the accuracy on mirrored pictures of the classifier that has learned none. `lost` and `won` count the
    images that are recognised only without, and only with mirrored copies to learn from.
    """

    images: int
    majority: float
    """The share of the largest class."""
    upright: float
    mirrored: float
    with_copies: float
    lost: int
    won: int
    confused: tuple[int, int] | None
    """Two classes that mirrored copies make hard to tell apart, or that are each other's mirror image."""
    examples: tuple[tuple[int, int], ...] = ()
    """Places of a few images and the class that their mirrored selves are taken for, those that do harm first."""

    @property
    def loss_chance(self) -> float:
        """Probability of losing as many if copies made no difference (McNemar's exact test, one-sided)."""
        return _tail(self.lost, self.lost + self.won)

    @property
    def largest_loss(self) -> float:
        """Upper bound, at 95 %, of the accuracy that copies cost."""
        return (self.lost - self.won + _DEVIATIONS * math.sqrt(self.lost + self.won + 1)) / self.images

    @property
    def costs(self) -> bool:
        """Whether copies certainly do harm: to all classes, or to two of them."""
        return self.confused is not None or self.loss_chance < _CHANCE

    @property
    def harmless(self) -> bool:
        """Whether classes can be told apart, and mirrored pictures are no worse than others or cost next to nothing.

        They may cost nothing and yet be mostly taken for other classes: then near copies of each image among the others
        may hide what they do.
        """
        learned = self.with_copies > self.majority + 2 * self._spread(self.majority)
        apart = math.hypot(self._spread(self.upright), self._spread(self.mirrored))
        alike = self.mirrored >= self.upright - 2 * apart
        return learned and (alike or (self.largest_loss <= _MARGIN and self.mirrored >= self.upright / 2))

    def _spread(self, accuracy: float) -> float:
        return math.sqrt((accuracy * (1 - accuracy) + 1 / self.images) / self.images)


def verdict(bundle: Bundle, probed: Mirroring | None = None) -> Mirroring:
    """Whether pictures of `bundle` may be mirrored: the bundle's own word, ours on a famous dataset, or a probe's.

    A verdict that was `probed` on the same images stands for another probe.
    """
    if bundle.mirror is not None:
        return Mirroring(bundle.mirror, "uploader", "whoever gave the dataset said so")
    train, outline = bundle.train.images, (bundle.class_names, len(bundle.train), len(bundle.test))
    for known in KNOWN.values():
        if known.outline == (train.shape[1:], *outline):
            return known.mirroring
    return probed if probed is not None and probed.by != "uploader" else probe(bundle.train, bundle.class_names)


def mirroring_of(stored: Mapping[str, Any] | None, shape: Sequence[int] | None = None) -> Mirroring:
    """The verdict that was stored as a dictionary.

    Datasets that were uploaded before there were verdicts have none: theirs is what was done then, by `shape`.
    """
    if stored is None:
        assert shape is not None, "asked for without a verdict"
        return Mirroring(min(shape[1:]) >= _ONCE_MIRRORED, "undecided", "it was uploaded before that was measured")
    judge: Judge = stored["by"]
    if judge not in get_args(Judge):
        raise ValueError(f"a verdict by {judge!r}")
    examples = tuple((int(place), int(label)) for place, label in stored.get("examples", ()))
    return Mirroring(bool(stored["allowed"]), judge, str(stored["reason"]), examples)


def probe(train: Images, class_names: tuple[str, ...]) -> Mirroring:
    """The verdict on training images, and its reason. Where the evidence is thin they are not to be mirrored.

    That costs at most the few points that more views are worth; mirrored where it matters, classes become one.
    """
    chosen = _sample(train)
    if len(chosen) < 2 * len(class_names):
        return Mirroring(False, "undecided", f"{len(chosen)} different images are too few to tell")
    evidence = weigh(train, chosen, len(class_names))
    told = (
        f"with mirrored copies to learn from, a small classifier recognised {_percent(evidence.with_copies)} of "
        f"{evidence.images:,} training images, and {_percent(evidence.upright)} without"
    )
    if evidence.costs:
        if evidence.confused is not None:
            one, other = (class_names[place] for place in evidence.confused)
            told += f"; mirrored, {one!r} and {other!r} are taken for each other"
        return Mirroring(False, "probe", told, evidence.examples)
    allowed = evidence.harmless
    return Mirroring(allowed, "probe" if allowed else "undecided", told, evidence.examples)


def weigh(train: Images, chosen: Labels, classes: int) -> Evidence:
    """Kernel ridge regression on the images at `chosen` with and without mirrored copies, each (and its copy) left out.

    Features are the same for all pictures, and mirrored ones have mirrored features, so that k(x', z') = k(x, z). To
    learn the copies as well is then to learn with the kernel k(x, z) + k(x, z'), and no larger a system.
    """
    labels, count = train.labels[chosen], len(chosen)
    small = _small(train.images, chosen)
    seen, turned = _features(small), _features(small[..., ::-1])
    near, far = _distances(seen, seen), _distances(seen, turned)
    scale = float(np.median(near[~np.eye(count, dtype=bool)])) or 1.0
    same, across = np.exp(-near / scale), np.exp(-(far + far.T) / (2 * scale))
    targets = np.eye(classes)[labels] - 1 / classes
    without, inverse, weights = _left_out(same, targets)
    # The weights without image i, applied to its mirrored self.
    of_mirrored = across @ weights - ((across * inverse).sum(1) / np.diag(inverse))[:, None] * weights
    taken_for = of_mirrored.argmax(1)
    with_copies, _, _ = _left_out(same + across, targets)
    before, after = without == labels, with_copies == labels
    confused = _swapped(labels, taken_for, classes) or _worst_pair(labels, without, with_copies, classes)
    return Evidence(
        images=count,
        majority=float(np.bincount(labels).max() / count),
        upright=float(before.mean()),
        mirrored=float((taken_for == labels).mean()),
        with_copies=float(after.mean()),
        lost=int((before & ~after).sum()),
        won=int((after & ~before).sum()),
        confused=confused,
        examples=_examples(chosen, labels, taken_for, before, confused),
    )


def _examples(
    chosen: Labels, labels: Labels, taken_for: Labels, known: NDArray[np.bool_], confused: tuple[int, int] | None
) -> tuple[tuple[int, int], ...]:
    """Images that are recognised as they are: of the two confused classes, then taken for another mirrored, in turn."""
    other = known & (taken_for != labels)
    first = other & np.isin(labels, confused or ()) & np.isin(taken_for, confused or ())
    turns = np.zeros(len(labels), dtype=int)  # how many of its class come before each
    for label in np.unique(labels):
        turns[labels == label] = np.arange((labels == label).sum())
    order = np.lexsort((labels, turns, ~known, ~other, ~first))[:_EXAMPLES]
    return tuple((int(chosen[place]), int(taken_for[place])) for place in order)


def _sample(train: Images) -> Labels:
    """Places of different images, evenly many of each class: a copy would be judged by the image it is a copy of."""
    places = np.sort(np.unique(pictures_of(train.images), return_index=True)[1])
    labels, quota = train.labels[places], max(1, LARGEST_SAMPLE // len(np.unique(train.labels)))
    if len(places) > LARGEST_SAMPLE:
        members = [places[labels == label] for label in np.unique(labels)]
        even = [own[np.linspace(0, len(own) - 1, min(quota, len(own))).astype(int)] for own in members]
        places = np.concatenate(even)
    return places


def _swapped(labels: Labels, taken_for: Labels, classes: int) -> tuple[int, int] | None:
    """Two classes most of whose mirrored pictures are taken for the other's."""
    table = np.zeros((classes, classes), dtype=int)
    np.add.at(table, (labels, taken_for), 1)
    counts, goals = table.sum(1), table.argmax(1)
    for one, other in enumerate(goals.tolist()):
        if one < other and goals[other] == one:
            chances = [_tail(int(table[a, b]), int(counts[a])) for a, b in ((one, other), (other, one))]
            if max(chances) < _CHANCE:
                return one, other
    return None


def _worst_pair(labels: Labels, without: Labels, with_copies: Labels, classes: int) -> tuple[int, int] | None:
    """The two classes that copies make one, by McNemar's test on what one is taken for the other, over all pairs."""
    before, after = without == labels, with_copies == labels
    tables = []
    for chosen, answers in ((before & ~after, with_copies), (after & ~before, without)):
        table = np.zeros((classes, classes), dtype=int)
        np.add.at(table, (labels[chosen], answers[chosen]), 1)
        tables.append(table + table.T)
    lost, won = tables
    pairs = [(int(a), int(b)) for a, b in np.argwhere(np.triu(lost))]
    if not pairs:
        return None
    chance, pair = min((_tail(int(lost[pair]), int(lost[pair] + won[pair])), pair) for pair in pairs)
    return pair if chance * classes * (classes - 1) / 2 < _CHANCE else None


def _left_out(kernel: Floats, targets: Floats) -> tuple[Labels, Floats, Floats]:
    """The class [n] each image is taken for by all others; the regression's inverse [n, n] and weights [n, K]."""
    inverse = np.linalg.inv(kernel + np.eye(len(kernel)) * _RIDGE * len(kernel)).astype(np.float64, copy=False)
    weights = inverse @ targets
    taken_for: Labels = (targets - weights / np.diag(inverse)[:, None]).argmax(1)
    return taken_for, inverse, weights


def _small(images: Values, chosen: Labels) -> NDArray[np.float32]:
    """The images at `chosen`, some at a time, at most so many pixels a side."""
    some = max(1, _PIXELS_AT_ONCE // images[0].size)
    parts = (chosen[first : first + some] for first in range(0, len(chosen), some))
    return np.concatenate([shrunk(images[part].astype(np.float32), _FINE) for part in parts])


def _features(images: NDArray[np.float32]) -> Floats:
    """Features of images [n, C, H, W]: pixels, edges by direction (histograms of gradients), and brightness by place.

    The first two are of length 1, whatever the contrast.
    """
    pixels = shrunk(images, _COARSE).reshape(len(images), -1)
    grey = images.mean(1)
    down, right = np.zeros_like(grey), np.zeros_like(grey)
    down[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    right[:, :, 1:-1] = grey[:, :, 2:] - grey[:, :, :-2]
    strength, direction = np.hypot(down, right), np.arctan2(down, right) / (2 * np.pi) * _BINS
    far = [np.abs((direction - place + _BINS / 2) % _BINS - _BINS / 2) for place in range(_BINS)]
    edges = shrunk(np.stack([strength * np.maximum(1 - apart, 0) for apart in far], 1), _CELLS)
    contrast = np.sqrt((edges**2).sum(1, keepdims=True)) + _FLOOR
    levels = shrunk(images, _PARTS).reshape(len(images), -1)
    parts = (
        _unit(pixels - pixels.mean(1, keepdims=True)),
        _unit((edges / contrast).reshape(len(edges), -1)),
        levels * (_BRIGHTNESS / 255 / math.sqrt(levels.shape[1])),
    )
    return np.concatenate(parts, 1).astype(np.float64)


def _unit(features: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = features / (np.linalg.norm(features, axis=1, keepdims=True) + 1e-6)
    return unit


def _distances(one: Floats, other: Floats) -> Floats:
    squared: Floats = (one**2).sum(1)[:, None] + (other**2).sum(1) - 2 * one @ other.T
    return squared.clip(0)


def _tail(least: int, tries: int) -> float:
    """The probability of `least` heads or more."""
    return float(sum(math.comb(tries, heads) for heads in range(least, tries + 1)) / 2**tries)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
