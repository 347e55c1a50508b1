"""A toy that every method must master: two classes of real 8x8 digits; and a machine without a compiler."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch

from core import methods
from core.data import Catalogue, Dataset, Images
from core.engine.real import Labelled, Real, prepare
from core.overrides import override
from core.recipe import MeanStd, Recipe, Scored, search

BUDGET = {
    "network.width": 4,
    "evaluation.epochs": 3,
    "evaluation.seeds": 1,
    "evaluation.full.epochs": 1,
    "evaluation.baseline_lrs": [0.01],
}
TRAJECTORY_BUDGET = {
    "objective.syn_steps": 3,
    "objective.max_start_epoch": 2,
    "objective.expert_epochs": 1,
    "experts.count": 2,
    "experts.epochs": 3,
}
GENERATIVE_BUDGET = {
    "objective.denoiser.width": 8,
    "objective.denoiser.depth": 3,
    "objective.denoiser.steps": 3,
    "objective.denoiser.batch_size": 8,
    "objective.sampler_steps": 2,
    "objective.candidates": 2,
    "objective.judge.epochs": 2,
}
GRADIENT_BUDGET = {"objective.outer_loops": 2, "objective.inner_loops": 1, "objective.real_batch": 16}


def two_digits() -> Dataset:
    """The zeros and ones of digits."""
    whole = Catalogue(Path("nowhere")).load("digits")

    def two(part: Images) -> Images:
        return part.take(np.flatnonzero(part.labels < 2))

    facts = replace(whole.facts, name="digits", classes=2, class_names=("0", "1"))
    return Dataset(facts, two(whole.train), two(whole.validation), two(whole.test))


@pytest.fixture(scope="session")
def toy() -> Dataset:
    """The toy."""
    return two_digits()


@pytest.fixture(scope="session")
def real(toy: Dataset) -> Real:
    return prepare(toy, MeanStd(), torch.device("cpu"))


class Double(Labelled):
    """Real images in float64, as a test of exactness needs them."""

    def take(self, index: torch.Tensor) -> torch.Tensor:
        return super().take(index).double()


@pytest.fixture
def exact(real: Real) -> Real:
    """The toy in float64."""
    return replace(real, train=Double(real.train.stored, real.train.labels, real.train.transform))


def small(method: str, **changes: object) -> Recipe:
    """A method's recipe with the smallest budget that still does something; keyword `a__b` is the path `a.b`."""
    recipe = methods.method(method).recipe(methods.Task("digits", 2, (1, 8, 8), 2, mirror=False))
    return override(recipe, smallest(recipe) | {path.replace("__", "."): value for path, value in changes.items()})


def smallest(recipe: Recipe) -> dict[str, Any]:
    """The overrides that leave a recipe the smallest budget that still does something."""
    budget: dict[str, Any] = dict(BUDGET)
    if recipe.objective.kind == "trajectory":
        budget |= TRAJECTORY_BUDGET
    if search.RATE in search.left(recipe):  # a preset is too far away, and there is no worker here to probe
        budget[search.RATE] = 10.0
    if isinstance(recipe.init, Scored):
        budget |= {"init.score.networks": 2, "init.score.epochs": 2}
    if recipe.rounds is not None:
        budget |= {"rounds.epochs": 3, "rounds.score.networks": 2, "rounds.score.epochs": 2}
    if recipe.objective.kind == "performance":
        budget |= {"objective.syn_steps": 4, "objective.real_batch": 40}
        budget |= {"objective.window": 2} if recipe.objective.end != "last" else {}
    if recipe.objective.kind == "gradient":
        budget |= GRADIENT_BUDGET
    if recipe.teacher is not None:
        budget |= {"teacher.network.width": 4, "teacher.epochs": 3, "teacher.batch_size": 32}
    if recipe.objective.kind == "generative":
        budget |= GENERATIVE_BUDGET
    if hasattr(recipe.init, "embedding"):
        budget["init.embedding.epochs"] = 2
    if recipe.schedule.stages.count > 1:
        budget |= {"schedule.stages.each": [], "schedule.stages.epochs": 2, "schedule.stages.networks": 1}
    if recipe.init.kind == "generated":
        budget |= {"init.width": 2, "init.meta.tasks": 1, "init.meta.inner_steps": 2, "init.steps": 2}
        budget |= {"init.pool.networks": 2, "init.real_batch": 40, "labels.networks": 2}
    if recipe.objective.kind == "regression":
        budget |= {"objective.real_batch": 40, "objective.pool.networks": 2, "objective.pool.lifetime": 3}
    if recipe.schedule.steps:
        budget["schedule.steps"] = 4 // recipe.schedule.stages.count
    return budget


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A machine on which compiling fails; the attempts."""
    attempts: list[str] = []

    def fail(*args: object, **kwargs: object) -> NoReturn:
        attempts.append("compile")
        raise RuntimeError("no C++ compiler\nand a long story")

    monkeypatch.setattr("torch._inductor.aot_compile", fail)
    return attempts
