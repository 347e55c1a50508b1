"""Fresh networks trained under a stated protocol, and how well they do on data they never saw.

What takes long is a generator: it yields the share of its work that is done, and returns its result.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from core.engine.kernels import Kernels
from core.engine.keys import Key
from core.engine.networks import Moments
from core.engine.real import Labelled, Real
from core.engine.synthetic import SyntheticDataset
from core.engine.train import Curriculum, Protocol, TrainState, drawn, learn, sgd, shared, stack_for
from core.engine.view_labels import Replay, lesson
from core.plan import limits
from core.recipe import Augment, Evaluation, FullTraining, Recipe
from core.recipe.balance import Measure
from core.recipe.relabel import replay_steps
from core.worth import balanced

CONFUSED = 256
"""Classes up to which a result has a table of which are taken for which: of more it would outweigh the images."""

_LAG = 0.1  # accuracy behind the best look
_ERRORS = 4  # standard errors of the difference of two accuracies, on top of it


@dataclass(frozen=True)
class Draws:
    """Real data, of which each of S networks sees a choice of its own, `chosen` int64 [S, n]."""

    data: Labelled
    chosen: Tensor


@dataclass(frozen=True)
class Replays:
    """Images whose views are labelled: one replay for all networks, or one for each."""

    each: tuple[Replay, ...]


Images = Tensor | Labelled | Draws | Replays
"""The images that networks are trained on: the same [n, C, H, W] or data for all, draws, or labelled views.

Labelled views bring their labels with them, which take the place of the images' own.
"""


def on_synthetic(
    evaluation: Evaluation, augment: Augment, lr: float, real: Tensor | None = None, temperature: float = 1.0
) -> Protocol:
    """The recipe's protocol for training on the synthetic set, or on as many images of which `real` [n] are real.

    `temperature` is that of their labels.
    """
    return Protocol(
        evaluation.epochs,
        evaluation.batch_size,
        lr,
        evaluation.momentum,
        evaluation.weight_decay,
        evaluation.schedule,
        augment if evaluation.augment else Augment(transforms=()),
        evaluation.policy,
        real,
        optimiser=evaluation.optimiser,
        temperature=temperature,
        cutmix=evaluation.cutmix,
    )


def on_result(recipe: Recipe, result: SyntheticDataset) -> Protocol:
    """The recipe's protocol for training on a result, in the order of its stages if it has any.

    The rate is the evaluation's own, or the step size that was learned, of stages in each.
    """
    evaluation = recipe.evaluation
    if result.stage is None:
        rate = evaluation.lr or result.step_size
        assert rate is not None, "an objective that learns no step size comes with evaluation.lr"
        return on_synthetic(evaluation, recipe.augment, rate, result.real)
    rates = result.step_sizes if evaluation.lr is None else (evaluation.lr,) * (int(result.stage.max()) + 1)
    protocol = on_synthetic(evaluation, recipe.augment, rates[-1], result.real)
    return replace(protocol, curriculum=Curriculum(result.stage, rates))


def on_full(full: FullTraining, augment: Augment) -> Protocol:
    """The recipe's protocol for the reference on the full training set."""
    return Protocol(full.epochs, full.batch_size, full.lr, 0.9, 5e-4, "cosine", augment)


@dataclass(frozen=True)
class Trained:
    """A trained network: theta [P], for batch norm its running moments, and its share of the seconds it took."""

    theta: Tensor
    moments: Moments | None
    seconds: float


@dataclass(frozen=True)
class Score:
    """Test and validation accuracy of one trained network, and test accuracy per class [K].

    `confusion` int64 [pairs, 3] are the pairs of classes that there are, of a test image and what it was taken for, and
    the number of such images: a table of all classes would grow with their square.
    """

    accuracy: float
    validation: float
    per_class: tuple[float, ...]
    seconds: float
    confusion: Tensor = field(repr=False, compare=False)

    @property
    def balanced(self) -> float:
        """Balanced test accuracy."""
        own, _, counts = self.confusion.unbind(1)
        members = torch.zeros(len(self.per_class), dtype=torch.int64).index_add_(0, own, counts)
        return balanced(self.per_class, members.tolist())

    @property
    def one_class(self) -> bool:
        """Whether it answers one class whatever it is shown."""
        return len(self.confusion[:, 1].unique()) == 1


@dataclass(frozen=True)
class Result:
    """Scores of several fresh networks trained on one set; accuracies are shares of 1.

    `lr` is the rate they were trained with, of a curriculum in its last stage.
    """

    name: str
    images: int
    network: str
    lr: float
    scores: tuple[Score, ...] = field(repr=False)

    @property
    def each(self) -> tuple[Result, ...]:
        """The results of its networks, one by one."""
        return tuple(replace(self, scores=(score,)) for score in self.scores)

    @property
    def mean(self) -> float:
        """Mean test accuracy."""
        return statistics.fmean(score.accuracy for score in self.scores)

    @property
    def std(self) -> float:
        """Sample standard deviation of the test accuracy; 0 for one seed."""
        return statistics.stdev(score.accuracy for score in self.scores) if len(self.scores) > 1 else 0.0

    @property
    def balanced(self) -> float:
        """Mean balanced test accuracy."""
        return statistics.fmean(score.balanced for score in self.scores)

    @property
    def balanced_std(self) -> float:
        """Sample standard deviation of the balanced test accuracy; 0 for one seed."""
        return statistics.stdev(score.balanced for score in self.scores) if len(self.scores) > 1 else 0.0

    @property
    def validation(self) -> float:
        """Mean validation accuracy."""
        return statistics.fmean(score.validation for score in self.scores)

    @property
    def confusion(self) -> list[list[int]] | None:
        """Test images of all networks together, by their class (rows) and by the one they were taken for (columns).

        None of more than `CONFUSED` classes.
        """
        classes = len(self.scores[0].per_class)
        if classes > CONFUSED:
            return None
        own, taken, counts = torch.cat([score.confusion for score in self.scores]).unbind(1)
        table = torch.zeros(classes, classes, dtype=torch.int64)
        found: list[list[int]] = table.index_put_((own, taken), counts, accumulate=True).tolist()
        return found


@dataclass(frozen=True)
class Look:
    """Validation accuracy of a network, or balanced accuracy, and what it was at each rung (on some of the images).

    A look that was `given_up` ended at the last rung it lists.
    """

    accuracy: float
    rungs: tuple[float, ...] = ()
    given_up: bool = False


def train(
    kernels: Kernels,
    images: Images,
    labels: Tensor,
    protocol: Protocol,
    keys: Sequence[Key],
    rates: Sequence[float] | None = None,
) -> Generator[float, None, list[Trained]]:
    """Train a fresh network a key, as many together as `stack_for` says.

    `labels` are probabilities, [n, K] or, a network's own, [S, n, K].
    """
    stack = stack_for(kernels.network, min(labels.shape[-2], protocol.batch_size), labels.device)
    trained: list[Trained] = []
    for first in range(0, len(keys), stack):
        part = slice(first, first + stack)
        started, size = time.perf_counter(), len(keys[part])
        for moment in _course(kernels, images, labels, protocol, keys, part, rates):
            yield (first + size * moment.epochs / protocol.total_epochs) / len(keys)
        seconds = (time.perf_counter() - started) / size
        trained += [Trained(moment.theta[s], moment.moments(s), seconds) for s in range(size)]
    return trained


def answers(kernels: Kernels, trained: Trained, data: Labelled) -> Tensor:
    """The logits [n, K] of a trained network."""
    with torch.no_grad():
        return torch.cat([kernels.logits(trained.theta, x, trained.moments) for x in data.batches(limits.TESTED)])


def accuracy(kernels: Kernels, trained: Trained, data: Labelled) -> tuple[float, tuple[float, ...]]:
    """Overall accuracy, and accuracy per class."""
    return graded(answers(kernels, trained, data).argmax(1), data.labels, kernels.network.classes)


def measured(measure: Measure, kernels: Kernels, trained: Trained, data: Labelled) -> float:
    """Accuracy, or the mean of each class's, of the classes that there are images of."""
    overall, per_class = accuracy(kernels, trained, data)
    if measure == "accuracy":
        return overall
    return balanced(per_class, torch.bincount(data.labels, minlength=kernels.network.classes).tolist())


def telling(measure: Measure, labels: Tensor) -> float:
    """Images that would tell an accuracy as surely, were each of them counted alike: for a balanced one fewer.

    That is the number of classes times the harmonic mean of their sizes; `labels` int64 [n] are those of a split.
    """
    if measure == "accuracy":
        return float(len(labels))
    counts = torch.bincount(labels)
    counts = counts[counts > 0].double()
    return float(len(counts) ** 2 / (1 / counts).sum())


def score(guesses: Tensor, labels: Tensor, classes: int, validation: float, seconds: float) -> Score:
    """The score of a network that takes the test images of `labels` int64 [n] for the classes `guesses` int64 [n]."""
    test, per_class = graded(guesses, labels, classes)
    pairs, counts = torch.stack((labels, guesses), 1).unique(dim=0, return_counts=True)
    return Score(test, validation, per_class, seconds, torch.cat((pairs, counts[:, None]), 1).cpu())


def graded(guesses: Tensor, labels: Tensor, classes: int) -> tuple[float, tuple[float, ...]]:
    """Overall accuracy of guessed classes int64 [n], and accuracy per class."""
    right = (guesses == labels).float()
    hits = torch.zeros(classes, device=right.device).index_add_(0, labels, right)
    counts = torch.bincount(labels, minlength=classes).clamp_min(1)
    return float(right.mean()), tuple((hits / counts).tolist())


def evaluate(
    name: str, kernels: Kernels, images: Images, labels: Tensor, real: Real, protocol: Protocol, keys: Sequence[Key]
) -> Generator[float, None, Result]:
    """Train a fresh network a key and test each."""
    scores: list[Score] = []
    for trained in (yield from train(kernels, images, labels, protocol, keys)):
        scores.append(scored(kernels, trained, real))
        yield 1.0
    return Result(name, labels.shape[-2], kernels.network.name, protocol.lr, tuple(scores))


def judged(name: str, kernels: Kernels, trained: Trained, lr: float, real: Real) -> Result:
    """The result of one network that was trained before, on the training split at an initial rate of `lr`."""
    return Result(name, len(real.train), kernels.network.name, lr, (scored(kernels, trained, real),))


def tune(
    kernels: Kernels,
    images: Images,
    labels: Tensor,
    real: Real,
    protocol: Protocol,
    rates: Sequence[float],
    key: Key,
    measure: Measure = "accuracy",
) -> Generator[float, None, list[float]]:
    """The validation split's `measure` of the same fresh network trained at each of the learning rates."""
    found = yield from train(kernels, images, labels, protocol, [key] * len(rates), rates)
    return [measured(measure, kernels, trained, real.validation) for trained in found]


def look(
    kernels: Kernels,
    images: Tensor,
    labels: Tensor,
    real: Real,
    protocol: Protocol,
    key: Key,
    rungs: Sequence[float] = (),
    best: Look | None = None,
    measure: Measure = "accuracy",
) -> Generator[float, None, Look]:
    """How one fresh network does on the validation split, at the end and after the shares `rungs` of its epochs.

    Given the best look so far, this one is given up at a rung where it lies hopelessly behind what that one was there:
    by more than ten points and four standard errors of such a difference. The margin is wide because a wrong choice
    costs more than a look: what could still win by any ordinary luck is trained to its end. The accuracy of a look that
    was given up is its last rung's. Rungs before epoch 20 are left out: they foretell nothing.
    """
    sample = real.validation.sample(limits.RUNG_IMAGES)
    margin = _LAG + _ERRORS * math.sqrt(2 * 0.25 / _counting(sample, measure))
    places = {epoch for share in rungs if (epoch := int(share * protocol.total_epochs)) >= limits.EARLIEST_RUNG}
    found: list[float] = []
    for moment in sgd(kernels, shared(images), labels, protocol, [key]):
        now = Trained(moment.theta[0], moment.moments(0), 0.0)
        if moment.step == 0 and moment.epoch in places:
            found.append(measured(measure, kernels, now, sample))
            if best and len(best.rungs) >= len(found) and found[-1] < best.rungs[len(found) - 1] - margin:
                return Look(found[-1], tuple(found), given_up=True)
        yield moment.epochs / protocol.total_epochs
    return Look(measured(measure, kernels, now, real.validation), tuple(found))


def _counting(data: Labelled, measure: Measure) -> float:
    """How many images of which all count alike would tell as much."""
    if measure == "accuracy":
        return len(data)
    counts = torch.bincount(data.labels)
    counts = counts[counts > 0]
    return len(counts) ** 2 / float((1 / counts).sum())


def scored(kernels: Kernels, trained: Trained, real: Real) -> Score:
    """The score of a trained network on the test split, with its accuracy on the validation split."""
    guesses = answers(kernels, trained, real.test).argmax(1)
    validation, _ = accuracy(kernels, trained, real.validation)
    return score(guesses, real.test.labels, kernels.network.classes, validation, trained.seconds)


def _course(
    kernels: Kernels,
    images: Images,
    labels: Tensor,
    protocol: Protocol,
    keys: Sequence[Key],
    part: slice,
    rates: Sequence[float] | None,
) -> Iterator[TrainState]:
    """The training of a part of the networks."""
    own, rates = keys[part], rates[part] if rates else None
    labels = labels if labels.ndim == 2 else labels[part]
    match images:
        case Labelled():
            return sgd(kernels, images.take, labels, protocol, own, rates)
        case Draws():
            return sgd(kernels, drawn(images.data.take, images.chosen[part]), labels, protocol, own, rates)
        case Replays(each=each):
            steps = replay_steps(len(each[0].images), protocol.epochs, each[0].labels.index.shape[1])
            shown = lesson(each if len(each) == 1 else each[part], protocol, own, steps)
            return learn(kernels, shown, steps, protocol, own, labels.device, rates)
        case _:
            return sgd(kernels, shared(images), labels, protocol, own, rates)
