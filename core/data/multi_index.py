"""Datasets that are a formula: a target that depends on few directions of Gaussian inputs, generated and never stored.

task = parse("multi-index:d=32,r=2,link=he2-he3,n=40960,seed=0")
for x, y in task.chunks("train"):
    ...
"""

from __future__ import annotations

import difflib
import hashlib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from core.data.facts import DatasetFacts, Mirroring, UnknownDataset

FAMILY: Final = "multi-index"
"""The word before the colon of such a dataset's name."""

GRAMMAR: Final = "multi-index:d=DIMENSIONS,r=DIRECTIONS,link=LINK,n=SAMPLES,seed=SEED"
"""The form of such a name; all but d may be left out."""

EXAMPLE: Final = "multi-index:d=32,r=2,link=he2-he3"

CHUNK: Final = 16_384
"""Samples that are generated together, and depend on nothing but the dataset, the split and their place."""

TESTS: Final = 16_384
"""Samples of the test split."""

_VERSION: Final = 1  # of the formulas; raised when they would give other numbers

Floats = NDArray[np.float32]
Split = Literal["train", "test"]

_STREAMS: Final[Mapping[Split, int]] = {"train": 1, "test": 2}
_LIMITS: Final = {"d": (2, 512), "r": (1, 16), "n": (256, 50_000_000), "seed": (0, 2**32 - 1)}
_PER_SQUARE: Final = 40  # samples to the square of the dimension where a name says none


def _he2(z: Floats) -> Floats:
    """The second Hermite polynomial of each coordinate, with signs that alternate, scaled to unit variance."""
    signs = np.where(np.arange(z.shape[1]) % 2, -1, 1).astype(np.float32)
    return np.asarray(((z**2 - 1) @ signs) / np.float32(math.sqrt(2 * z.shape[1])))


def _he3(z: Floats) -> Floats:
    """The third Hermite polynomial of each coordinate, scaled to unit variance: it has no part of second degree."""
    return np.asarray((z**3 - 3 * z).sum(1) / np.float32(math.sqrt(6 * z.shape[1])))


def _mixed(z: Floats) -> Floats:
    """Second degree in each coordinate, and third degree in their sum."""
    along = z.sum(1, keepdims=True) / np.float32(math.sqrt(z.shape[1]))
    return np.float32(0.8) * _he2(z) + np.float32(0.6) * _he3(along)


def _relu(z: Floats) -> Floats:
    """A ReLU of the only coordinate, centred and scaled to unit variance."""
    mean, second = 1 / math.sqrt(2 * math.pi), 0.5
    return np.asarray((np.maximum(z[:, 0], 0) - np.float32(mean)) / np.float32(math.sqrt(second - mean**2)))


def _product(z: Floats) -> Floats:
    """The products of the first and second coordinate, the third and fourth and so on, scaled to unit variance."""
    return np.asarray((z[:, ::2] * z[:, 1::2]).sum(1) / np.float32(math.sqrt(z.shape[1] / 2)))


@final
class Link(NamedTuple):
    """A function of a sample's coordinates [n, r] in the subspace, of mean 0 and variance 1."""

    title: str
    of: Callable[[Floats], Floats]
    degree: int
    """The least degree above the first that a gradient at initialisation could see; beyond 2 it sees nothing."""
    fits: Callable[[int], bool] = lambda r: True
    fix: str = ""


LINKS: Final[Mapping[str, Link]] = MappingProxyType(
    {
        "he2": Link("second Hermite polynomials, mixed", _he2, 2),
        "he2-he3": Link("second and third Hermite polynomials", _mixed, 2),
        "he3": Link("third Hermite polynomials alone", _he3, 3),
        "relu": Link("a ReLU of one direction", _relu, 2, lambda r: r == 1, "Set r=1, or link=he2-he3."),
        "product": Link("products of two directions", _product, 2, lambda r: r % 2 == 0, "Set r=2, or link=he2-he3."),
    }
)


@final
@dataclass(frozen=True)
class MultiIndex:
    """y = g(B x) for x ~ N(0, I_d), with B [r, d] of orthonormal rows and g of mean 0 and variance 1.

    A chunk follows from dataset, split and place alone, so that any part can be made again, by anybody, in any order.
    """

    d: int
    r: int
    link: str
    n: int
    seed: int

    @property
    def name(self) -> str:
        """The name that says all of it."""
        return f"{FAMILY}:d={self.d},r={self.r},link={self.link},n={self.n},seed={self.seed}"

    @property
    def digest(self) -> str:
        """`sha256:<hex>` of the formula, which determines every sample."""
        return "sha256:" + hashlib.sha256(f"{self.name};version={_VERSION}".encode()).hexdigest()

    def subspace(self) -> Floats:
        """The directions B [r, d] that the target depends on, orthonormal."""
        drawn = np.random.default_rng([self.seed, 0]).standard_normal((self.d, self.r))
        return np.asarray(np.linalg.qr(drawn)[0].T, dtype=np.float32)

    def samples(self, split: Split) -> int:
        """How many samples a split has."""
        return self.n if split == "train" else TESTS

    def chunks(self, split: Split, first: int = 0) -> Iterator[tuple[Floats, Floats]]:
        """Inputs [m, d] and targets [m], chunk after chunk from the one of index `first` on."""
        directions, count = self.subspace().T, self.samples(split)
        for place in range(first, -(-count // CHUNK)):
            size = min(CHUNK, count - place * CHUNK)
            generator = np.random.default_rng([self.seed, _STREAMS[split], place])
            x = generator.standard_normal((size, self.d), dtype=np.float32)
            yield x, LINKS[self.link].of(x @ directions)


def is_multi_index(name: str) -> bool:
    """Whether a dataset's name is one of the family, well formed or not."""
    return name.partition(":")[0].strip().lower() in (FAMILY, FAMILY.replace("-", "_"), FAMILY.replace("-", ""))


def parse(name: str) -> MultiIndex:
    """The dataset of a name of the family.

    Raises:
        UnknownDataset: the name says no dataset; the message tells which part, and a value that works.
    """
    given = _pairs(name)
    d = _whole("d", given.get("d"))
    r = _whole("r", given.get("r", "2"))
    n = _whole("n", given.get("n", str(max(_LIMITS["n"][0], _PER_SQUARE * d * d))))
    seed = _whole("seed", given.get("seed", "0"))
    link = given.get("link", "he2-he3").lower().replace("+", "-")
    if link not in LINKS:
        raise UnknownDataset(f"{FAMILY}: there is no link {link[:40]!r}; it is one of {', '.join(LINKS)}")
    if r > d:
        raise UnknownDataset(f"{FAMILY}: {r} directions do not fit into {d} dimensions; set r to at most {d}")
    if not LINKS[link].fits(r):
        raise UnknownDataset(f"{FAMILY}: link={link} is {LINKS[link].title}, not of {r}. {LINKS[link].fix}")
    return MultiIndex(d, r, link, n, seed)


def _pairs(name: str) -> dict[str, str]:
    keys, given = (*_LIMITS, "link"), dict[str, str]()
    for part in filter(None, (part.strip() for part in name.partition(":")[2].split(","))):
        key, equals, value = (word.strip() for word in part.partition("="))
        if key not in keys or not equals:
            near = difflib.get_close_matches(key, keys, n=1)
            guess = f"did you mean {near[0]}? " if near else ""
            raise UnknownDataset(f"{FAMILY}: {part[:40]!r} says nothing; {guess}a name is {GRAMMAR}, e.g. {EXAMPLE}")
        if key in given:
            raise UnknownDataset(f"{FAMILY}: {key} is there twice; leave one of them out")
        given[key] = value
    if "d" not in given:
        raise UnknownDataset(f"{FAMILY}: it says no dimension d; a name is {GRAMMAR}, e.g. {EXAMPLE}")
    return given


def _whole(key: str, text: str | None) -> int:
    low, high = _LIMITS[key]
    if text is None or not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
        shown = (text or "")[:20]
        raise UnknownDataset(f"{FAMILY}: {key}={shown} is no whole number from {low} to {high}; set {key} to one")
    return int(text)


def family() -> DatasetFacts:
    """The family in one row of a list of datasets: an example's facts, and in the title how others are called."""
    return replace(facts_of(parse(EXAMPLE)), title=f"A family of regressions: {GRAMMAR}")


def facts_of(task: MultiIndex) -> DatasetFacts:
    """The facts of such a dataset: rows of d numbers with one target, of which every machine makes the same."""
    return DatasetFacts(
        name=task.name,
        title=f"{task.d} dimensions, {task.r} of which matter: {LINKS[task.link].title}",
        shape=(task.d, 1, 1),
        classes=1,
        class_names=("target",),
        train_count=task.n,
        test_count=TESTS,
        smallest_class=task.n,
        digest=task.digest,
        licence="none needed: a formula",
        citation="",
        on_disk=True,
        source="formula",
        where=f"generated when it is read, chunk by chunk, and never stored; a name is {GRAMMAR}, all but d optional, "
        f"and the link is one of {', '.join(LINKS)}",
        mirroring=Mirroring(False, "known", "it is no picture"),
        kind="vectors",
    )
