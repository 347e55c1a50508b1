"""A job some of whose parts others make: which ones that are, when it waits, and that its bits are as ever."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import safetensors.torch
import torch

from core.data import Dataset
from core.engine.crew import Answer, Turns
from core.engine.journal import Journal
from core.engine.kernels import Eager
from core.engine.real import prepare
from core.engine.run import assist, distil
from core.engine.workspace import InMemory
from core.plan import packing
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
    done: dict[str, bool] = field(default_factory=dict)
    """Names of the parts that are begun, and whether others made them."""

    def offer(self, parts: Sequence[tuple[str, dict[str, Any]]]) -> None:
        self.parts = dict(parts)
        for name, order in parts[: self.most]:
            written = json.loads(json.dumps(order))
            recipe, kept = Recipe.model_validate(written["recipe"]), dict[str, bytes]()
            real = prepare(self.dataset, recipe.preprocess, torch.device("cpu"))
            assert assist(recipe, self.dataset, real, 2, 0, InMemory(results=kept), written, Eager)
            assert set(kept) == set(order["files"]), "nothing else is made"
            self.results |= kept
            self.done[name] = True

    def turn(self) -> Answer:
        made = tuple(name for name in self.parts if name in self.done)
        left = [name for name in self.parts if name not in self.done]
        return Answer(left[0] if left else None, waits=False, made=made)

    def made(self, part: str) -> None:
        self.done[part] = False

    def withdraw(self) -> None:
        self.parts = {}


@pytest.mark.parametrize("method", ["mtt", "forgetting"])
@pytest.mark.parametrize("most", [1, 1000])
def test_what_others_make_has_the_bits_of_a_job_alone(
    toy: Dataset, monkeypatch: pytest.MonkeyPatch, method: str, most: int
) -> None:
    monkeypatch.setattr(packing, "_MOST", 1)  # each network is a part
    recipe = small(method, evaluation__seeds=3)
    if recipe.experts is not None:
        recipe = replace_count(recipe, 3)
    alone, messages, results = InMemory(), list[dict[str, Any]](), dict[str, bytes]()
    others = Others(toy, results, most)
    shared = InMemory(Journal(messages.append), results, crew=others)
    before, after = distil(recipe, toy, 2, 0, alone), distil(recipe, toy, 2, 0, shared)
    assert torch.equal(before.result.images, after.result.images)
    assert alone.results.keys() == results.keys()
    networks = [name for name in results if name.endswith(".safetensors")]
    assert networks
    for name in networks:  # the order of a header's metadata is the library's, and random
        mine, theirs = (safetensors.torch.load(kept[name]) for kept in (results, alone.results))
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[each], theirs[each]) for each in mine)
    assert [line["accuracy_mean"] for line in before.rows] == [line["accuracy_mean"] for line in after.rows]
    helped = sum(others.done.values())
    assert helped >= 2, "networks that are kept, and those on random images"
    told = [message["message"] for message in messages if message["type"] == "log"]
    assert sum(int(line.split()[3]) for line in told if line.startswith("Other workers made")) == helped
    for message in messages:
        if message["type"] == "progress":
            assert 0 <= message["done"] <= message["total"]


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


def test_a_crew_that_does_not_answer_costs_its_help_alone(toy: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    others, clock = Others(toy, {}, most=0), Clock()
    monkeypatch.setattr(Others, "turn", lambda self: None)
    turns = Turns([[0], [1, 2], [3]], list("abcd"), others, lambda files: {"files": list(files)}, clock)
    made = []
    for indices in turns:
        made.append(indices)
        turns.tell(1.0)
    assert made == [[0], [1, 2], [3]]
