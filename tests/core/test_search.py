"""The values that probes may choose, and the choice they make among those they have tried."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import methods
from core.data import Catalogue
from core.methods import Task
from core.overrides import override
from core.recipe import Recipe, Trajectory, search
from core.recipe.search import Candidates, Tried

NEW = Task("mushrooms", 10, (3, 64, 64), 7, mirror=True)
FAMILY = ("att", "datm", "ftd", "mtt", "tesla")


def recipe(method: str = "mtt", **changes: object) -> Recipe:
    found = methods.method(method).recipe(NEW)
    return override(found, {path.replace("__", "."): value for path, value in changes.items()})


@pytest.mark.parametrize("method", FAMILY)
@pytest.mark.parametrize("dataset", ["mushrooms", "mnist", "svhn"])
def test_what_nobody_published_is_left_to_probes(method: str, dataset: str) -> None:
    found = methods.method(method).recipe(Task(dataset, 10, (3, 32, 32), 10, mirror=dataset != "digits"))
    assert search.left(found) == ("schedule.image_lr", "objective.max_start_epoch")
    assert search.left(methods.method(method).recipe(Task("cifar10", 10, (3, 32, 32), 10, mirror=True))) == ()


@pytest.mark.parametrize("steps", [1, 7, 68, 100, 119, 120, 399, 400, 5000])
def test_the_most_steps_are_those_after_which_probes_become_longer(steps: int) -> None:
    def probed(steps: int) -> tuple[int, ...]:
        return tuple(each.steps for each in search.probes(recipe(schedule__steps=steps)))

    most = search.most_steps(recipe(schedule__steps=steps))
    if most is None:
        assert probed(steps) == probed(50_000)
        return
    assert most >= steps
    if steps >= 20:  # of fewer steps a probe is as long as all of them
        assert probed(most) == probed(steps)
    assert probed(most + 1) > probed(steps)
    assert search.most_steps(search.largest(recipe(schedule__steps=steps))) is None, "without probes"


def test_a_preset_of_another_size_lends_the_rest() -> None:
    near, far = (methods.method("mtt").recipe(Task("cifar10", ipc, (3, 32, 32), 10, mirror=True)) for ipc in (45, 5))
    assert search.left(near) == ()
    assert search.left(far) == ("schedule.image_lr", "objective.max_start_epoch")
    assert isinstance(far.objective, Trajectory)
    assert (far.preprocess.kind, far.objective.syn_steps) == ("zca", 50), "as at ipc 1"
    selmatch = methods.method("selmatch").recipe(NEW)
    assert search.left(selmatch) == ("schedule.image_lr",), "T+ is 80 wherever it was published"


def test_stages_share_what_is_probed_and_keep_what_they_say() -> None:
    assert search.left(recipe("seqmatch")) == ("schedule.image_lr", "objective.max_start_epoch")
    each = [{"max_start_epoch": end, "step_size": 0.01} for end in (9, 4)]
    told = recipe("seqmatch", schedule__stages__each=each)
    assert search.left(told) == ("schedule.image_lr",)
    assert search.start_epochs(told) == (9,), "of the first stage, in which rates are tried"
    for found in (told, search.largest(told)):
        ends = [found.objective_at(stage, 10, 7) for stage in (0, 1)]
        assert [end.last_start_epoch for end in ends if isinstance(end, Trajectory)] == [8, 3]
    far = methods.method("seqmatch").recipe(Task("cifar10", 4, (3, 32, 32), 10, mirror=True))
    assert search.left(far) == ("schedule.image_lr", "objective.max_start_epoch")
    assert (far.schedule.stages.count, far.schedule.stages.each) == (3, ()), "of which the published ones say T+"


@pytest.mark.parametrize("name", methods.names())
def test_settings_leave_nothing_open_at_their_own_ipc(name: str) -> None:
    known = methods.method(name)
    for dataset, ipc in known.presets:
        facts = Catalogue(Path("nowhere")).facts(dataset)
        found = known.recipe(Task(dataset, ipc, facts.shape, facts.classes, facts.mirroring.allowed))
        assert search.left(found) == (), (dataset, ipc)


def test_candidates_are_those_that_experts_reach() -> None:
    assert search.start_epochs(recipe()) == (2, 5, 10, 20, 40)
    assert search.start_epochs(recipe(experts__epochs=20, objective__expert_epochs=2)) == (2, 5, 10)
    assert search.start_epochs(recipe(objective__min_start_epoch=8)) == (10, 13, 18, 28, 48)
    assert search.start_epochs(recipe(objective__growth={"start": 10, "steps": 9})) == (10, 20, 40)
    assert search.start_epochs(recipe(objective__max_start_epoch=7)) == (7,)
    largest = search.largest(recipe())
    assert isinstance(largest.objective, Trajectory)
    assert largest.objective.last_start_epoch == 39


def test_probes_are_a_small_part_of_a_long_job() -> None:
    asked = recipe()
    steps = sum(len(tried.values) * tried.steps for tried in search.probes(asked))
    assert 0 < steps < asked.schedule.steps / 10
    assert search.probes(recipe(objective__max_start_epoch=7, schedule__image_lr=3)) == ()


def test_what_is_decided_later_is_in_the_middle_until_then() -> None:
    rates, ends = search.probes(recipe())
    short = search.short(search.taken(recipe(), rates.field, 30.0), rates.steps)
    assert (short.schedule.image_lr, short.schedule.steps) == (30.0, rates.steps)
    assert isinstance(short.objective, Trajectory)
    assert short.objective.max_start_epoch == 10, "of 2, 5, 10, 20 and 40"
    single = recipe(experts__epochs=4, objective__expert_epochs=2)
    assert search.probes(single)[1].values == (2,)
    settled = search.settled(single, {rates.field: 30.0})
    assert search.probes(settled) == (), "where there is one candidate, it is taken"
    assert search.settled(recipe(), {rates.field: 30.0}) == search.taken(recipe(), rates.field, 30.0)
    assert ends.field == search.END


def test_windows_are_tried_as_far_as_they_stay_within_the_smallest_class() -> None:
    found = methods.method("window").recipe(NEW)
    assert search.windows(found, [(10, 100)]) is None, "the recipe says which"
    swept = search.windows(override(found, {"init.beta": "auto"}), [(25, 100), (1, 100)])
    assert swept is not None
    assert (swept.field, swept.values[0], swept.values[-1]) == ("init.beta", 0.0, 0.7)
    assert search.taken(found, swept.field, 0.3).init == override(found, {"init.beta": 0.3}).init


@pytest.mark.parametrize(
    ("losses", "best"),
    [
        ((1.0, 0.99, 0.9, 0.8, 0.5), 30_000),
        ((1.0, 0.9, 0.52, 0.5, 0.9), 30),
        ((1.0, 0.9, 0.6, 0.5, None), 100),
        ((1.0, 1.1, 1.2, 1.3), 3),
        ((1.0, None), 3),
    ],
)
def test_the_lowest_rate_that_comes_near_the_best_is_taken(losses: tuple[float | None, ...], best: float) -> None:
    rates = Candidates(search.RATE, (3.0, 10.0, 30.0, 100.0, 30_000.0), 5, "loss")
    tried = [Tried(*pair) for pair in zip(rates.values, losses, strict=False)]
    taken, why = rates.best(tried)
    assert taken == best
    assert "1.000" in why
    assert rates.over(tried) == (len(losses) == 5 or losses[-1] is None)
    assert not rates.over(tried[:1])
    assert rates.over([tried[0], Tried(10.0, 1.6)]), "worse than hardly moving"


@pytest.mark.parametrize(
    ("losses", "taken"),
    [
        ((), 100),
        ((1.0,), 100),
        ((1.0, 1.0, 0.9), 100),
        ((1.0, 1.1), 100),
        ((1.0, 0.9, 0.6, 0.5), 100),
        ((1.0, 0.9, 0.6, 0.5, 0.3), 300),
        ((1.0, 0.5, 0.49), 10),
        ((1.0, 1.1, 1.6), 3),
    ],
)
def test_a_search_of_rates_that_time_cuts_off_takes_the_usual_one_unless_it_has_seen_better(
    losses: tuple[float, ...], taken: float
) -> None:
    rates = Candidates(search.RATE, search.IMAGE_LRS, 5, "loss")
    tried = [Tried(*pair) for pair in zip(rates.values, losses, strict=False)]
    found, why = rates.best(tried)
    assert found == taken
    assert ("no time" in why) == (taken == 100 and len(tried) < 4)


def test_where_there_is_no_time_to_try_any_the_only_rate_is_taken_and_the_first_of_other_fields() -> None:
    assert Candidates(search.RATE, (3.0,), 5, "loss").best([])[0] == 3
    assert Candidates(search.END, (2, 5, 10), 5, "validation").best([])[0] == 2


def test_a_rate_that_always_diverges_is_an_error() -> None:
    with pytest.raises(ValueError, match="Even 3 diverged"):
        Candidates(search.RATE, (3.0,), 5, "loss").best([Tried(3.0)])


def test_the_best_on_the_validation_split_is_taken() -> None:
    seen = {2: (0.5, 0.5), 5: (0.5, 0.75), 10: (0.625, 0.625), 20: (0.1, 0.9)}
    tried = [Tried(end, validation=accuracies) for end, accuracies in seen.items()]
    ends = Candidates(search.END, tuple(seen), 15, "validation")
    taken, why = ends.best(tried)
    assert taken == 5, "the lowest of equals"
    assert "62.5%" in why
    assert [ends.over(tried[:count]) for count in range(5)] == [False, False, False, False, True]
