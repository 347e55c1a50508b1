"""The candidates of a race, priced by a machine that obeys the cost model: who takes part, with what in common."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import pytest

from core import methods
from core.budget import TooShort
from core.budget.candidates import DISTILLED, LABELLED, LARGE, REAL, alone, entrants
from core.budget.ladders import NARROW
from core.budget.sizes import named
from core.budget.student import RANDOM, Student, student, unnamed
from core.forecast import predict, raced_job
from core.methods.automatic import SHARED
from core.methods.task import alike
from core.overrides import override
from core.plan.race import LOOKS, Entrants
from core.recipe import MeanStd, Recipe, RecipeError, search
from core.request import JobOrder, JobRequest, check, resolve, settle
from core.weight import weight
from tests.budget.test_fit import DATASETS, MACHINE, prices
from tests.forecast.machines import machine

CASES = [("digits", 1, 60), ("digits", 10, 180), ("fashion-mnist", 10, 1200), ("cifar10", 10, 600), ("lungs", 1, 1200)]


def base(dataset: str, ipc: int, changes: Mapping[str, object] = {}) -> Recipe:
    of = DATASETS[dataset]
    task = methods.Task(dataset, ipc, of.shape, of.classes, of.mirroring.allowed)
    return override(methods.method("auto").recipe(task), changes)


@cache
def raced(dataset: str, ipc: int, seconds: int, *, soft: bool = False) -> tuple[Student, Entrants]:
    of, price = DATASETS[dataset], prices(DATASETS[dataset], ipc, "auto")
    shared = student(base(dataset, ipc), of, ipc, seconds, price)
    return shared, entrants(shared, of, ipc, price, soft=soft)


def test_a_student_takes_as_many_steps_on_tiles_as_on_whole_images() -> None:
    of, price = DATASETS["digits"], prices(DATASETS["digits"], 10, "auto")
    shared, race = raced("digits", 10, 180, soft=True)
    whole, (tiled,) = shared.recipe.evaluation, [each.recipe for each in race.candidates if each.name == "cim"]
    assert tiled.parameterize.formation == 4
    assert tiled.evaluation.epochs * 400 == whole.epochs * 100
    assert whole.batch_size > 100, "a step on all"
    assert tiled.evaluation.batch_size == 100
    fixed = entrants(shared, of, 10, price, {"evaluation.epochs"}, soft=True)
    assert {each.recipe.evaluation.epochs for each in fixed.candidates} == {whole.epochs}, "what a client sets stays"


def test_random_images_beside_a_method_of_tiles_have_as_many_steps() -> None:
    of, price = DATASETS["digits"], prices(DATASETS["digits"], 10, "cim")
    own = methods.method("cim").recipe(methods.Task.of(of, 10))
    shared = named("cim", own, of, 10, 180, price)
    race = alone(shared, of, 10, price, "cim", own)
    whole, tiled = (each.recipe.evaluation for each in race.candidates)
    assert [each.name for each in race.candidates] == [RANDOM, "cim"]
    assert whole.epochs == 4 * tiled.epochs
    assert whole.batch_size == tiled.batch_size <= own.evaluation.batch_size


@pytest.mark.parametrize(("method", "changes"), [("dwa", {"relabel.kind": "keep"}), ("mtt", {"evaluation.lr": None})])
def test_random_images_have_nothing_that_the_method_beside_them_alone_asks_for(
    method: str, changes: dict[str, object]
) -> None:
    """A teacher that images are recovered from; and a learned step size as the evaluation's rate."""
    of, price = DATASETS["digits"], prices(DATASETS["digits"], 2, method)
    own = override(methods.method(method).recipe(methods.Task.of(of, 2)), changes)
    shared = named(method, own, of, 2, 600, price, tuple(changes))
    random, other = (each.recipe for each in alone(shared, of, 2, price, method, own, tuple(changes)).candidates)
    assert random.teacher is None
    assert random.evaluation.lr is not None
    assert (other.teacher is None) == (own.teacher is None)
    assert other.evaluation.lr == own.evaluation.lr


def test_tiles_need_even_sides_and_pixels_that_are_neighbours() -> None:
    of, price = replace(DATASETS["digits"], shape=(1, 9, 9)), prices(DATASETS["digits"], 10, "auto")
    odd = entrants(raced("digits", 10, 180)[0], of, 10, price, soft=True)
    assert "even" in {each.name: each.reason for each in odd.left_out}["cim"]
    whitened = raced("cifar10", 10, 600, soft=True)[1]
    assert "whitened" in {each.name: each.reason for each in whitened.left_out}["cim"].lower()


@pytest.mark.parametrize(("dataset", "ipc", "seconds"), CASES)
def test_all_candidates_have_one_student_and_can_finish(dataset: str, ipc: int, seconds: int) -> None:
    shared, race = raced(dataset, ipc, seconds)
    price, names = prices(DATASETS[dataset], ipc, "auto"), [candidate.name for candidate in race.candidates]
    assert names[0] == RANDOM
    assert {*names} | {each.name for each in race.left_out} == {RANDOM, *REAL, *DISTILLED, *LABELLED}
    assert len({*DISTILLED} & {*names}) >= 3
    whole = price(shared.recipe)
    assert whole + race.seconds <= seconds
    for candidate in race.candidates:
        recipe = candidate.recipe
        for part in SHARED:
            own, common = getattr(recipe, part), getattr(shared.recipe, part)
            if part == "evaluation":
                own = own.model_copy(update={"lr": common.lr})
            assert own == common, f"{candidate.name}: {part}"
        check(recipe, JobRequest(dataset=DATASETS[dataset].name, method=candidate.name, ipc=ipc), DATASETS[dataset])
        brief = recipe.model_copy(
            update={"schedule": recipe.schedule.model_copy(update={"steps": min(20, candidate.steps)})}
        )
        assert price(brief) - whole <= 0.5 * race.seconds
        assert candidate.setup <= 0.3 * race.seconds
    assert max(each.setup for each in race.candidates if not each.steps) <= 0.1 * race.seconds


@pytest.mark.parametrize("labels", ["hard", "soft"])
def test_a_set_of_so_many_bytes_has_room_for_whatever_wins(labels: str) -> None:
    of, price = DATASETS["digits"], prices(DATASETS["digits"], 1, "auto")
    asked = settle(JobOrder.model_validate({"dataset": "digits", "bytes": "4 kB", "labels": labels}), of)
    stored = {"storage": resolve(asked, of).storage}
    shared = student(base("digits", 1).model_copy(update=stored), of, 1, 60, price)
    race = entrants(shared, of, 1, price, soft=labels == "soft")
    assert all(each.recipe.storage == stored["storage"] for each in race.candidates)
    sizes = {each.name: weight(each.recipe.model_copy(update=stored), of, asked.ipc) for each in race.candidates}
    assert max(sizes.values()) <= 4000
    assert sizes["mtt"] > sizes[RANDOM], "a step size is learned"
    if labels == "soft":
        assert min(sizes["frepo"], sizes["rded"]) > sizes["mtt"]
        assert "room for the labels" in {each.name: each.reason for each in race.left_out}["cim"]
    largest = max(race.candidates, key=lambda each: sizes[each.name]).recipe.model_copy(update=stored)
    assert weight(largest, of, asked.ipc + 2) > 4000, "and for no more"


@pytest.mark.parametrize(("dataset", "ipc", "seconds"), [*CASES, ("fashion-mnist", 10, 14_400)])
def test_judging_takes_a_small_share_of_a_race_or_is_as_short_as_it_may_be(
    dataset: str, ipc: int, seconds: int
) -> None:
    _, race = raced(dataset, ipc, seconds)
    images = ipc * DATASETS[dataset].classes
    steps = race.epochs * math.ceil(images / race.candidates[0].recipe.evaluation.batch_size)
    looks = len(race.candidates) + 2 + LOOKS
    assert race.judging > 0
    assert looks * race.judging <= 0.12 * race.seconds or (race.networks, steps) == (2, 120)
    if seconds == 14_400:
        assert (race.networks, steps) == (3, 250)


@pytest.mark.parametrize(("slower", "kept"), [(1, {"k-means", "herding", "dm", "dsa"}), (4, {"dm"})])
def test_where_looks_are_dear_few_take_part(slower: int, kept: set[str]) -> None:
    of, quick = DATASETS["lungs"], prices(DATASETS["lungs"], 10, "auto")

    def price(recipe: Recipe) -> float:
        return slower * quick(recipe)

    shared = student(base("lungs", 10), of, 10, 180, price)
    race = entrants(shared, of, 10, price)
    names = {candidate.name for candidate in race.candidates}
    assert kept <= names
    unseen = [each.name for each in race.left_out if "a look at its images" in each.reason]
    assert bool(unseen) == (slower > 1)
    if unseen:
        assert names <= {RANDOM, "dm", "dsa", "mtt"}, "real images are left out first"
        assert len(names) == 2 or (len(names) + 2 + LOOKS) * race.judging <= 0.3 * race.seconds


@pytest.mark.parametrize(("dataset", "ipc", "seconds"), [("digits", 10, 180), ("lungs", 1, 1200), ("lungs", 10, 1200)])
def test_probes_count_before_a_first_step_as_long_as_the_recipe_that_races_has_them(
    dataset: str, ipc: int, seconds: int
) -> None:
    price, (_, race) = prices(DATASETS[dataset], ipc, "auto"), raced(dataset, ipc, seconds)
    (mtt,) = [each for each in race.candidates if each.name == "mtt"]
    assert mtt.recipe.schedule.image_lr == "auto"
    probing = price(mtt.recipe) - price(search.largest(mtt.recipe))
    assert probing > 0
    assert 0.8 * probing < mtt.setup <= 0.3 * race.seconds


def test_candidates_of_unequal_classes_count_them_alike() -> None:
    of = replace(DATASETS["lungs"], smallest_class=DATASETS["lungs"].train_count // 10)
    price = prices(of, 1, "auto")
    recipe = resolve(JobRequest(dataset=of.name, ipc=1, method="auto"), of)
    race = entrants(student(recipe, of, 1, 1200, price), of, 1, price, soft=True)
    found = {candidate.name: candidate.recipe for candidate in race.candidates}
    assert {"mtt", "frepo"} <= {*found}
    for name, own in found.items():
        assert own.evaluation.measure == "balanced"
        assert own == alike(own), name
    assert found["mtt"].experts is not None
    assert found["mtt"].experts.balance == "batches"


def test_candidates_of_digits_have_more_steps_than_their_presets_where_there_is_time() -> None:
    _, race = raced("digits", 1, 60)
    steps = {candidate.name: candidate.steps for candidate in race.candidates}
    preset = methods.method("dm").recipe(methods.Task("digits", 1, (1, 8, 8), 10, mirror=False)).schedule.steps
    assert preset < steps["dm"] <= 4 * preset


def test_candidates_have_the_settings_that_were_measured_at_their_width() -> None:
    mtt = {candidate.name: candidate.recipe for candidate in raced("cifar10", 10, 1800)[1].candidates}["mtt"]
    assert mtt.network.model_dump()["width"] == 32
    assert (mtt.step_size.initial, mtt.schedule.image_lr, mtt.preprocess.kind) == (0.03, 300.0, "zca")
    of, price = DATASETS["cifar10"], prices(DATASETS["cifar10"], 10, "auto")
    plain = student(base("cifar10", 10, {"preprocess": MeanStd()}), of, 10, 1800, price, ("preprocess",))
    mtt = {each.name: each.recipe for each in entrants(plain, of, 10, price, ("preprocess",)).candidates}["mtt"]
    assert (mtt.schedule.image_lr, mtt.preprocess.kind) == (100.0, "mean_std"), "which diverges by a rate of 300"


def test_images_are_whitened_where_there_is_time_for_that() -> None:
    kinds = {seconds: raced("cifar10", 10, seconds)[0].recipe.preprocess.kind for seconds in (60, 1200)}
    assert kinds == {60: "mean_std", 1200: "zca"}
    assert raced("fashion-mnist", 10, 1200)[0].recipe.preprocess.kind == "mean_std"


def test_the_forecast_of_a_race_counts_the_memory_of_its_largest_candidate() -> None:
    of, (shared, race) = DATASETS["digits"], raced("digits", 1, 60)
    memory = predict(shared.recipe, of, 1, "auto", MACHINE, (), unnamed(shared)).memory.working_mib
    each = {one.name: predict(one.recipe, of, 1, one.name, MACHINE).memory.working_mib for one in race.candidates}
    assert memory >= max(each.values()) > each["random"]


def test_labels_that_say_more_than_a_class_are_asked_for() -> None:
    hard, soft = raced("digits", 1, 60)[1], raced("digits", 1, 60, soft=True)[1]
    further = {candidate.name: candidate.recipe for candidate in soft.candidates if candidate not in hard.candidates}
    assert set(further) == {*LABELLED}
    assert [each.name for each in hard.left_out] == [*LARGE, *LABELLED]
    assert further["frepo"].regresses
    taught, shared = further["rded"], soft.candidates[0].recipe
    assert taught.relabel.kind == "soft", "one label an image, as a byte budget counts it"
    assert (taught.evaluation.optimiser, taught.network) == ("adamw", shared.network)
    assert taught.teacher is not None
    assert taught.teacher.network.model_dump()["width"] <= shared.network.model_dump()["width"]


def test_a_short_time_leaves_out_what_cannot_finish_and_says_why() -> None:
    _, race = raced("cifar10", 10, 40)
    assert race.candidates[0].name == RANDOM
    assert {"window", "herding"} <= {each.name for each in race.left_out}
    assert all(each.reason.endswith(".") for each in race.left_out)


@pytest.mark.parametrize("dataset", ["fashion-mnist", "cifar10", "lungs"])
def test_a_short_search_keeps_the_width_that_some_can_distil_with(dataset: str) -> None:
    shared, race = raced(dataset, 10, 60)
    assert shared.recipe.network.model_dump()["width"] == NARROW
    assert "dm" in [each.name for each in race.candidates]
    assert race.seconds >= 30, "its evaluation may have half of the time, no more"


def test_no_network_that_is_to_be_unseen_is_that_of_all() -> None:
    of, price = DATASETS["cifar10"], prices(DATASETS["cifar10"], 10, "auto")
    asked = {"evaluation.across": [{"kind": "convnet", "width": NARROW}]}
    shared = student(base("cifar10", 10, asked), of, 10, 600, price, tuple(asked))
    assert shared.recipe.network not in shared.recipe.evaluation.across
    race = entrants(shared, of, 10, price, tuple(asked))
    assert {"dm", "mtt"} & {candidate.name for candidate in race.candidates}


def test_what_the_client_sets_holds_for_all() -> None:
    of, price = DATASETS["fashion-mnist"], prices(DATASETS["fashion-mnist"], 1, "auto")
    changes = {"network.width": 48, "evaluation.epochs": 200, "evaluation.lr": 0.02}
    shared = student(base("fashion-mnist", 1, changes), of, 1, 900, price, tuple(changes))
    race = entrants(shared, of, 1, price, tuple(changes))
    assert len(race.candidates) > 3
    for candidate in race.candidates:
        assert candidate.recipe.network.model_dump()["width"] == 48
        assert (candidate.recipe.evaluation.epochs, candidate.recipe.evaluation.lr) == (200, 0.02)


@pytest.mark.parametrize(("ipc", "takes_part"), [(1, False), (224, False), (225, True)])
def test_a_choice_for_large_sets_takes_no_time_of_small_ones(ipc: int, takes_part: bool) -> None:
    """Five per cent of CIFAR-10's classes, of which a tenth is held out, are 225 images."""
    _, race = raced("cifar10", ipc, 14_400 if takes_part else 3600)
    assert {*LARGE} & {candidate.name for candidate in race.candidates} == ({*LARGE} if takes_part else set())
    reasons = {each.name: each.reason for each in race.left_out}
    assert takes_part or all("225 images a class and more" in reasons[name] for name in LARGE)


def test_a_time_in_which_nothing_can_be_evaluated_is_refused_with_one_that_is_enough() -> None:
    of, price = DATASETS["cifar10"], prices(DATASETS["cifar10"], 10, "auto")
    with pytest.raises(RecipeError) as refused:
        student(base("cifar10", 10), of, 10, 3, price)
    assert refused.value.errors[0].field == "within"


@pytest.mark.parametrize(("dataset", "ipc", "seconds"), [("fashion-mnist", 10, 1200), ("cifar10", 10, 1800)])
def test_what_only_the_leader_compiles_leaves_nobody_out(dataset: str, ipc: int, seconds: int) -> None:
    compiles = machine(slower=0.35).model_copy(
        update={"compiled": {"gradient": 0.4, "adjoint": 0.3}, "compiling": 40.0, "kernels": "compiled"}
    )
    _, race = raced_job(base(dataset, ipc), DATASETS[dataset], ipc, compiles, (), seconds)
    assert {"k-means", "herding", *DISTILLED} <= {candidate.name for candidate in race.candidates}
    assert all(not candidate.setup for candidate in race.candidates if candidate.name in ("dm", "dsa", "rat-bptt"))
    at_once = compiles.model_copy(update={"compiling": 0.0})
    _, free = raced_job(base(dataset, ipc), DATASETS[dataset], ipc, at_once, (), seconds)
    waiting, ready = (each for found in (race, free) for each in found.candidates if each.name == "mtt")
    assert waiting.recipe.experts is not None
    assert ready.recipe.experts is not None
    fewer = waiting.recipe.experts.count < ready.recipe.experts.count
    assert fewer or waiting.setup > ready.setup, "before experts a compiler is waited for"


def test_where_judging_takes_most_of_the_time_the_rest_is_raced_for() -> None:
    of, price = DATASETS["cifar10"], prices(DATASETS["cifar10"], 10, "auto")
    with pytest.raises(TooShort) as refused:
        student(base("cifar10", 10), of, 10, 1, price)
    seconds = 2.5 * refused.value.enough
    assert student(base("cifar10", 10), of, 10, seconds, price).seconds > 0.4 * seconds


@pytest.mark.parametrize("method", ["dm", "mtt", "cim"])
def test_a_time_too_short_for_a_method_and_a_target_names_one_that_will_do(method: str) -> None:
    """On a slower machine the job is done in that time, too."""
    of, price = DATASETS["digits"], prices(DATASETS["digits"], 10, method)
    own = methods.method(method).recipe(methods.Task.of(of, 10))
    with pytest.raises(TooShort, match="more than 2s") as refused:
        named(method, own, of, 10, 2, price)
    assert named(method, own, of, 10, refused.value.enough, price).seconds >= 1


@pytest.mark.parametrize(("dataset", "ipc", "seconds"), CASES)
def test_what_a_search_gives_up_is_said_of_the_network_and_the_pixels_too(dataset: str, ipc: int, seconds: int) -> None:
    before, after = base(dataset, ipc), raced(dataset, ipc, seconds)[0]
    assert said(before, after) == told(after)


@pytest.mark.parametrize("seconds", [20, 60, 180, 600])
@pytest.mark.parametrize("method", ["dm", "mtt", "idc"])
def test_what_a_method_with_a_target_gives_up_is_said_of_how_it_is_judged(method: str, seconds: int) -> None:
    of, price = DATASETS["digits"], prices(DATASETS["digits"], 10, method)
    own = methods.method(method).recipe(methods.Task.of(of, 10))
    shared = named(method, own, of, 10, seconds, price)
    (asked,) = [each.recipe for each in alone(shared, of, 10, price, method, own).candidates if each.name == method]
    assert said(own, replace(shared, recipe=asked)) - {"full"} == told(shared) - {"full"}
    left_out = "evaluation.full left out" in shared.given_up
    assert left_out == (shared.recipe.evaluation.full is None)


def said(before: Recipe, after: Student) -> set[str]:
    """The fields of network, pixels and evaluation that are other ones in a recipe that is fitted."""
    parts = {"width": lambda recipe: recipe.network.width, "preprocess": lambda recipe: recipe.preprocess}
    fields = {name: lambda recipe, name=name: getattr(recipe.evaluation, name) for name in ("seeds", "epochs", "full")}
    return {name for name, of in (parts | fields).items() if of(before) != of(after.recipe)}


def told(after: Student) -> set[str]:
    """Those of them of which it is said."""
    paths = {"width": "network.", "preprocess": "preprocess"}
    paths |= {name: f"evaluation.{name}" for name in ("seeds", "epochs", "full")}
    return {name for name, path in paths.items() if any(words.startswith(path) for words in after.given_up)}
