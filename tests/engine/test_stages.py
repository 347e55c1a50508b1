"""Stages: subsets distilled one after the other, into a curriculum."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from core import methods
from core.engine import distill, evaluate, init
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.networks import build
from core.engine.real import Real
from core.engine.train import Curriculum, sgd, shared
from core.overrides import override
from core.recipe import Learnable, Pixels, RecipeError, Stages, Trajectory
from tests.engine.conftest import small
from tests.engine.still import states


def test_images_are_split_evenly_the_larger_stages_first() -> None:
    assert Stages(count=3).split(50) == (17, 17, 16)
    assert Stages(count=3).seen(50) == (17, 34, 50)
    recipe = small("mtt", schedule__stages__count=2)
    assert init.stages(recipe, (3, 3)).tolist() == [0, 0, 1, 0, 0, 1]


@pytest.mark.parametrize(("name", "host"), [("seqmatch", "mtt"), ("seqmatch-idc", "idc")])
def test_one_stage_is_the_host_to_the_bit(name: str, host: str, real: Real) -> None:
    task = methods.Task("somebody-elses", 1, (1, 8, 8), 2, mirror=False)
    assert methods.method(name).recipe(task) == methods.method(host).recipe(task)
    rest = {"schedule__steps": 2, "schedule__image_lr": 1.0}
    own = small(name, schedule__stages__count=1, schedule__stages__epochs=9, **rest)
    alone, one = states(small(host, **rest), real), states(own, real)
    assert [state.loss for state in alone[1:]] == [state.loss for state in one[1:]]
    assert torch.equal(alone[-1].leaves.images, one[-1].leaves.images)
    assert torch.equal(alone[-1].leaves.log_step_size, one[-1].leaves.log_step_size)
    assert distill.finish(own, one[-1], real, 2).stage is None


BRIEFLY = {"schedule.stages": {"count": 2, "epochs": 2, "networks": 1}, "schedule.steps": 2}


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("seqmatch", {"parameterize.kind": "tiles", "labels.kind": "learnable", "schedule.ema": 0.5}),
        (
            "seqmatch",
            {
                "objective.select": "closest",
                "objective.growth": {"start": 1, "steps": 2},
                "objective.batch_size": 2,
                "schedule.optimiser": "adam",
                "schedule.image_lr": 0.1,
            },
        ),
        ("seqmatch-idc", {"labels.kind": "learnable", "sdc": {}}),
        ("dm", BRIEFLY),
        ("bptt", BRIEFLY),
    ],
)
def test_each_stage_moves_its_own_images_alone(name: str, changes: dict[str, object], real: Real) -> None:
    recipe = override(small(name), changes)
    found = states(recipe, real)
    assert [(state.step, state.stage) for state in found] == [(0, 0), (1, 0), (2, 0), (3, 1), (4, 1)]
    own = init.stages(recipe, (2, 2)) == 0
    for kind in ("images", "logits") if isinstance(recipe.labels, Learnable) else ("images",):
        began, between, ended = (getattr(found[step].result, kind) for step in (0, 2, 4))
        first = own.repeat_interleave(len(began) // len(own))
        assert (began[first] != between[first]).any()
        assert torch.equal(began[~first], between[~first])
        assert torch.equal(between[first], ended[first])
        assert (between[~first] != ended[~first]).any()


def test_a_later_stage_begins_with_networks_that_know_the_earlier_ones(real: Real) -> None:
    one, other = (states(small("seqmatch", schedule__stages__epochs=epochs), real) for epochs in (1, 2))
    assert [state.loss for state in one[1:3]] == [state.loss for state in other[1:3]]
    assert [state.loss for state in one[3:]] != [state.loss for state in other[3:]]


def test_of_every_stage_a_share_is_updated() -> None:
    assert init.frozen(Pixels(update=0.5), (5,), Stages(count=2)).tolist() == [False, True, True, False, True]


def test_a_result_keeps_the_order_and_each_step_size(real: Real) -> None:
    each = [{"max_start_epoch": 2, "step_size": 0.01}, {"min_start_epoch": 1, "max_start_epoch": 2, "step_size": 0.05}]
    recipe = small("seqmatch", schedule__stages__each=each, step_size__lr=0.0, parameterize__update=0.5)
    found = states(recipe, real)
    result = distill.finish(recipe, found[-1], real, 2)
    assert result.stage is not None
    assert result.stage.tolist() == [0, 1, 0, 1]
    assert result.step_sizes == pytest.approx((0.01, 0.05))
    assert result.step_size is None
    assert result.real.all(), "half of one image is none"
    protocol = evaluate.on_result(recipe, result)
    assert protocol.curriculum is not None
    assert protocol.curriculum.rates == result.step_sizes
    half = distill.finish(recipe, found[2], real, 2)
    assert half.labels.tolist() == [0, 1]
    assert len(half.step_sizes) == 1


def test_where_no_step_size_is_learned_stages_share_the_evaluations(real: Real) -> None:
    recipe = small("seqmatch-idc")
    result = distill.finish(recipe, states(recipe, real)[-1], real, 2)
    assert result.stage is not None
    assert result.stage.tolist() == 2 * (4 * [0] + 4 * [1])
    assert result.step_sizes == ()
    in_order = evaluate.on_result(recipe, result).curriculum
    assert in_order is not None
    assert in_order.rates == 2 * (recipe.evaluation.lr,)


def test_networks_see_the_stages_one_after_the_other(real: Real) -> None:
    """Each stage goes on where the one before ended, with its own rate; one stage is plain training."""
    kernels, key = Eager(build(small("mtt").network, real.shape, real.classes)), Key(1)
    images = real.train.take(torch.arange(6))
    labels = torch.nn.functional.one_hot(real.train.labels[:6], 2).float()
    protocol = evaluate.on_synthetic(small("mtt", evaluation__epochs=2).evaluation, small("mtt").augment, 0.1)
    stage = torch.tensor([0, 0, 1, 1, 0, 1])

    def theta(*rates: float) -> torch.Tensor:
        own = replace(protocol, curriculum=Curriculum(stage, rates))
        moments = list(sgd(kernels, shared(images), labels, own, [key]))
        assert moments[-1].epochs == own.total_epochs == len(rates) * protocol.epochs
        return moments[-1].theta

    *_, alone = sgd(kernels, shared(images[stage == 0]), labels[stage == 0], protocol, [key])
    assert torch.equal(alone.theta, theta(0.1))
    assert torch.equal(alone.theta, theta(0.1, 0.0)), "a rate of zero moves nothing"
    assert not torch.equal(alone.theta, theta(0.1, 0.1))


@pytest.mark.parametrize(
    ("method", "changes", "field"),
    [
        ("random", {"schedule.stages.count": 2}, "schedule.stages.count"),
        ("idc", {"schedule.stages.each": [{"max_start_epoch": 1, "step_size": 0.1}]}, "schedule.stages.each"),
        (
            "mtt",
            {
                "objective.growth": {"start": 2},
                "schedule.stages.each": [{"max_start_epoch": 1, "step_size": 0.1}],
            },
            "objective.growth.start",
        ),
        (
            "mtt",
            {"schedule.stages.count": 3, "schedule.stages.each": [{"max_start_epoch": 1, "step_size": 0.1}]},
            "each",
        ),
        ("seqmatch", {"schedule.stages.each": 2 * [{"max_start_epoch": 90, "step_size": 0.1}]}, "experts.epochs"),
    ],
)
def test_what_means_nothing_is_refused(method: str, changes: dict[str, object], field: str) -> None:
    recipe = methods.method(method).recipe(methods.Task("digits", 2, (1, 8, 8), 2, mirror=False))
    with pytest.raises(RecipeError) as refused:
        override(recipe, changes)
    assert refused.value.errors[0].field.endswith(field)


def test_the_released_recipe() -> None:
    recipe = methods.method("seqmatch").recipe(methods.Task("cifar10", 50, (3, 32, 32), 10, mirror=True))
    assert recipe.schedule.stages.split(50) == (17, 17, 16)
    assert [recipe.initial_step_size(stage) for stage in range(3)] == [0.001, 0.01, 0.01]
    last = recipe.objective_at(2, 50, 10)
    assert isinstance(last, Trajectory)
    assert (last.batch_size, last.max_start_epoch) == (160, 8)
