"""The conformance suite: what every name in the method catalogue must do, now and when it is added."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import torch

from core import methods
from core.engine import checkpoint, distill
from core.engine.real import Real
from core.engine.state import State
from core.methods import Task
from core.recipe import Recipe, Trajectory
from tests.engine.conftest import small
from tests.engine.still import states

NAMES = methods.names()
TASKS = [
    Task("digits", 1, (1, 8, 8), 10, mirror=False),
    Task("mnist", 10, (1, 28, 28), 10, mirror=False),
    Task("cifar10", 10, (3, 32, 32), 10, mirror=True),
    Task("cifar100", 50, (3, 32, 32), 100, mirror=True),
    Task("somebody-elses", 3, (3, 64, 64), 7, mirror=True),
]

SEEDLESS = {"el2n", "herding"}
"""Methods that leave nothing to chance but the networks they ask, which every job shares."""


def leaves(state: State) -> list[torch.Tensor]:
    return [tensor for part in (state.leaves, state.result) for tensor in vars(part).values()]


def same(one: State, other: State) -> bool:
    return all(torch.equal(a, b) for a, b in zip(leaves(one), leaves(other), strict=True))


@dataclass(frozen=True)
class Seen:
    """One undisturbed run of a method on the toy, and what of the process it met before and after."""

    states: list[State]
    before: tuple[torch.Tensor, str, set[str]]
    after: tuple[torch.Tensor, str, set[str]]


Runs = Callable[[str], Seen]


@pytest.fixture(scope="module")
def seen(real: Real) -> Runs:
    """The run of a method with seed 0, made once for all tests of this file."""

    def surroundings() -> tuple[torch.Tensor, str, set[str]]:
        # Torch's compiler names its folder there when it is first imported.
        variables = {name for name in os.environ if not name.startswith("TORCHINDUCTOR_")}
        return torch.random.get_rng_state(), os.getcwd(), variables  # noqa: PTH109 (the process's own view)

    @cache
    def run(name: str) -> Seen:
        before = surroundings()
        found = states(small(name), real)
        return Seen(found, before, surroundings())

    return run


@pytest.mark.parametrize("name", NAMES)
def test_a_method_says_what_it_is(name: str) -> None:
    entry = methods.method(name)
    for text in (entry.title, entry.summary, entry.equation, entry.citation, entry.published, entry.use, entry.avoid):
        assert len(text) > 10
    assert any(digit.isdigit() for digit in entry.published), "a published number"


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.dataset)
@pytest.mark.parametrize("name", NAMES)
def test_a_method_has_a_recipe_for_every_task(name: str, task: Task) -> None:
    recipe = methods.method(name).recipe(task)
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
    assert recipe == methods.method(name).recipe(task)


@pytest.mark.parametrize("name", NAMES)
def test_a_method_returns_what_was_asked_for(name: str, real: Real, seen: Runs) -> None:
    recipe = small(name)
    result = distill.finish(recipe, seen(name).states[-1], real, 2)
    ipc = 2 * recipe.parameterize.formation
    assert result.images.shape == (2 * ipc, 1, 8, 8)
    assert result.images.dtype == torch.float32
    assert result.images.isfinite().all()
    assert result.labels.tolist() == [0] * ipc + [1] * ipc
    assert result.step_size is None or result.step_size > 0


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides_everything(name: str, real: Real, seen: Runs) -> None:
    first = seen(name).states[-1]
    again, other = (states(small(name), real, seed)[-1] for seed in (0, 1))
    assert same(first, again)
    assert torch.equal(first.leaves.images, other.leaves.images) == (name in SEEDLESS)


@pytest.mark.parametrize("name", NAMES)
def test_resuming_equals_never_having_stopped(name: str, real: Real, seen: Runs, tmp_path: Path) -> None:
    recipe, whole = small(name), seen(name).states
    for stop in range(len(whole)):
        stored = tmp_path / "state.safetensors"
        stored.write_bytes(checkpoint.packed(whole[stop], "this run"))
        resumed = checkpoint.load(stored, "this run", torch.device("cpu"))
        assert resumed is not None
        rest = states(recipe, real, start=resumed)
        assert same(rest[-1], whole[-1])
        assert rest[-1].step == whole[-1].step


@pytest.mark.parametrize("name", NAMES)
def test_nothing_global_is_touched(name: str, seen: Runs) -> None:
    before, after = seen(name).before, seen(name).after
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


MOVING = [name for name in NAMES if small(name).schedule.steps and small(name).schedule.stages.count == 1]
"""Methods with steps, and losses that compare: those of later stages are distances to other experts."""


@pytest.mark.parametrize("name", MOVING)
def test_the_loss_falls(name: str, real: Real) -> None:
    recipe = small(name, schedule__steps=30)
    losses = [state.loss for state in states(recipe, real)[1:]]
    assert sum(losses[-8:]) < sum(losses[:8])


@pytest.mark.parametrize(
    ("name", "ipc", "images", "side", "batch", "epochs", "steps"),
    [
        ("mtt", 10, None, 8, 256, 2, 30),
        ("mtt", 10, 54_000, 8, 64, 2, 30),
        ("mtt", 10, 1293, 8, 64, 8, 30),
        ("mtt", 1, 130, 8, 64, 10, 30),
        ("mtt", 1, None, 28, 256, 2, 30),
        ("mtt", 1, 2, 28, 16, 10, 10),
        ("mtt", 1, 130, 28, 16, 5, 10),
        ("mtt", 1, 1293, 28, 32, 1, 10),
        ("mtt", 5, 2559, 28, 32, 1, 10),
        ("mtt", 6, 1293, 28, 256, 2, 30),
        ("mtt", 1, 2560, 28, 256, 2, 30),
        ("selmatch", 10, 5000, 8, 64, 4, 55),
        ("selmatch", 10, 1293, 28, 256, 2, 55),
    ],
)
def test_segments_of_few_images_have_smaller_batches_and_more_of_the_experts_steps(
    name: str, ipc: int, images: int | None, side: int, batch: int, epochs: int, steps: int
) -> None:
    recipe = methods.method(name).recipe(Task("somebody-elses", ipc, (1, side, side), 2, mirror=True, images=images))
    assert isinstance(recipe.objective, Trajectory)
    assert recipe.experts is not None
    segment = recipe.experts.batch_size, recipe.objective.expert_epochs, recipe.objective.syn_steps
    assert segment == (batch, epochs, steps)


@pytest.mark.parametrize("name", ["frepo", "mgdd", "linear-exact"])
@pytest.mark.parametrize(
    ("classes", "side", "rate"), [(2, 28, 0.002), (3, 28, 0.003), (10, 28, 0.01), (100, 28, 0.01), (2, 8, 0.01)]
)
def test_targets_of_few_classes_are_learned_at_a_lower_rate(name: str, classes: int, side: int, rate: float) -> None:
    recipe = methods.method(name).recipe(Task("somebody-elses", 1, (1, side, side), classes, mirror=True))
    assert recipe.evaluation.lr == pytest.approx(rate)
