"""Whatever can be said together either runs or is refused with the fix; nothing is accepted and then fails."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import combinations as pairs
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import methods
from core.artifacts import verify
from core.artifacts.load import load
from core.data import Catalogue
from core.forecast import Past, predict
from core.overrides import override
from core.recipe import (
    Component,
    FieldError,
    LabelledViews,
    Learnable,
    Paired,
    Performance,
    Recipe,
    RecipeError,
    SoftLabels,
    Statistics,
    Trajectory,
)
from tests.data.bundles import place
from tests.engine import vocabulary
from tests.engine.attempts import attempt, two_classes
from tests.engine.conftest import small
from tests.engine.kernel_calls import counting, sums
from tests.engine.vocabulary import DRAWN, SLOTS, Choice, Combination, pairwise, parts_in, variants_of
from worker.protocol import JobFolder

IPC = 4

MANY = 20
"""More fixes than a recipe can need one after the other."""

KINDS = (
    "distribution",
    "generative",
    "gradient",
    "nothing",
    "paired",
    "performance",
    "regression",
    "statistics",
    "trajectory",
)


Said = list[tuple[Combination, Recipe | FieldError]]


@pytest.fixture(scope="module")
def said() -> Said:
    """Every combination, with its recipe or its refusal."""
    return list(vocabulary.said())


@pytest.fixture(scope="module")
def runnable(said: Said) -> dict[Combination, Recipe]:
    return {combination: recipe for combination, recipe in said if isinstance(recipe, Recipe)}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_classes(tmp_path_factory.mktemp("data"))


def test_every_kind_can_be_said_and_run(runnable: dict[Combination, Recipe]) -> None:
    assert {recipe.objective.kind for recipe in runnable.values()} == set(KINDS)
    assert len(runnable) > 4000


def test_whatever_fix_is_taken_of_a_refusal_the_fixes_lead_to_a_recipe(said: Said) -> None:
    refused = {(r.field, r.message, r.fix): (r, combination) for combination, r in said if isinstance(r, FieldError)}
    assert len(refused) > 20
    for refusal, combination in refused.values():
        assert exists(refusal.field), refusal
        for path, value in advice(refusal):
            assert exists(path), refusal
            taken, now = [(path, value)], combination.changed(path, value)
            while isinstance(next_ := now.recipe(), FieldError):
                assert len(taken) < MANY, f"{refusal} is followed by {taken} and no end"
                taken.append(advice(next_)[0])
                now = now.changed(*taken[-1])


@pytest.mark.parametrize("name", methods.names())
def test_whatever_a_method_is_overridden_with_is_a_recipe_or_refused_with_the_fix(name: str) -> None:
    own = small(name)
    for slot in (*SLOTS, *DRAWN):
        for part in parts_of(slot):
            changes: dict[str, Any] = {slot: part}
            for _ in range(MANY):
                try:
                    override(own, changes)
                    break
                except RecipeError as error:
                    (refusal,) = error.errors
                    assert exists(refusal.field.removeprefix("overrides.")), refusal
                    path, value = advice(refusal)[0]
                    changes[path] = value
            else:
                pytest.fail(f"{changes} and no end")


FIX = re.compile(
    r"(?:[Ss]et|or) ([a-z_0-9]+(?:\.[a-z_0-9]+)*)(?:, for instance)? to "
    r"(at least |at most |between |more than |less than )?('\w+'|null|true|\{.*?\}|[0-9][0-9.]*\b)"
)
"""Each thing a fix tells to do: the path, a bound, and the value or the first of several."""


def advice(refusal: FieldError) -> list[tuple[str, Any]]:
    """The changes that a fix names, as paths and values; any of them is enough."""
    found = []
    for path, bound, text in FIX.findall(refusal.fix):
        value = json.loads(text.replace("'", '"'))
        found.append((path, value + {"more than ": 0.5, "less than ": -1}.get(bound, 0) if bound else value))
    assert found, f"nothing to be done about {refusal}"
    return found


def parts_of(slot: str) -> list[Any]:
    """Whatever may be given for a field of the recipe, as JSON has it."""
    return [variant.part and variant.part.model_dump(mode="json") for variant in variants_of(slot)]


def exists(path: str) -> bool:
    """Whether a recipe may have the field."""
    parts: list[type[Component]] = [Recipe]
    for name in path.split("."):
        holders = [part for part in parts if name in part.model_fields]
        if not holders:
            return False
        parts = [below for part in holders for below in parts_in(part.model_fields[name].annotation)]
    return True


def test_any_two_choices_that_may_meet_do_run_together(
    runnable: dict[Combination, Recipe], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They make the calls that were forecast, too, with what the runs before them left."""
    chosen, failed, past = pairwise(list(runnable)), {}, list[Past]()
    calls, facts = counting(monkeypatch), Catalogue(data).facts("two")
    for place_, combination in enumerate(chosen):
        recipe, folder = runnable[combination], JobFolder(tmp_path / str(place_), 1)
        try:
            forecast = predict(recipe, facts, IPC, "mtt", None, past, seed=0)
            calls.clear()
            attempt(recipe, IPC, data, folder)
            past.append(Past(f"job_{place_}", "mtt", {}, {}, forecast.leaves))
            assert decided(recipe, sums(calls)) == decided(recipe, forecast.work)
            assert verify(folder.staging) == []
            result = load(folder.staging)
            n = 2 * IPC * getattr(recipe.parameterize, "formation", 1)
            assert result.images.shape == (n, 1, 8, 8)
            assert np.isfinite(result.images).all()
            assert result.labels.tolist() == [0] * (n // 2) + [1] * (n // 2)
            learned = isinstance(recipe.labels, Learnable) or isinstance(recipe.relabel, SoftLabels)
            assert (result.soft_labels is not None) == learned
            assert (result.views is not None) == isinstance(recipe.relabel, LabelledViews)
            assert (result.regression_targets is not None) == recipe.regresses
            assert result.soft_labels is None or np.allclose(result.soft_labels.sum(1), 1)
            learned = isinstance(recipe.objective, Trajectory | Performance)
            assert len(list(result.stages())) == recipe.schedule.stages.count
            assert len(result.step_sizes) == (recipe.schedule.stages.count if learned else 0)
        except Exception as error:  # whatever it is, the others are of interest too
            failed[str(combination)] = repr(error)
    assert not failed
    met = set().union(*(meetings(combination) for combination in chosen))
    assert met == set().union(*(meetings(combination) for combination in runnable))


def decided(recipe: Recipe, work: dict[str, dict[str, int]]) -> dict[tuple[str, str], int]:
    """The calls of kernels that can be compared, without a line between choosing images and distilling.

    The data decide the number of some; images are recovered from a teacher's statistics by passes of other names.
    """
    objective, undecided = recipe.objective, set[tuple[str, str]]()
    if isinstance(objective, Statistics):
        undecided |= {("distilling", "gradient"), ("distilling", "forward"), ("training_experts", "forward")}
    if isinstance(objective, Paired) and objective.depth < 1:  # features of a layer are by a pass of another name, too
        undecided |= {("distilling", "gradient"), ("distilling", "forward")}
    if getattr(objective, "select", None) == "closest":
        undecided |= {("distilling", "adjoint")}
    if getattr(objective, "end", None) in ("random", "adaptive") or getattr(objective, "adjust", None):
        undecided |= {("distilling", "gradient"), ("distilling", "adjoint")}
    if recipe.init.needs_experts:
        undecided |= {("distilling", "forward")}
    counts = Counter[tuple[str, str]]()
    for phase, kernels in work.items():
        for kernel, number in kernels.items():
            counts["distilling" if phase == "selecting" else phase, kernel] += number
    return {call: number for call, number in counts.items() if call not in undecided}


def test_the_result_knows_nothing_of_the_test_split(data: Path, tmp_path: Path) -> None:
    """Neither do a sweep of windows and a choice among the iterates: with other test images it is the same."""
    changes: dict[str, Any] = {
        "init": {"kind": "window", "beta": "auto", "score": {"kind": "el2n", "networks": 1, "epochs": 1}}
    }
    changes |= {"evaluation.look_every": 1, "evaluation.select": "best_validation", "evaluation.epochs": 20}
    changes |= {"evaluation.lr": 0.05, "schedule.image_lr": 1.0}
    recipe = override(small("mtt"), changes | {"evaluation.full": None})
    found, seen = [], []
    for name in ("one", "other"):
        with np.load(data / "two.npz") as bundle:
            whole = {part: bundle[part] for part in bundle}
        if name == "other":
            whole["x_test"] = 255 - whole["x_test"]
            whole["y_test"] = 1 - whole["y_test"]
        place(tmp_path / name, "two", whole)
        folder = JobFolder(tmp_path / name / "job", 1)
        attempt(recipe, IPC, tmp_path / name, folder)
        found.append(load(folder.staging).images)
        points = json.loads((folder.checkpoint / "curves.json").read_text("utf-8"))
        seen.append([point["value"] for point in points if point["name"] == "validation_accuracy"])
    assert np.array_equal(*found)
    assert seen[0] == seen[1]
    assert any(look != 0.5 for look in seen[0]), "chance would be chance on any split"


def meetings(combination: Combination) -> set[tuple[Choice, Choice]]:
    return set(pairs(combination.choices, 2))
