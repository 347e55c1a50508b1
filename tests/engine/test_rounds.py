"""Rounds of real images: which are taken, that none is taken twice, and what is left where time or images run out."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from core.data import Dataset
from core.engine import distill, init, rounds
from core.engine.keys import Key
from core.engine.real import Labelled, Real
from core.engine.run import distil
from core.engine.workspace import Drained, InMemory
from core.overrides import override
from core.recipe import Recipe, Rounds
from tests.engine.conftest import small
from tests.engine.still import states


def test_images_that_are_wrong_come_first_and_the_simplest_of_them() -> None:
    sure = torch.tensor([0.9, -1.0, 0.6, -1.0, -1.0, 0.7])
    hardness = torch.tensor([0.1, 0.5, 0.2, 0.3, 0.0, 0.3])
    trusted = torch.tensor([True, True, True, True, False, True])
    places = rounds.order(sure, hardness, trusted, Key(0))
    assert places.argsort().tolist() == [3, 1, 2, 5, 0, 4], "then the least sure, and last what a teacher gets wrong"


def test_images_equally_hard_are_drawn_by_the_key() -> None:
    same = torch.zeros(50)
    orders = [rounds.order(same - 1, same, same == 0, Key(seed)).tolist() for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.parametrize(
    ("count", "sizes"), [(10, (2, 3, 3, 2)), (50, (10, 14, 13, 13)), (3, (1, 1, 1, 0)), (1, (1, 0, 0, 0))]
)
def test_rounds_take_as_many_each(count: int, sizes: tuple[int, ...]) -> None:
    assert Rounds().sizes(count) == sizes


def rows(images: torch.Tensor) -> list[bytes]:
    return [row.tobytes() for row in images.flatten(1).numpy()]


def test_every_image_is_a_real_one_of_its_class_and_none_is_taken_twice(real: Real) -> None:
    recipe = small("self-evolved", rounds__count=3)
    counts = (20, 20)
    blank = torch.zeros(40, *real.shape)
    begun = init.rounds(recipe, counts) == 0
    blank[begun] = real.train.take(init.chosen(real, init.made(recipe, counts), Key(0)))
    (start, *_) = states(recipe, real)
    state = replace(start, leaves=replace(start.leaves, images=blank))
    for after in range(1, 4):
        state = rounds.filled(recipe, state, real, counts, Key(after).uniform(len(real.train)), after)
        assert state.rounds == after
    for c, members in enumerate(real.members):
        found = rows(state.leaves.images[20 * c : 20 * c + 20])
        assert len(set(found)) == 20
        assert set(found) <= set(rows(real.train.take(members)))


def test_where_images_run_out_equal_ones_are_taken_again(real: Real) -> None:
    few = tuple(members[:5] for members in real.members)
    train = Labelled(real.train.stored.clone(), real.train.labels, real.train.transform)
    for members in few:
        train.stored[members[1:]] = train.stored[members[0]].clone()
    alike, recipe = replace(real, train=train, members=few), small("self-evolved")
    (start, *_) = states(recipe, real)
    state = replace(start, leaves=replace(start.leaves, images=torch.zeros(8, *real.shape)))
    found = rounds.filled(recipe, state, alike, (4, 4), Key(0).uniform(len(train)), 1).leaves.images
    assert len(set(rows(found[1:4]))) == 1
    assert found[1:4].any()


def whole(recipe: Recipe, toy: Dataset, workspace: InMemory, ipc: int = 12) -> tuple[torch.Tensor, str]:
    done = distil(recipe, toy, ipc, 0, workspace)
    assert done.result.real.all()
    assert len(done.result.images) == 2 * ipc
    return done.result.images, done.selection


class Stops:
    """Tells a job to stop as soon as a number of rounds is over."""

    def __init__(self, after: int) -> None:
        self.after, self.workspace = after, InMemory(should_stop=self)

    def __call__(self) -> bool:
        found = self.workspace.checkpoints.get("rounds.safetensors")
        return found is not None and f'\\"rounds\\": {self.after}' in found[:2000].decode("latin-1")


@pytest.mark.parametrize("after", [1, 2])
def test_a_job_that_was_stopped_between_rounds_ends_as_one_that_was_not(toy: Dataset, after: int) -> None:
    recipe = small("self-evolved", rounds__count=3, evaluation__full=None)
    expected, words = whole(recipe, toy, InMemory())
    assert words.endswith("with real images of 3 of 3 rounds")
    stops = Stops(after)
    with pytest.raises(Drained):
        distil(recipe, toy, 12, 0, stops.workspace)
    rest = InMemory(results=stops.workspace.results, checkpoints=stops.workspace.checkpoints)
    assert torch.equal(whole(recipe, toy, rest)[0], expected)


def test_where_no_time_is_left_the_other_images_are_random_real_ones(toy: Dataset) -> None:
    recipe = small("self-evolved", rounds__count=3, evaluation__full=None)
    workspace = InMemory()
    late = replace(workspace, time_left=lambda: -1.0 if "rounds.safetensors" in workspace.checkpoints else 1.0)
    images, words = whole(recipe, toy, late)
    assert words.endswith("with real images of 1 of 3 rounds")
    assert len(set(rows(images))) == len(images)
    after = replace(late, time_left=lambda: 1.0)
    assert torch.equal(whole(recipe, toy, after)[0], images), "an attempt that follows does not go on"


def test_a_state_before_its_rounds_shows_what_there_is(real: Real) -> None:
    recipe = small("self-evolved", rounds__first=0.5)
    before, after = states(recipe, real)
    shown, filled = (distill.finish(recipe, state, real, 2) for state in (before, after))
    assert (shown.labels.tolist(), filled.labels.tolist()) == ([0, 1], [0, 0, 1, 1])
    assert torch.equal(filled.images[::2], shown.images)
    assert shown.images.flatten(1).std(1).min() > 0


def test_rounds_keep_the_running_mean_of_what_was_distilled(toy: Dataset) -> None:
    """The images that the first round's network learned from, and not those of the last outer step."""
    recipe = small("dm", schedule__ema=0.9, rounds=Rounds(first=0.5, count=1, epochs=1).model_dump())
    whole = distil(override(recipe, {"rounds": None}), toy, 1, 0, run="alone")
    shown = distil(recipe, toy, 2, 0).result
    last = distil(override(recipe, {"rounds": None, "schedule.ema": None}), toy, 1, 0, run="last").result
    assert torch.equal(shown.images[~shown.real], whole.result.images)
    assert not torch.equal(whole.result.images, last.images)
