"""Soft labels in few bits: students learn from them as much as from exact ones."""

from __future__ import annotations

import statistics
from dataclasses import replace

import torch

from core.engine import compact, evaluate, init, relabel
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.networks import build
from core.engine.real import prepare
from core.methods import Task, method
from core.overrides import override
from core.recipe import Compact, Exact, MeanStd, SoftLabels, Storage
from core.recipe.share import equal
from tests.artifacts.results import digits
from tests.engine.still import result as outcome
from tests.engine.still import taught


def test_the_top_classes_and_one_share_for_the_others_teach_nearly_as_much_as_all() -> None:
    """At temperature 20, at which even the least likely classes of a label have a share that counts."""
    recipe = method("rded").recipe(Task("digits", 3, (1, 8, 8), 10, mirror=False))
    recipe = override(recipe, {"teacher.epochs": 30, "evaluation.epochs": 100})
    real = prepare(digits(), MeanStd(), torch.device("cpu"))
    teacher, kernels = taught(recipe, real), Eager(build(recipe.network, real.shape, real.classes))
    assert teacher is not None
    images = real.train.take(init.chosen(real, equal(3, real.classes), Key(0)))
    soft = relabel.soft(SoftLabels(), teacher, images)
    protocol = replace(evaluate.on_synthetic(recipe.evaluation, recipe.augment, 0.01), temperature=20.0)

    def learned(storage: Storage) -> float:
        labels = compact.labels(storage, soft)
        found = outcome(evaluate.train(kernels, images, labels, protocol, [Key(1), Key(2)]))
        return statistics.fmean(evaluate.accuracy(kernels, each, real.test)[0] for each in found)

    exact = learned(Exact())
    assert exact > 0.85
    assert learned(Compact(top=5)) > exact - 0.03
