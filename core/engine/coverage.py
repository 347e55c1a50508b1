"""Coverage: how much of the test split lies near one of a set of images, of its easy and of its hard half.

Reconstructed from Lee & Chung, "SelMatch", ICML 2024, which measures in a feature space which test images lie within a
radius of a training image, for easy and hard test images apart; its radius, network and halves could not be verified.
Here:

- features are what a network of the recipe hands to its linear layer, once it is trained on the training split;
- an image is the harder, the less probability the network gives to its class, in the mean over the epochs of that
  training (the learning speed of Jiang et al. 2021, of images it does not learn from). The hard half are those above
  the median;
- the radius is the mean distance of a training image to the nearest other one, of any class;
- a test image is covered where an image of the set, of any class, is no farther than that.

Test images are looked at, so that this is for reports and never for a choice.
"""

from __future__ import annotations

import statistics
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from core import recipe
from core.engine import balance, features
from core.engine.evaluate import Trained, answers
from core.engine.kernels import Kernels
from core.engine.keys import Key
from core.engine.neighbours import squares
from core.engine.networks import Network
from core.engine.real import Labelled, Real
from core.engine.train import sgd
from core.plan import limits
from core.report import Coverage, Covered

_POINTS = 40  # of a curve, beside its origin
_REACHED = 0.99  # share of the test images that random images reach where the curves end


@dataclass(frozen=True)
class Witness:
    """The network whose features are compared, and `difficulty` [n] of the test images, from 0 to 1."""

    trained: Trained
    difficulty: Tensor

    @property
    def is_sound(self) -> bool:
        """Whether its training came to numbers, so that there are distances between its features."""
        return bool(self.trained.theta.isfinite().all())


@dataclass(frozen=True)
class Distances:
    """Distance of each test image to the nearest image: of the result [n], of each random draw [S, n], of the training
    split [n]; and the radius within which one counts as covered."""

    own: Tensor
    random: Tensor
    full: Tensor
    radius: float


def learn(coverage: recipe.Coverage, kernels: Kernels, real: Real, key: Key) -> Generator[float, None, Witness]:
    """Train the network and watch how it does on the test split; yields the share of the work that is done."""
    data = real.train
    labels = balance.supervision(data.labels, kernels.network.classes, coverage.balance)
    wrong = torch.zeros(len(real.test), device=data.device)
    for moment in sgd(kernels, data.take, labels, features.protocol(coverage), [key]):
        if moment.step == 0 and moment.epoch:
            now = Trained(moment.theta[0], moment.moments(0), 0.0)
            wrong = wrong + 1 - _confidence(kernels, now, real.test)
        yield moment.epochs / coverage.epochs
    return Witness(now, wrong / coverage.epochs)


def distances(
    network: Network, witness: Witness, real: Real, images: Tensor, draws: Tensor
) -> Generator[float, None, Distances]:
    """Distances to a result, to random draws and to everything; yields the share of the work that is done.

    Features of the test split are held, those of all other images a batch at a time.

    Args:
        network, witness: whose features are compared.
        real: the data.
        images: of the result, [n, C, H, W] in the preprocessed space.
        draws: int64 [S, n] of training images, as many as the result has.
    """
    data, device = real.train, real.device
    test = _all(network, witness, real.test)
    places = torch.arange(0, len(data), -(-len(data) // limits.SPACED), device=device)
    probes = features.embed(network, witness.trained, data, places)
    drawn = torch.zeros(len(draws), len(data), dtype=torch.bool, device=device).scatter(1, draws, True)
    full, own, spacing = (torch.full((len(to),), torch.inf, device=device) for to in (test, test, probes))
    random = full.repeat(len(draws), 1)
    for index in torch.arange(len(data), device=device).split(limits.TESTED):
        part = features.embed(network, witness.trained, data, index)
        apart = squares(test, part)
        full = torch.minimum(full, apart.amin(1))
        theirs = (apart[:, members] for members in drawn[:, index])
        random = torch.stack([_nearer(*pair) for pair in zip(random, theirs, strict=True)])
        among = squares(probes, part).masked_fill_(places[:, None] == index, torch.inf)
        spacing = torch.minimum(spacing, among.amin(1))
        yield float(index[-1] + 1) / len(data)
    synthetic = Labelled(images, torch.zeros(len(images), dtype=torch.int64, device=device), None)
    for part in _parts(network, witness, synthetic):
        own = torch.minimum(own, squares(test, part).amin(1))
    return Distances(own.sqrt(), random.sqrt(), full.sqrt(), float(spacing.sqrt().mean()))


def table(
    found: Distances, witness: Witness, training: recipe.Coverage, network: str, images: int, everything: int
) -> Coverage:
    """The coverage of a report: shares of each half at the radius, and curves over multiples of it.

    Args:
        found, witness: what was measured.
        training, network: how the witness was trained, and its network's name.
        images: of the result, and of each draw.
        everything: images of the training split.
    """
    hard = torch.zeros(len(witness.difficulty), dtype=torch.bool, device=witness.difficulty.device)
    hard[witness.difficulty.sort(stable=True).indices[len(hard) - len(hard) // 2 :]] = True
    halves = {"easy": ~hard, "hard": hard}
    sets = {"distilled": found.own[None], "random": found.random, "full": found.full[None]}
    counts = {"distilled": images, "random": images, "full": everything}
    reached = float(found.random.mean(0).quantile(_REACHED))
    end = max(2.0, reached / found.radius) if found.radius else 2.0  # 0 where every image has a twin
    multiples = [round(end * point / _POINTS, 4) for point in range(_POINTS + 1)]

    def shares(near: Tensor, half: str, multiple: float) -> list[float]:
        return (near[:, halves[half]] <= multiple * found.radius).double().mean(1).tolist()

    def line(name: str, near: Tensor) -> Covered:
        easy, hard = (shares(near, half, 1.0) for half in halves)
        return Covered(
            name=name,
            images=counts[name],
            draws=len(near),
            easy=statistics.fmean(easy),
            hard=statistics.fmean(hard),
            easy_std=statistics.stdev(easy) if len(easy) > 1 else None,
            hard_std=statistics.stdev(hard) if len(hard) > 1 else None,
        )

    return Coverage(
        network=network,
        training=training.model_dump(mode="json"),
        radius=found.radius,
        test_images={half: int(of.sum()) for half, of in halves.items()},
        sets=tuple(line(name, near) for name, near in sets.items()),
        curves={
            "multiples": multiples,
            **{
                name: {half: [statistics.fmean(shares(near, half, m)) for m in multiples] for half in halves}
                for name, near in sets.items()
            },
        },
    )


def _confidence(kernels: Kernels, now: Trained, data: Labelled) -> Tensor:
    """Probability of the true class, [n]."""
    return answers(kernels, now, data).softmax(1).gather(1, data.labels[:, None])[:, 0]


def _parts(network: Network, witness: Witness, data: Labelled) -> Iterator[Tensor]:
    for index in torch.arange(len(data), device=data.device).split(limits.TESTED):
        yield features.embed(network, witness.trained, data, index)


def _all(network: Network, witness: Witness, data: Labelled) -> Tensor:
    return torch.cat(list(_parts(network, witness, data)))


def _nearer(known: Tensor, apart: Tensor) -> Tensor:
    return torch.minimum(known, apart.amin(1)) if apart.shape[1] else known
