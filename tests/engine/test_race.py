"""A race of recipes on the toy, by a clock that ticks when it is read: decisions, interruptions, early ends."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
import torch

from core.data import Dataset
from core.engine.context import KernelPlan
from core.engine.journal import Journal
from core.engine.jury import Jury
from core.engine.real import Labelled, Real
from core.engine.run import distil, prepared, stretched
from core.engine.steps.race import Winner, raced
from core.engine.workspace import Drained, InMemory
from core.overrides import override
from core.plan import packing, steps
from core.plan.race import Candidate, Entrants, Trial, best, next_turn
from core.recipe import Recipe
from tests.engine import still
from tests.engine.conftest import small
from tests.engine.test_crew import Others

NAMES = ("random", "herding", "dm", "mtt", "frepo")


def lasting(name: str) -> Recipe:
    recipe = small(name)
    return override(recipe, {"schedule.steps": 1000}) if recipe.schedule.steps else recipe


def entrants(*names: str, seconds: float = 200.0) -> Entrants:
    setup = {"herding": 40.0, "mtt": 40.0}
    candidates = tuple(Candidate(name=name, recipe=lasting(name), setup=setup.get(name, 0.0)) for name in names)
    return Entrants(candidates=candidates, seconds=seconds, networks=2, epochs=2)


def race(real: Real, asked: Entrants, workspace: InMemory, planned: list[tuple[str, bool]] | None = None) -> Winner:
    """Race by a clock that a look at it moves on by a second; `planned` hears which kernels are asked for."""
    context = replace(still.job(asked.candidates[0].recipe, real), workspace=workspace)
    ticks = count()

    def plan(recipe: Recipe, *, waits: bool) -> KernelPlan:
        if planned is not None:
            planned.append((recipe.objective.kind, waits))
        return context.plan

    return raced(context, steps.Race(asked), prepared, stretched, plan, lambda: float(next(ticks)))


def trials(workspace: InMemory) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(workspace.checkpoints["race.json"])["trials"]
    return found


def after(calls: int) -> Callable[[], bool]:
    """The word to stop, from so many calls on."""
    asked = count(1)
    return lambda: next(asked) >= calls


def test_candidates_go_on_from_their_own_state_and_share_what_they_learn(real: Real) -> None:
    workspace = InMemory()
    won = race(real, entrants(*NAMES, seconds=400.0), workspace)
    found = trials(workspace)
    assert [trial["name"] for trial in found[:5]] == list(NAMES)
    steps_of = [trial["step"] for trial in found if trial["name"] == found[-1]["name"]]
    assert len(steps_of) > 2
    assert steps_of == sorted(set(steps_of)), "each turn goes on where the last one ended"
    assert all(len(trial["validation"]) == 2 for trial in found)
    place = best([Trial.model_validate(trial) for trial in found], len(real.validation))
    assert place is not None
    assert won.context.race is not None
    assert won.context.race.winner == found[place]["name"]
    assert won.state.step == found[place]["step"], "the best look, not the last"
    assert won.context.recipe.objective == lasting(found[place]["name"]).objective
    kept = [name for name in workspace.checkpoints if name.startswith("race-")]
    assert len(kept) == 1, "of the sets that were best before nothing is left"


def test_time_that_is_not_taken_before_the_first_step_is_not_for_more_steps(real: Real) -> None:
    """Experts are foreseen at 200 seconds, and are there after a few."""
    candidates = (Candidate(name="random", recipe=lasting("random")), Candidate(name="mtt", recipe=lasting("mtt")))
    slow = candidates[1].model_copy(update={"setup": 200.0})
    asked, workspace = Entrants(candidates=(candidates[0], slow), seconds=400.0, networks=2, epochs=2), InMemory()
    race(real, asked, workspace)
    first = trials(workspace)[1]
    assert first["name"] == "mtt"
    turn = next_turn(asked, [Trial.model_validate(trials(workspace)[0])])
    assert turn is not None
    assert (turn.before, turn.seconds) == (300, pytest.approx(90, abs=1))
    assert 5 < first["step"] <= turn.seconds, "each step looks at the clock at least once"


def test_experts_that_took_all_of_the_time_before_the_first_step_are_of_use(real: Real) -> None:
    candidates = (Candidate(name="random", recipe=lasting("random")), Candidate(name="mtt", recipe=lasting("mtt")))

    def turned(seconds: float) -> Trial:
        asked, workspace = Entrants(candidates=candidates, seconds=seconds, networks=2, epochs=2), InMemory()
        race(real, asked, workspace)
        return Trial.model_validate(trials(workspace)[1])

    before = turned(400.0).before
    turn = before + 1  # of one who takes part, a fifth of the race, and no second is foreseen for experts
    found = turned(turn / 0.2)
    assert found.name == "mtt"
    assert found.before == pytest.approx(before, abs=2)
    assert turn > 4
    assert found.distilling == pytest.approx(turn, abs=3)


def test_the_leader_and_what_trains_experts_wait_for_a_compiler(real: Real) -> None:
    planned = list[tuple[str, bool]]()
    won = race(real, entrants("random", "herding", "dm", "mtt", seconds=400.0), InMemory(), planned)
    own = {name: lasting(name).objective.kind for name in ("random", "dm", "mtt")}
    first = [(own["random"], False), (own["random"], False), (own["dm"], False), (own["mtt"], True)]
    assert planned[:4] == first, "others have what is compiled already"
    assert planned[4:] in ([], [(own["dm"], True)]), "none waits twice"
    assert won.context.race is not None


@pytest.mark.parametrize("stop_after", [3, 40, 100])
def test_a_race_that_was_killed_goes_on_to_equal_decisions(stop_after: int, real: Real) -> None:
    asked = entrants("random", "dm", "frepo")
    whole, workspace = InMemory(), InMemory(should_stop=after(stop_after))
    race(real, asked, whole)
    with pytest.raises(Drained):
        race(real, asked, workspace)
    won = race(real, asked, replace(workspace, should_stop=lambda: False))
    assert [trial["name"] for trial in trials(workspace)] == [trial["name"] for trial in trials(whole)]
    assert won.context.race is not None
    assert won.context.race.winner == trials(whole)[0]["name"] or won.state.step


def test_once_no_time_is_left_the_best_set_so_far_is_the_result(real: Real) -> None:
    left = iter([5.0, 5.0, 5.0])
    workspace = InMemory(time_left=lambda: next(left, 0.0), ending=lambda: "A client asked for it.")
    won = race(real, entrants(*NAMES), workspace)
    assert len(trials(workspace)) < len(NAMES)
    assert won.context.race is not None
    assert "A client asked for it." in won.context.race.section().words


def test_looks_that_others_judge_say_the_same(real: Real, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_MOST", 1)  # each network is a part
    asked, alone, results = entrants("random", "herding", "dm"), InMemory(), dict[str, bytes]()
    race(real, asked, alone)
    others = Others(still.job(asked.candidates[0].recipe, real).dataset, results)
    shared = InMemory(results=results, crew=others)
    race(real, asked, shared)
    assert sum(others.done.values()) >= len(trials(alone)), "the second network of each look, at least"
    for mine, theirs in zip(trials(shared), trials(alone), strict=True):
        for field in ("name", "round", "step", "validation"):
            assert mine[field] == theirs[field]


def test_time_that_turns_out_to_be_left_is_for_one_more_turn(real: Real) -> None:
    asked, plain = entrants("random", "dm"), InMemory()
    race(real, asked, plain)
    left, lengthened = iter([60.0, 5.0]), list[tuple[str, float]]()
    spared = InMemory(spare=lambda: next(left), lengthen=lambda phase, times: lengthened.append((phase, times)))
    race(real, asked, spared)
    assert trials(spared)[:-1] == trials(plain)
    assert trials(spared)[-1]["name"] == "dm"
    assert trials(spared)[-1]["step"] > trials(plain)[-1]["step"]
    assert [phase for phase, _ in lengthened] == ["racing"]
    assert lengthened[0][1] > 1


def test_judging_tells_how_much_longer_than_foreseen_the_evaluation_takes(real: Real) -> None:
    workspace = InMemory()
    asked = entrants("random", "dm").model_copy(update={"judging": 0.5})
    race(real, asked, workspace)
    took = [trial["judging"] for trial in trials(workspace)][-2:]
    assert workspace.journal.ahead == {"evaluating": min(took) / 0.5}
    again = replace(workspace, journal=Journal())
    race(real, asked, again)
    assert again.journal.ahead == workspace.journal.ahead, "an attempt that follows knows it, too"


@pytest.mark.parametrize("measure", ["accuracy", "balanced"])
def test_sets_are_judged_by_the_measure_of_the_recipe(measure: str, real: Real) -> None:
    """Twelve images, eleven of one class; the last shows the same as the first, so that one of both is wrong."""
    known = real.validation
    first = (known.labels == 0).nonzero().flatten()[:11]
    stored, labels = known.stored[torch.cat([first, first[:1]])], torch.tensor([0] * 11 + [1])
    skewed = replace(real, validation=Labelled(stored, labels, known.transform))
    recipe, workspace = override(lasting("random"), {"evaluation.measure": measure}), InMemory()
    entrant = Candidate(name="random", recipe=recipe)
    won = race(skewed, Entrants(candidates=(entrant,), seconds=100.0, networks=3, epochs=2), workspace)
    found = trials(workspace)[0]["validation"]
    alike = [(right / 11 + wrong) / 2 for right, wrong in [*((r, 0) for r in range(12)), *((r, 1) for r in range(11))]]
    shares = alike if measure == "balanced" else [right / 12 for right in range(13)]
    assert all(min(abs(value - share) for share in shares) < 1e-6 for value in found)
    assert won.context.race is not None
    assert won.context.race.balanced == (measure == "balanced")


def test_with_no_time_at_all_random_images_are_judged_and_are_the_result(real: Real) -> None:
    workspace = InMemory(time_left=lambda: 0.0)
    won = race(real, entrants(*NAMES), workspace)
    assert [trial["name"] for trial in trials(workspace)] == ["random"]
    assert won.context.race is not None
    assert won.context.race.real
    assert won.selection.startswith("random")


def test_what_diverges_is_dropped_and_the_report_says_why(real: Real) -> None:
    mad = lasting("dm")
    schedule = mad.schedule.model_copy(update={"image_lr": math.inf})
    broken = Candidate(name="dm", recipe=mad.model_copy(update={"schedule": schedule}))
    asked = entrants("random", "frepo", seconds=400.0)
    asked = asked.model_copy(update={"candidates": (*asked.candidates, broken)})
    won = race(real, asked, InMemory())
    assert won.context.race is not None
    outcome = {runner.name: runner.outcome for runner in won.context.race.candidates}["dm"]
    assert outcome.startswith("Dropped: The loss was not finite")


def test_a_whole_job_races_and_its_report_has_the_race(toy: Dataset) -> None:
    asked = entrants("random", "dm", "mtt", seconds=1.0)
    done = distil(asked.candidates[0].recipe, toy, 2, 0, InMemory(), searching=asked)
    assert done.context.race is not None
    assert {runner.name for runner in done.context.race.candidates} == {"random", "dm", "mtt"}
    assert done.selection.startswith(done.context.race.winner)
    assert {line["name"] for line in done.rows} >= {"distilled", "random", "full"}
    assert torch.equal(done.result.images.isfinite(), torch.ones_like(done.result.images, dtype=torch.bool))


def test_tiles_race_labelled_by_a_teacher_and_are_judged_in_as_many_steps(
    toy: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = list[tuple[int, int, int]]()

    class Watched(Jury):
        def __init__(self, *parts: Any, **named: Any) -> None:
            super().__init__(*parts, **named)
            seen.append((self.labels.shape[-2], self.protocol.epochs, self.protocol.batch_size))

    monkeypatch.setattr("core.engine.steps.race.Jury", Watched)
    tiles = override(lasting("cim"), {"relabel": {"kind": "soft"}, "evaluation.batch_size": 4})
    candidates = (Candidate(name="random", recipe=lasting("random")), Candidate(name="cim", recipe=tiles))
    asked = Entrants(candidates=candidates, seconds=30.0, networks=2, epochs=8)
    done = distil(candidates[0].recipe, toy, 2, 0, InMemory(), searching=asked)
    assert done.context.race is not None
    assert {runner.name for runner in done.context.race.candidates} == {"random", "cim"}
    images = 2 * toy.facts.classes
    whole, tiled = dict.fromkeys(seen)
    assert whole[:2] == (images, 8)
    assert tiled == (4 * images, 2, 4), "a quarter of the epochs on four times the images"
