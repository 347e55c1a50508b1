"""Classes of unequal size: what each learns of a rare one, and that each counts alike where a recipe says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.data import Catalogue, Dataset, Images
from core.engine import balance, evaluate, experts, features, ridge, scores, targets, teacher
from core.engine.augment import dsa
from core.engine.evaluate import Trained
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.networks import build
from core.engine.objectives import performance, regression
from core.engine.preprocess import Transform
from core.engine.real import Labelled, Real, prepare
from core.engine.run import distil
from core.engine.synthetic import Synthetic
from core.engine.train import order
from core.methods import Task, method
from core.overrides import override
from core.plan.cache_names import CacheNames
from core.plan.race import Candidate, Entrants
from core.plan.sizing import Sizing
from core.recipe import (
    Augment,
    El2n,
    Embedding,
    Experts,
    Forgetting,
    LearnedScore,
    MeanStd,
    Network,
    Performance,
    Pool,
    Recipe,
    Regression,
    Solved,
    Teacher,
)
from core.recipe.balance import Balance, Weighting
from tests.engine import still
from tests.engine.conftest import small
from tests.engine.still import result

KEY = Key(17)
LABELS = torch.tensor([0] * 10 + [1] * 90)
ALIKE: tuple[Weighting, ...] = ("none", "loss")
NETWORK = build(Network(width=8, depth=2), (1, 8, 8), 2)


def one_or_other(digit: int) -> Dataset:
    """Digits in two classes, of 1 : 9."""
    whole = Catalogue(Path("nowhere")).load("digits")

    def two(part: Images) -> Images:
        return Images(part.images, (part.labels != digit).astype(np.int64))

    facts = replace(whole.facts, classes=2, class_names=(str(digit), "other"))
    return Dataset(facts, two(whole.train), two(whole.validation), two(whole.test))


@dataclass(frozen=True)
class OnlyRandom:
    """Random images of any size, and no other candidate."""

    recipe: Recipe

    def __call__(self, ipc: int, seconds: float, names: Sequence[str], /) -> Entrants:
        return Entrants(
            candidates=(Candidate(name="random", recipe=self.recipe),), seconds=seconds, networks=2, epochs=2
        )

    def evaluating(self, ipc: int, /) -> float:
        return 1.0


@pytest.fixture(scope="module")
def unequal() -> Real:
    return prepare(one_or_other(8), MeanStd(), torch.device("cpu"))


@pytest.fixture
def one_picture(unequal: Real) -> Real:
    """The same picture a hundred times, ten times in the one class and ninety times in the other."""
    train = Labelled(unequal.train.stored[:1].expand(100, -1, -1, -1), LABELS, unequal.train.transform)
    return replace(unequal, train=train, members=(torch.arange(10), torch.arange(10, 100)))


def test_weights_give_each_class_the_same_sum() -> None:
    weights = balance.weights(LABELS, 3)  # of the third class there is no image
    assert weights.sum() == pytest.approx(100)
    assert weights[:10].sum() == pytest.approx(50)
    assert torch.equal(balance.supervision(LABELS, 2, "loss").sum(1), balance.weights(LABELS, 2))
    assert torch.equal(balance.supervision(LABELS, 2, "batches").sum(1), torch.ones(100))


def test_balanced_epochs_hold_as_many_of_each_class_and_all_of_the_rare_one() -> None:
    members = balance.members(LABELS, 2, "batches")
    first, again = (order([KEY], epoch, 99, LABELS.device, members)[0] for epoch in (0, 1))
    assert torch.bincount(LABELS[first]).tolist() == [50, 49]
    assert set(range(10)) <= set(first.tolist())
    assert len(set(first[LABELS[first] == 1].tolist())) == 49
    assert not torch.equal(first, again)
    assert balance.members(LABELS, 2, "loss") is None


@pytest.mark.parametrize(
    ("kind", "count", "sums"), [("none", 100, [10, 90]), ("loss", 100, [50, 50]), ("batches", 30, [15, 15])]
)
def test_drawn_images_count_as_there_are_or_alike(
    kind: Balance, count: int, sums: list[int], one_picture: Real
) -> None:
    chosen, weights = balance.drawn(one_picture, count, kind, KEY)
    assert len(set(chosen.tolist())) == len(chosen)
    assert [float(weights[LABELS[chosen] == c].sum()) for c in (0, 1)] == pytest.approx(sums, abs=3)


@pytest.mark.parametrize(("kind", "answer"), [("none", 0.4), ("loss", 0.0), ("batches", 0.0)])
def test_targets_of_a_regression_hold_the_prior_unless_classes_count_alike(
    kind: Balance, answer: float, one_picture: Real
) -> None:
    """Where pictures tell nothing, the least squared error is at the mean of the centred truth: (0.1 - 0.9) / 2."""
    images = one_picture.train.take(torch.tensor([0, 0]))
    objective = Regression(real_batch=100, ridge=1e-9, pool=Pool(networks=1), balance=kind)
    for target, at_rest in ((answer, True), (0.4 - answer, False)):
        labels = torch.tensor([[-target, target]]).repeat(2, 1)
        seen = Synthetic(images, labels, torch.tensor(1.0))
        _, gradients, _ = regression.loss(objective, NETWORK, one_picture, False, seen, KEY, 0, None)
        assert gradients.labels is not None
        assert (float(gradients.labels.abs().max()) < 1e-4) == at_rest


@pytest.mark.parametrize(("alike", "answer"), [(False, 0.4), (True, 0.0)])
def test_solved_targets_hold_it_no_more_either(alike: bool, answer: float, one_picture: Real) -> None:
    pairs = list(ridge.pairs(ridge.PIXELS, one_picture.train, 2, alike))
    w = ridge.classifier(pairs, 1e-9)
    answers = ridge.PIXELS(one_picture.train.take(torch.tensor([0]))) @ w
    assert answers[0].tolist() == pytest.approx([-answer, answer], abs=1e-4)


def test_solved_targets_know_a_class_of_eight_images_among_a_thousand() -> None:
    """Evenly spaced images have one of that class among them, or none."""
    whole = prepare(one_or_other(0), MeanStd(), torch.device("cpu"))
    rare, others = whole.members
    kept = torch.cat([others[:501], rare[:8], others[501:]])
    train = replace(whole.train, stored=whole.train.stored[kept], labels=whole.train.labels[kept])
    real = replace(whole, train=train, members=tuple((train.labels == c).nonzero().flatten() for c in (0, 1)))
    images = torch.cat([train.take(own[:4]) for own in real.members])
    solved = targets.solve(
        Solved(support=100, networks=3, balance="loss"),
        NETWORK,
        images,
        torch.tensor([0, 1]).repeat_interleave(4),
        real,
    )
    featurize = ridge.of_networks(NETWORK, [KEY], real.device)
    answers = featurize(next(real.validation.batches(1000))) @ ridge.weights(featurize(images), solved)
    assert evaluate.graded(answers.argmax(1), real.validation.labels, 2)[1][0] > 0.8


@pytest.mark.parametrize(("kind", "share"), [("none", 0.9), ("loss", 0.5)])
def test_a_student_s_loss_on_real_images_counts_classes_alike(kind: Balance, share: float, one_picture: Real) -> None:
    images = one_picture.train.take(torch.tensor([0, 0]))
    objective = Performance(syn_steps=1, real_batch=100, balance=kind)
    seen = Synthetic(images, torch.eye(2), torch.tensor(1e-9))
    plain = Augment(transforms=())
    found, _ = performance.loss(objective, Eager(NETWORK), plain, one_picture, 0, 1, seen, KEY, 0)
    theta = NETWORK.init(KEY.fold("student", 0).fold("network"))
    logs = NETWORK.apply(theta, dsa(images[:1], plain, KEY)).log_softmax(1)[0]
    assert float(found) == pytest.approx(-float((1 - share) * logs[0] + share * logs[1]), abs=1e-4)


@pytest.mark.parametrize(("kind", "knows"), [("none", False), ("batches", True), ("loss", True)])
def test_an_expert_knows_a_rare_class_only_where_it_counts(kind: Balance, knows: bool, unequal: Real) -> None:
    """After six epochs: as there are, it answers the larger class whatever it is shown."""
    asked = Experts(batch_size=64, balance=kind)
    for moment in experts.train(Eager(NETWORK), unequal.train, 2, asked, Augment(transforms=()), 6, [KEY]):
        trained = Trained(moment.theta[0], None, 0.0)
    found = evaluate.measured("balanced", Eager(NETWORK), trained, unequal.validation)
    assert found > 0.7 if knows else found < 0.55


def test_a_teacher_s_batches_are_balanced_as_well(unequal: Real) -> None:
    network = build(Network(width=4, depth=2, norm="batch"), (1, 8, 8), 2)
    found = []
    for kind in ("none", "batches"):
        work = teacher.train(
            Teacher(epochs=1, augment=False, balance=kind), Eager(network), unequal.train, Augment(), KEY
        )
        try:
            while True:
                next(work)
        except StopIteration as end:
            guesses = network.apply(end.value.theta, next(unequal.validation.batches(1000)), end.value.moments)
            found.append(float((guesses.argmax(1) == 0).float().mean()))
    assert found[1] > found[0] + 0.1


def faint(n: int, key: Key, transform: Transform | None) -> Labelled:
    """Noise of two classes of 9 : 1, of which the rare one is brighter by a part of it, where no network is sure."""
    labels = (key.fold("classes").uniform(n) < 0.1).long()
    images = 110 + 40 * key.fold("noise").normal(n, 1, 8, 8)
    images[:, :, 2:6, 2:6] += 18 * labels.view(-1, 1, 1, 1)
    return Labelled(images.clamp(0, 255).to(torch.uint8), labels, transform)


def test_a_teacher_for_which_classes_count_alike_may_be_right_about_fewer_images_than_the_large_one_has(
    unequal: Real,
) -> None:
    train, validation = (faint(n, KEY.fold(n), unequal.transform) for n in (2000, 400))
    members = tuple((train.labels == c).nonzero().flatten() for c in (0, 1))
    real = replace(unequal, train=train, validation=validation, members=members)
    known = still.taught(small("rded", teacher__balance="batches", teacher__epochs=6), real)
    assert known is not None
    largest = float((validation.labels == 0).float().mean())
    assert teacher.accuracy(known, validation) < largest
    assert teacher.accuracy(known, validation, "balanced") > 0.7
    with pytest.raises(teacher.TeacherAtChance, match="the most frequent class"):
        teacher.examine(known, real)


def test_a_teacher_that_is_right_about_four_in_five_of_either_class_passes_and_one_of_a_single_answer_does_not(
    unequal: Real,
) -> None:
    network = build(Network(width=4, depth=2), (1, 8, 8), 2)
    work = teacher.train(Teacher(epochs=4, balance="batches"), Eager(network), unequal.train, Augment(), KEY)
    known = teacher.Teacher(Eager(network), result(work).theta, None)
    guesses = known.logits(next(unequal.validation.batches(1000))).argmax(1)
    eight, other = (int((guesses == c).nonzero()[0]) for c in (0, 1))
    shown = torch.tensor([eight] * 8 + [other] * 2 + [other] * 72 + [eight] * 18)
    split = Labelled(unequal.validation.stored[shown], LABELS, unequal.validation.transform)
    real = replace(unequal, validation=split)
    assert teacher.examine(known, real, "balanced").startswith("The teacher is right about 80.0% of a class")
    single = torch.zeros(network.size)
    single[-1] = 1.0  # the bias of the larger class
    with pytest.raises(teacher.TeacherAtChance, match=r"one class about 50\.0%"):
        teacher.examine(replace(known, theta=single), real, "balanced")


@pytest.mark.parametrize("kind", [Forgetting, El2n])
def test_images_of_a_rare_class_are_not_hard_because_it_is_rare(kind: type[LearnedScore], unequal: Real) -> None:
    """As there are, hardly any image of the rare class is ever right, and one is as hard as the other."""
    found, rare = [], unequal.train.labels == 0
    for alike in ALIKE:
        asked = kind(epochs=3, batch_size=64, lr=0.02, augment=False, balance=alike)
        score = result(scores.difficulty(asked, Eager(NETWORK), unequal.train, Augment(), [KEY]))["score"][0]
        found.append(float(score[rare].mean() - score[~rare].mean()))
    assert found[1] < 0.5 * found[0]


def test_a_network_that_embeds_knows_a_rare_class(unequal: Real) -> None:
    found = []
    for alike in ALIKE:
        asked = Embedding(epochs=2, batch_size=64, balance=alike)
        trained = result(features.train(asked, Eager(NETWORK), unequal.train, KEY))
        found.append(evaluate.measured("balanced", Eager(NETWORK), trained, unequal.validation))
    assert found[1] > found[0] + 0.1


def test_the_reference_on_everything_lies_above_random_images() -> None:
    """As there are, it answers the larger class after so few epochs, and the gap would be below nothing."""
    dataset = one_or_other(8)
    few = {"evaluation.epochs": 60, "evaluation.seeds": 1, "evaluation.full.epochs": 6, "network.width": 8}
    few |= {"evaluation.baseline_lrs": [0.03]}
    recipe = override(method("random").recipe(Task.of(dataset.facts, 10)), few)
    asked = Sizing(gap=0.9, begin=10, largest=10, seconds=2)
    done = distil(recipe, dataset, 10, 0, searching=asked, sizes=OnlyRandom(recipe))
    found = {line["name"]: line["balanced_accuracy_mean"] for line in done.rows}
    assert found["full"] > found["random"] + 0.05
    assert done.context.aim is not None
    assert done.context.aim.full == pytest.approx(found["full"], abs=0.1)


def test_a_reference_is_kept_under_a_name_that_says_how_classes_count() -> None:
    recipe = method("random").recipe(Task("digits", 10, (1, 8, 8), 2, mirror=False))
    each = [override(recipe, {"evaluation.full.balance": kind}) for kind in ALIKE]
    plain, alike = (CacheNames(one, "digest", (1, 8, 8)).reference() for one in each)
    assert plain != alike


def test_looks_and_choices_go_by_the_measure_of_the_recipe(unequal: Real) -> None:
    """A network that always answers the larger class is right nine times in ten, and half right."""
    theta = NETWORK.init(KEY) * 0
    theta[-1] = 1.0  # the bias of the second class
    trained, data = Trained(theta, None, 0.0), unequal.validation
    assert evaluate.measured("accuracy", Eager(NETWORK), trained, data) == pytest.approx(0.9, abs=0.02)
    assert evaluate.measured("balanced", Eager(NETWORK), trained, data) == 0.5
    others = replace(data, stored=data.stored[data.labels == 1], labels=data.labels[data.labels == 1])
    assert evaluate.measured("balanced", Eager(NETWORK), trained, others) == 1  # the class that there are images of
