"""A job some of whose parts others make: which ones that are, when it waits, and that its bits are as ever."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import safetensors.torch
import torch

from core.data import Dataset
from core.engine import jury
from core.engine.context import JobContext
from core.engine.crew import Answer, Turns
from core.engine.journal import Journal
from core.engine.jury import Jury
from core.engine.kept import Contents
from core.engine.kernels import Eager
from core.engine.real import prepare
from core.engine.run import assist, distil
from core.engine.workspace import Drained, InMemory
from core.plan import packing
from core.plan.build import plan as build_plan
from core.plan.steps import FullReference
from core.recipe import Recipe
from tests.engine.conftest import small


@dataclass
class Others:
    """Workers that make all that they are offered at once, by an engine of their own; or so many parts of it."""

    dataset: Dataset
    results: dict[str, bytes]
    most: int = 1000
    worth: float = 0.0
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    ever: list[dict[str, Any]] = field(default_factory=list)
    """All orders that there were."""
    done: dict[str, bool] = field(default_factory=dict)
    """Names of the parts that are begun, and whether others made them."""

    def offer(self, parts: Sequence[tuple[str, dict[str, Any]]]) -> None:
        self.parts = dict(parts)
        self.ever += [order for _, order in parts]
        for name, order in parts[: self.most]:
            written = json.loads(json.dumps(order))
            kept = self.make(written, {need: self.results[need] for need in written["needs"]})
            assert set(kept) == {*order["files"], *order["needs"]}, "nothing else is made"
            self.results |= kept
            self.done[name] = True

    def make(self, order: dict[str, Any], kept: dict[str, bytes]) -> dict[str, bytes]:
        recipe = Recipe.model_validate(order["recipe"])
        real = prepare(self.dataset, recipe.preprocess, torch.device("cpu"))
        assert assist(recipe, self.dataset, real, 2, 0, InMemory(results=kept), order, Eager)
        return kept

    def turn(self) -> Answer:
        made = tuple(name for name in self.parts if name in self.done)
        left = [name for name in self.parts if name not in self.done]
        return Answer(left[0] if left else None, waits=False, made=made)

    def made(self, part: str) -> None:
        self.done[part] = False

    def withdraw(self) -> None:
        self.parts = {}


ELSEWHERE = {"evaluation__across": [{"kind": "linear"}], "evaluation__baseline_lrs": [0.01, 0.02]}


@pytest.mark.parametrize(
    ("method", "most", "changes"),
    [
        ("mtt", 1, {}),
        ("mtt", 1000, {}),
        ("forgetting", 1, {}),
        ("forgetting", 1000, {"evaluation__measure": "balanced"}),
        ("seqmatch", 1000, {}),  # a set in stages
        ("sre2l", 1000, ELSEWHERE),  # labels of views
        ("frepo", 1000, ELSEWHERE),  # targets
        ("selmatch", 1, {}),  # real images that others see otherwise
    ],
)
def test_what_others_make_has_the_bits_of_a_job_alone(
    toy: Dataset, monkeypatch: pytest.MonkeyPatch, method: str, most: int, changes: dict[str, Any]
) -> None:
    monkeypatch.setattr(packing, "_MOST", 1)  # each network is a part
    recipe = small(method, evaluation__seeds=3, **changes)
    if recipe.experts is not None:
        recipe = replace_count(recipe, 3)
    alone, messages, results = InMemory(), list[dict[str, Any]](), dict[str, bytes]()
    others = Others(toy, results, most)
    shared = InMemory(Journal(messages.append), results, crew=others)
    before, after = distil(recipe, toy, 2, 0, alone), distil(recipe, toy, 2, 0, shared)
    assert torch.equal(before.result.images, after.result.images)
    passed = [order for order in others.ever if "jury" in order]
    brought = {name for order in passed for name in (*order["needs"], *order["files"])}
    assert results.keys() - alone.results.keys() <= brought, "nothing that this job alone needs is kept, but by others"
    assert shared.checkpoints.keys() == alone.checkpoints.keys()
    assert alone.results.keys() <= results.keys()
    networks = [name for name in alone.results if name.endswith(".safetensors")]
    for name in networks:  # the order of a header's metadata is the library's, and random
        mine, theirs = (safetensors.torch.load(kept[name]) for kept in (results, alone.results))
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[each], theirs[each]) for each in mine)
    for mine, theirs in zip([*before.rows, *_flat(before.across)], [*after.rows, *_flat(after.across)], strict=True):
        assert mine | {"seconds": 0} == theirs | {"seconds": 0}
    helped = sum(others.done.values())
    assert passed, "the networks on the result"
    files = {file for order in others.ever for file in order["files"]}
    assert files & {*_reference(recipe, toy)}, "and those on everything"
    told = [message["message"] for message in messages if message["type"] == "log"]
    assert sum(int(line.split()[3]) for line in told if line.startswith("Other workers made")) == helped
    for message in messages:
        if message["type"] == "progress":
            assert 0 <= message["done"] <= message["total"]


def _flat(across: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each[name] for each in across for name in ("distilled", "random")]


def _reference(recipe: Recipe, dataset: Dataset) -> tuple[str, ...]:
    """The names of the networks on the full training set."""
    (kept,) = (step.kept for step in build_plan(recipe, dataset.facts, 2).steps if isinstance(step, FullReference))
    return kept.files


def replace_count(recipe: Recipe, count: int) -> Recipe:
    """The recipe with so many experts."""
    assert recipe.experts is not None, "it has some"
    return recipe.model_copy(update={"experts": recipe.experts.model_copy(update={"count": count})})


def test_no_part_of_another_dataset_or_recipe_is_made(toy: Dataset) -> None:
    recipe = small("mtt")
    real = prepare(toy, recipe.preprocess, torch.device("cpu"))
    kept = dict[str, bytes]()
    assert not assist(recipe, toy, real, 2, 0, InMemory(results=kept), {"files": ["x.safetensors"]}, Eager)
    assert kept == {}


def test_a_jury_that_is_not_there_or_another_one_is_declined(toy: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_MOST", 1)
    recipe = small("random", evaluation__seeds=2)
    results = dict[str, bytes]()
    others = Others(toy, results, most=0)
    distil(recipe, toy, 2, 0, InMemory(results=results, crew=others))
    real = prepare(toy, recipe.preprocess, torch.device("cpu"))
    order = next(order for order in others.ever if "jury" in order)
    assert not assist(recipe, toy, real, 2, 0, InMemory(), order, Eager), "its images have not come"
    needed = {order["jury"]: results[order["jury"]]}
    kept = dict(needed)
    assert not assist(recipe, toy, real, 2, 0, InMemory(results=kept), order | {"files": ["x.json"]}, Eager)
    assert kept == needed
    assert assist(recipe, toy, real, 2, 0, InMemory(results=kept), order, Eager)
    assert kept.keys() == {*needed, *order["files"]}


def test_an_attempt_that_follows_trains_no_network_again_that_has_spoken(
    toy: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_MOST", 1)
    recipe, whole, trained = small("dm", evaluation__seeds=4), InMemory(), list[int]()
    made = jury._made

    def counted(context: JobContext, judges: Jury) -> Contents:
        trained.append(len(judges.keys))
        return made(context, judges)

    monkeypatch.setattr(jury, "_made", counted)
    expected = distil(recipe, toy, 2, 0, whole).rows
    assert sum(trained) == 8, "four on the images, and four on their 8-bit pixels"
    trained.clear()
    first = InMemory(should_stop=lambda: len(trained) == 3)
    with pytest.raises(Drained):
        distil(recipe, toy, 2, 0, first)
    rows = distil(recipe, toy, 2, 0, replace(first, should_stop=lambda: False)).rows
    assert sum(trained) == 9, "the one that was trained at the moment is trained again"
    assert [line | {"seconds": 0} for line in rows] == [line | {"seconds": 0} for line in expected]
    assert {name for name in first.checkpoints if name.endswith(".json")} == {
        name for name in whole.checkpoints if name.endswith(".json")
    }


class Clock:
    """A clock that is told the time."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_others_are_asked_once_enough_is_left(toy: Dataset) -> None:
    others, clock = Others(toy, {}, most=0, worth=30.0), Clock()
    turns = Turns([[0], [1], [2]], ["a", "b", "c"], others, lambda files: {"files": list(files)}, clock)
    going = iter(turns)
    assert next(going) == [0]
    clock.now = 2.0
    turns.tell(0.5)  # ten seconds are left
    assert others.parts == {}
    clock.now = 14.0
    turns.tell(0.9)  # some thirty-three
    assert [order["files"] for order in others.parts.values()] == [["b"], ["c"]]
    assert next(going) == [1], "and whoever comes first makes the next"
    assert next(going) == [2]
    assert list(others.done.values()) == [False]
    assert next(going) is None
    assert [*going] == []


def test_a_crew_that_speaks_of_other_parts_is_not_listened_to(toy: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    others, clock = Others(toy, {}, most=0), Clock()
    monkeypatch.setattr(Others, "turn", lambda self: Answer("of an earlier step", waits=False, made=()))
    turns = Turns([[0], [1], [2]], list("abc"), others, lambda files: {"files": list(files)}, clock)
    made = []
    for indices in turns:
        made.append(indices)
        turns.tell(1.0)
    assert made == [[0], [1], [2]]


def test_a_crew_that_does_not_answer_costs_its_help_alone(toy: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    others, clock = Others(toy, {}, most=0), Clock()
    monkeypatch.setattr(Others, "turn", lambda self: None)
    turns = Turns([[0], [1, 2], [3]], list("abcd"), others, lambda files: {"files": list(files)}, clock)
    made = []
    for indices in turns:
        made.append(indices)
        turns.tell(1.0)
    assert made == [[0], [1, 2], [3]]
