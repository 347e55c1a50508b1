"""The measurements of advice: on the validation split alone, within their time, resumed where they were left."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from core.advice.measured import Measured
from core.advice.order import Question
from core.advice.study import Study, WindowPoint, study
from core.advice.verdict import answer
from core.data import Dataset, Images
from core.engine.advice import assist, measure
from core.engine.crew import Answer
from core.engine.directions import counted, spectrum
from core.engine.evaluate import Trained
from core.engine.journal import Journal
from core.engine.keys import Key
from core.engine.networks import build
from core.engine.workspace import Drained, InMemory
from core.overrides import override
from core.recipe import Linear
from tests.engine.test_crew import Others

CHEAP = {"network.width": 4, "evaluation.epochs": 20, "schedule.steps": 3, "objective.real_batch": 8}


class Measuring(Others):
    """Workers that measure points of the study that `asked` says."""

    def make(self, order: dict[str, Any], kept: dict[str, bytes]) -> dict[str, bytes]:
        assert assist(asked(self.dataset), self.dataset, InMemory(results=kept), order["files"])
        return kept


def asked(toy: Dataset, **changes: Any) -> Study:
    whole = study(toy.facts, "hard")
    small = {"recipe": override(whole.recipe, CHEAP), "sizes": (1, 4, 16), "networks": 2, "pilots": (1, 2), "runs": 1}
    windows = {"windows": (WindowPoint(ipc=4, skipped=0.5),), "seconds": 600.0}
    return whole.model_copy(update={**small, **windows, **changes})


def points(measured: Measured) -> list[Any]:
    return [each.model_dump(exclude={"seconds"}) for each in measured.points]


@pytest.fixture(scope="module")
def whole(toy: Dataset) -> Measured:
    return measure(asked(toy), toy)


def test_everything_that_was_asked_is_measured(whole: Measured, toy: Dataset) -> None:
    kinds = [(each.source, each.ipc) for each in whole.points]
    assert kinds == [
        *(("random", 1), ("distilled", 1), ("distilled", 2), ("random", 4), ("random", 16), ("window", 4)),
    ]
    assert all(len(each.accuracies) == 2 for each in whole.points)
    assert (whole.validation, whole.left_out) == (len(toy.validation), ())
    assert answer(Question(ipc=2), whole).distilled is not None
    assert Measured.model_validate_json(whole.model_dump_json()) == whole


def test_the_directions_that_answers_depend_on_are_counted(whole: Measured, toy: Dataset) -> None:
    found = whole.directions
    assert found is not None
    assert 1 <= found.held <= min(found.numbers, found.examples)
    assert (found.numbers, found.ipc) == (64, 16)
    assert any(f"{found.held} hold 90 %" in reason for reason in answer(Question(ipc=2), whole).reasons)
    linear = build(Linear(), (12, 1, 1), 3)
    trained = Trained(Key(0).normal(linear.size), None, 0.0)
    inputs = Key(1).normal(200, 12, 1, 1)
    eigenvalues = spectrum(linear, trained, inputs, Key(2))
    assert eigenvalues[1] > 0.01
    assert eigenvalues[2:].max() < 1e-6, "a linear network of three classes has two directions"
    assert counted(eigenvalues)[0] <= 2
    assert counted(torch.tensor([3.0, 3.0, 0.3, 0.3])) == (2, pytest.approx(6.6**2 / 18.18))


def test_directions_are_of_examples_of_every_class_though_classes_come_one_after_the_other(toy: Dataset) -> None:
    """The first class is one picture over and over, which has one direction by itself."""
    zeros, ones = (np.flatnonzero(toy.train.labels == c) for c in (0, 1))
    ordered = np.concatenate([zeros[:1].repeat(600), np.resize(ones, 600)])
    few = asked(toy, sizes=(4,), pilots=(1,), windows=())
    found = measure(few, replace(toy, validation=toy.train.take(ordered))).directions
    assert found is not None
    assert found.held > 1


def test_real_images_are_trained_on_at_the_rate_that_a_job_would_choose(toy: Dataset) -> None:
    def random(*rates: float) -> list[Any]:
        recipe = override(asked(toy).recipe, {"evaluation.baseline_lrs": rates, "evaluation.epochs": 40})
        few = asked(toy, recipe=recipe, sizes=(4,), pilots=(1,), windows=())
        return [each.accuracies for each in measure(few, toy).points if each.source == "random"]

    assert random(1e-8, 0.05) == random(0.05) != random(1e-8)


def test_nothing_looks_at_the_test_split(whole: Measured, toy: Dataset) -> None:
    nothing = Images(np.zeros_like(toy.test.images), np.zeros_like(toy.test.labels))
    assert points(measure(asked(toy), replace(toy, test=nothing))) == points(whole)


def test_measuring_goes_on_where_it_was_stopped(whole: Measured, toy: Dataset) -> None:
    stopped = False

    def say(message: dict[str, Any]) -> None:
        nonlocal stopped
        stopped = message.get("done", 0) >= 4

    workspace = InMemory(Journal(say), should_stop=lambda: stopped)
    with pytest.raises(Drained):
        measure(asked(toy), toy, workspace)
    said: list[dict[str, Any]] = []
    later = InMemory(Journal(said.append), checkpoints=workspace.checkpoints)
    assert points(measure(asked(toy), toy, later)) == points(whole)
    assert said[0]["skipped"] >= 2


@pytest.mark.parametrize("most", [1, 1000])
def test_points_that_others_measure_are_those_of_one_alone(whole: Measured, toy: Dataset, most: int) -> None:
    results, messages = dict[str, bytes](), list[dict[str, Any]]()
    others = Measuring(toy, results, most)
    found = measure(asked(toy), toy, InMemory(Journal(messages.append), results, crew=others))
    assert points(found) == points(whole)
    assert sum(others.done.values()) == (3 if most > 1 else 1), "all but the first two, and the window's"
    assert found.left_out == ()
    done = [message["done"] for message in messages if message["type"] == "progress"]
    assert max(done) == 12
    unknown = assist(asked(toy), toy, InMemory(), ["x.json"])
    assert not unknown


def test_points_that_others_are_at_when_time_is_over_are_left_out(toy: Dataset) -> None:
    over = False

    class Late(Measuring):
        def turn(self) -> Answer:
            nonlocal over
            over = True
            return Answer(None, waits=True, made=())

    others = Late(toy, {}, 0)
    found = measure(asked(toy), toy, InMemory(crew=others, time_left=lambda: 0.0 if over else 60.0))
    assert [(each.source, each.ipc) for each in found.points] == [("random", 1), ("distilled", 1)]
    assert len(found.left_out) == 4
    assert others.parts == {}, "nothing is wanted of others any more"


def test_time_that_is_over_leaves_the_rest_out(toy: Dataset) -> None:
    until = time.monotonic() + 0.2
    hurried = InMemory(time_left=lambda: max(0.0, until - time.monotonic()))
    long = override(asked(toy).recipe, {"evaluation.epochs": 2000})
    found = measure(asked(toy, recipe=long), toy, hurried)
    assert found.left_out
    assert found.seconds < 60
    assert len(found.points) + len(found.left_out) == 6
    assert measure(asked(toy, seconds=0.0), toy).points == ()


def test_soft_labels_are_those_of_a_network(whole: Measured, toy: Dataset) -> None:
    soft = measure(asked(toy, labels="soft", windows=()), toy)
    assert [each.ipc for each in soft.points] == [1, 1, 2, 4, 16]
    assert points(soft) != points(whole)[:5]


def test_unequal_classes_are_judged_alike(toy: Dataset) -> None:
    """The second class has one in ten of its images: accuracies are means over both."""

    def thinned(part: Images) -> Images:
        kept = (part.labels == 0) | (np.cumsum(part.labels) % 10 == 1)
        return Images(part.images[kept], part.labels[kept])

    train, validation = thinned(toy.train), thinned(toy.validation)
    facts = replace(toy.facts, train_count=len(train.labels), smallest_class=int((train.labels == 1).sum()))
    found = measure(
        asked(replace(toy, facts=facts), sizes=(1, 4), windows=()),
        replace(toy, facts=facts, train=train, validation=validation),
    )
    assert found.balanced
    counts = np.bincount(validation.labels)
    shares = {
        (first / counts[0] + second / counts[1]) / 2
        for first in range(counts[0] + 1)
        for second in range(counts[1] + 1)
    }
    for point in found.points:
        assert all(min(abs(share - accuracy) for share in shares) < 1e-6 for accuracy in point.accuracies)
    plain = {right / counts.sum() for right in range(counts.sum() + 1)}
    every = [accuracy for point in found.points for accuracy in point.accuracies]
    assert any(min(abs(share - accuracy) for share in plain) > 1e-6 for accuracy in every)
    assert found.validation_telling == pytest.approx(4 / (1 / counts[0] + 1 / counts[1]))
    assert found.tests_telling is not None
    assert found.tests_telling < toy.facts.test_count
