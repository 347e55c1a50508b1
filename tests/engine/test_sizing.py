"""The search for the smallest set on the toy, by a clock that ticks when it is read: decisions and interruptions."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from core.data import Dataset
from core.engine.context import JobContext
from core.engine.real import Real
from core.engine.run import distil, prepared, stretched
from core.engine.steps.race import raced
from core.engine.steps.sizing import Enough, sized
from core.engine.winner import Winner
from core.engine.workspace import Drained, InMemory
from core.overrides import override
from core.plan import steps
from core.plan.race import Entrants, Trial
from core.plan.sizing import Sizing
from core.recipe import Recipe
from core.report import Aim
from core.report.results import Row
from tests.engine import still
from tests.engine.test_race import after, entrants, lasting


class Candidates:
    """The same two at any size, whose evaluation takes a second an image."""

    def __call__(self, ipc: int, seconds: float, names: Sequence[str], /) -> Entrants:
        return entrants("random", "dm", seconds=seconds)

    def evaluating(self, ipc: int, /) -> float:
        return float(ipc)


def search(real: Real, asked: Sizing, workspace: InMemory, recipe: Recipe | None = None) -> Winner:
    ticks = count()
    clock: Callable[[], float] = lambda: float(next(ticks))  # noqa: E731

    def racing(context: JobContext, step: steps.Race, enough: Enough, *, compiles: bool) -> Winner:
        return raced(context, step, prepared, stretched, lambda _, waits: context.plan, clock, enough)

    context = replace(still.job(recipe or lasting("random"), real), workspace=workspace)
    return sized(context, asked, Candidates(), racing, clock)


def tried(workspace: InMemory) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(workspace.checkpoints["sizing.json"])["tried"]
    return found


def test_the_smallest_set_that_reaches_the_target_is_the_result(real: Real) -> None:
    workspace = InMemory()
    won = search(real, Sizing(accuracy=0.6, begin=8, largest=32, seconds=300), workspace)
    aim, found = won.context.aim, tried(workspace)
    assert aim is not None
    assert found[0]["ipc"] == 8
    reached = [each["ipc"] for each in found if sum(each["validation"]) / len(each["validation"]) >= 0.6]
    if aim.reached:
        assert aim.ipc == min(reached)
    else:
        assert not reached
    assert won.context.ipc == aim.ipc
    assert [size.ipc for size in aim.sizes] == [each["ipc"] for each in found]


@pytest.mark.parametrize("stop_after", [30])
def test_a_search_that_was_killed_goes_on_to_equal_decisions(stop_after: int, real: Real) -> None:
    asked = Sizing(accuracy=0.6, begin=4, largest=32, seconds=200)
    whole, workspace = InMemory(), InMemory(should_stop=after(stop_after))
    first = search(real, asked, whole)
    with pytest.raises(Drained):
        search(real, asked, workspace)
    again = search(real, asked, replace(workspace, should_stop=lambda: False))
    assert [each["ipc"] for each in tried(workspace)] == [each["ipc"] for each in tried(whole)]
    assert again.context.ipc == first.context.ipc


def test_a_target_is_reached_by_the_set_that_is_published_and_not_by_a_better_one(real: Real) -> None:
    """Real images lead by less than the validation split can tell, so that the distilled ones are the result."""
    answers = list[bool]()
    each = {"round": 0, "seconds": 1.0}
    trials = (
        Trial(name="random", step=0, validation=(0.605, 0.605), **each),
        Trial(name="dm", step=9, validation=(0.59, 0.59), **each),
    )

    def racing(context: JobContext, step: steps.Race, enough: Enough, *, compiles: bool) -> Winner:
        answers.append(enough(trials))
        won = raced(context, step, prepared, stretched, lambda _, waits: context.plan, lambda: 0.0, bool)
        return replace(won, trials=trials)

    workspace = InMemory(time_left=lambda: 0.0)
    context = replace(still.job(lasting("random"), real), workspace=workspace)
    aim = sized(context, Sizing(accuracy=0.6, begin=2, largest=3, seconds=5), Candidates(), racing).context.aim
    assert aim is not None
    assert not aim.reached
    assert aim.sizes[0].method == "dm"
    assert aim.validation == pytest.approx(0.59)
    assert not answers[0], "the race goes on"


@pytest.mark.parametrize("measure", ["accuracy", "balanced"])
def test_a_target_is_compared_on_the_test_split_by_the_measure_of_the_recipe(measure: str, real: Real) -> None:
    asked, workspace = Sizing(accuracy=0.6, begin=2, largest=3, seconds=5), InMemory(time_left=lambda: 0.0)
    aim = search(real, asked, workspace, override(lasting("random"), {"evaluation.measure": measure})).context.aim
    assert aim is not None
    section = aim.section({"distilled": Row(name="distilled", accuracy_mean=0.9, balanced_accuracy_mean=0.5)})
    by_measure = {
        "accuracy": "On it the result reaches 90.0 %, 30.0 points above the target.",
        "balanced": "On it the result reaches 50.0 % by balanced accuracy, 10.0 points below the target.",
    }
    assert section.words[-1].endswith(by_measure[measure])
    assert section.measures is not None
    assert ("Balanced accuracy on validation" in section.measures.columns) == (measure == "balanced")
    stored = aim.model_dump(mode="json", exclude={"balanced"})
    assert not Aim.model_validate(stored).balanced, "a report from before the field"


def test_a_share_of_the_gap_is_of_networks_on_everything(toy: Dataset) -> None:
    workspace = InMemory()
    asked = Sizing(gap=0.99, begin=2, largest=3, seconds=2.0)
    done = distil(lasting("random"), toy, 2, 0, workspace, searching=asked, sizes=Candidates())
    aim = done.context.aim
    assert aim is not None
    full = json.loads(workspace.checkpoints["sizing.json"])["full"]
    assert aim.full == pytest.approx(sum(full[:-1]) / len(full[:-1]))
    assert done.context.ipc == aim.ipc
    assert len(done.result.images) == aim.ipc * 2


def test_with_no_time_the_target_is_missed_and_the_report_says_by_how_much(real: Real) -> None:
    workspace = InMemory(time_left=lambda: 0.0)
    won = search(real, Sizing(accuracy=0.999, begin=2, largest=3, seconds=5), workspace)
    aim = won.context.aim
    assert aim is not None
    if not aim.reached:
        words = " ".join(aim.section({}).words)
        assert "The target was missed" in words
        assert f"{100 * (aim.level - aim.validation):.1f} points below" in words
    assert len(tried(workspace)) == 1
