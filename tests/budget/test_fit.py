"""Recipes fitted into a time, priced by a machine that obeys the cost model: what stays, goes, and is refused."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest

from core import methods
from core.budget import FEWEST_SEEDS, Fitted, fit
from core.budget.fit import REFERENCE_SHARE, Price
from core.budget.ladders import LADDERS
from core.data import DatasetFacts
from core.durations import seconds_of
from core.forecast import predict
from core.overrides import override
from core.recipe import Recipe, RecipeError, Trajectory
from core.request import JobRequest, check, resolve
from tests.forecast.machines import facts, machine

MACHINE = machine(slower=0.35)
"""About as fast as two cores."""

TWO_LUNGS = replace(
    facts("cifar10"),
    name="ds_lungs",
    shape=(3, 64, 64),
    classes=2,
    class_names=("sound", "ill"),
    train_count=1000,
    test_count=200,
    smallest_class=450,
)
DATASETS = {"digits": facts(), "fashion-mnist": facts("fashion-mnist"), "cifar10": facts("cifar10"), "lungs": TWO_LUNGS}
IPCS, BUDGETS = (1, 10), (180, 600, 1800)
TOO_LARGE = {("linear-exact", "lungs")}
"""Methods that refuse a dataset, whatever the time."""


def prices(of: DatasetFacts, ipc: int, method: str) -> Price:
    def price(recipe: Recipe) -> float:
        seconds = predict(recipe, of, ipc, method, MACHINE).seconds
        assert seconds is not None
        return seconds.expected

    return price


def asked(method: str, dataset: str, ipc: int) -> tuple[JobRequest, Recipe, DatasetFacts]:
    of = DATASETS[dataset]
    request = JobRequest(dataset=of.name, ipc=ipc, method=method)
    return request, resolve(request, of), of


def fitted(method: str, dataset: str, ipc: int, seconds: float, *fixed: str, **evaluation: int) -> Fitted:
    _, recipe, of = asked(method, dataset, ipc)
    if evaluation:
        recipe = recipe.model_copy(update={"evaluation": recipe.evaluation.model_copy(update=evaluation)})
    return fit(recipe, of, ipc, seconds, prices(of, ipc, method), fixed)


def cases() -> Iterator[tuple[str, str, int, int]]:
    """Every method on every dataset; sizes and times in turn, so that each pair of choices is there."""
    turns = itertools.cycle(itertools.product(IPCS, BUDGETS))
    for dataset, method in itertools.product(DATASETS, methods.names()):
        if (method, dataset) not in TOO_LARGE:
            yield method, dataset, *next(turns)


@pytest.mark.parametrize(("method", "dataset", "ipc", "seconds"), [*cases()])
def test_every_method_fits_into_minutes(method: str, dataset: str, ipc: int, seconds: int) -> None:
    request, before, of = asked(method, dataset, ipc)
    found = fit(before, of, ipc, seconds, prices(of, ipc, method))
    check(found.recipe, request, of)
    assert Recipe.model_validate(found.recipe.model_dump(mode="json")) == found.recipe
    assert found.seconds == prices(of, ipc, method)(found.recipe) <= seconds
    assert found.recipe.evaluation.seeds >= min(FEWEST_SEEDS, before.evaluation.seeds)
    assert (found.recipe == before) == (not found.given_up)
    if set(found.given_up) > {"evaluation.full left out"}:  # then the time is used, as far as rungs are apart
        assert found.seconds > seconds / 2


def test_what_fits_is_left_as_it_is() -> None:
    _, recipe, _ = asked("mtt", "digits", 1)
    assert fitted("mtt", "digits", 1, 3600) == Fitted(recipe, (), prices(facts(), 1, "mtt")(recipe))


def test_a_preset_of_few_steps_does_without_some_of_them_first() -> None:
    _, before, of = asked("mtt", "digits", 1)
    bare = before.model_copy(update={"evaluation": before.evaluation.model_copy(update={"full": None})})
    price = prices(of, 1, "mtt")
    found = fit(bare, of, 1, 0.85 * price(bare), price).recipe
    assert found.experts == before.experts
    assert 0.6 * before.schedule.steps <= found.schedule.steps < before.schedule.steps


def test_every_objective_has_a_ladder() -> None:
    kinds = {method.recipe(methods.Task(*task)).objective.kind for task in _tasks() for method in _methods()}
    assert kinds | {"two_layer"} == set(LADDERS)


def _tasks() -> list[tuple[str, int, tuple[int, int, int], int, bool]]:
    return [("cifar10", 10, (3, 32, 32), 10, True)]


def _methods() -> list[methods.Method]:
    return [methods.method(name) for name in methods.names()]


@pytest.mark.parametrize(("dataset", "image_lr", "experts"), [("fashion-mnist", 50.0, 4), ("cifar10", 300.0, 9)])
def test_mtt_in_twenty_minutes_is_what_was_measured(dataset: str, image_lr: float, experts: int) -> None:
    """The rows of RESULTS.md of eleven and thirteen options are single requests."""
    found = fitted("mtt", dataset, 10, 1200).recipe
    assert isinstance(found.objective, Trajectory)
    assert (found.network.width, found.objective.syn_steps, found.schedule.image_lr) == (32, 20, image_lr)
    assert found.experts is not None
    assert found.experts.count >= experts
    assert found.schedule.steps >= 300
    if dataset == "cifar10":
        assert (found.experts.lr, found.objective.expert_epochs, found.objective.max_start_epoch) == (0.03, 1, 5)
        assert found.step_size.initial == 0.03
        assert found.evaluation.epochs == 1000


def test_more_time_gives_up_no_more_steps_on_the_same_rung() -> None:
    steps = [fitted("dm", "cifar10", 10, seconds).recipe for seconds in (520, 560, 600)]
    assert [recipe.network.width for recipe in steps] == [32, 32, 32]
    assert sorted(recipe.schedule.steps for recipe in steps) == [recipe.schedule.steps for recipe in steps]


def test_what_the_client_has_set_stays() -> None:
    found = fitted("mtt", "cifar10", 10, 1800, "experts", "evaluation.epochs").recipe
    before = asked("mtt", "cifar10", 10)[1]
    assert found.experts == before.experts
    assert found.evaluation.epochs == before.evaluation.epochs
    assert found.network.width < before.network.width


def test_the_reference_has_a_share_of_its_own() -> None:
    price = prices(DATASETS["cifar10"], 10, "dm")
    found = fitted("dm", "cifar10", 10, 1800)
    assert found.recipe.evaluation.full is not None
    bare = found.recipe.model_copy(update={"evaluation": found.recipe.evaluation.model_copy(update={"full": None})})
    assert 0 < price(found.recipe) - price(bare) <= REFERENCE_SHARE * 1800
    left_out = fitted("dm", "cifar10", 10, 300)
    assert left_out.recipe.evaluation.full is None
    assert "evaluation.full left out" in left_out.given_up


def test_what_was_given_up_is_said_by_field() -> None:
    found = fitted("mtt", "fashion-mnist", 10, 1800)
    assert {"network.width 128 -> 32", "evaluation.seeds 5 -> 3"} <= set(found.given_up)
    assert f"schedule.steps 5000 -> {found.recipe.schedule.steps}" in found.given_up
    assert not any("stages" in words for words in found.given_up)


@pytest.mark.parametrize(
    ("method", "fixed", "most"),
    [
        ("mtt", (), 5000),
        ("mtt", ("schedule.steps",), 0),
        ("dm", (), 20_000),
        ("dsa", (), 0),  # quicker ones go as far
        ("dsa", ("schedule.image_lr",), 10_000),
        ("frepo", (), 0),  # a cosine has an end
        ("seqmatch", (), 0),  # so has a stage
        ("diffusion", (), 0),
        ("random", (), 0),
    ],
)
def test_steps_that_were_given_up_may_be_done_in_the_end(method: str, fixed: tuple[str, ...], most: int) -> None:
    found = fitted(method, "cifar10", 10, 7200 if fixed else 1200, *fixed)
    assert found.most_steps == most


@pytest.mark.parametrize(
    ("method", "planned", "alike"),
    [
        ("at-bptt", {}, {"objective.end": "random"}),
        ("cda", {"schedule.decay": "constant"}, {"schedule.decay": "constant", "objective.views.curriculum": False}),
    ],
)
def test_steps_that_depend_on_how_many_there_will_be_are_not_gone_beyond(
    method: str, planned: dict[str, object], alike: dict[str, object]
) -> None:
    """End points move from restless to calm steps, crops from large to small: beyond the end they would turn back."""
    _, preset, of = asked(method, "cifar10", 10)
    recipes = [override(preset, changes | {"schedule.steps": 60_000}) for changes in (planned, alike)]
    price = prices(of, 10, method)
    found = [fit(recipe, of, 10, 900, price, ("schedule.image_lr", "schedule.decay")).most_steps for recipe in recipes]
    assert found == [0, 60_000]


@pytest.mark.parametrize("method", ["mtt", "random", "diffusion", "selmatch"])
def test_a_time_too_short_names_one_that_will_do(method: str) -> None:
    with pytest.raises(RecipeError) as refused:
        fitted(method, "cifar10", 10, 5)
    (error,) = refused.value.errors
    assert error.field == "within"
    enough = seconds_of(error.fix.split("'")[1])
    assert fitted(method, "cifar10", 10, enough).seconds <= enough


def test_a_window_of_difficulty_is_swept_for_only_in_time() -> None:
    assert fitted("selmatch", "fashion-mnist", 10, 600).recipe.init.beta == 0.5  # type: ignore[union-attr]
