"""The vocabulary: what can be said, what cannot, and what the refusal tells the user to do."""

from __future__ import annotations

from typing import Any

import pytest

from core import methods
from core.methods.trajectory import mtt
from core.overrides import override
from core.recipe import Mlp, Network, Noise, Recipe, RecipeError, ResNet18, Trajectory, Zca

TASK = methods.Task("cifar10", 1, (3, 32, 32), 10, mirror=True)
MTT = mtt(TASK)


def changed(**changes: Any) -> Recipe:
    return override(MTT, {path.replace("__", "."): value for path, value in changes.items()})


def refusal(method: str, changes: dict[str, Any]) -> tuple[str, str]:
    """Field and fix of the only error."""
    with pytest.raises(RecipeError) as caught:
        override(methods.method(method).recipe(TASK), changes)
    (error,) = caught.value.errors
    assert error.message
    return error.field, error.fix


def test_any_field_by_its_path() -> None:
    recipe = changed(objective__syn_steps=7, network__width=16, evaluation__full=None)
    assert isinstance(recipe.objective, Trajectory)
    assert (recipe.objective.syn_steps, recipe.network.width, recipe.evaluation.full) == (7, 16, None)
    assert MTT.network.width == 128, "the original is untouched"


def test_a_kind_starts_its_part_afresh_whatever_the_order() -> None:
    assert override(MTT, {"init.std": 2.0, "init.kind": "noise"}).init == Noise(std=2.0)
    assert override(MTT, {"preprocess": {"kind": "zca", "eps": 0.2}}).preprocess == Zca(eps=0.2)


def test_a_part_left_out_can_be_asked_for() -> None:
    without = changed(evaluation__full=None)
    assert override(without, {"evaluation.full.epochs": 3}).evaluation.full is not None


def test_recipes_survive_json() -> None:
    assert Recipe.model_validate_json(MTT.model_dump_json()) == MTT


@pytest.mark.parametrize(
    ("method", "changes", "field", "fix"),
    [
        ("mtt", {"objective.syn_stepz": 3}, "objective.syn_stepz", "Did you mean 'syn_steps'?"),
        ("mtt", {"objectve.syn_steps": 3}, "objectve.syn_steps", "Did you mean 'objective'?"),
        ("mtt", {"nonsense": 3}, "nonsense", "Use one of: network"),
        ("mtt", {"network.width.more": 3}, "network.width.more", "Set 'width' itself"),
        ("mtt", {"objective.syn_steps": 0}, "objective.syn_steps", "at least 1"),
        ("mtt", {"objective.syn_steps": 10**9}, "objective.syn_steps", "at most 1000"),
        ("mtt", {"step_size.initial": 0}, "step_size.initial", "more than 0"),
        ("mtt", {"step_size.initial": float("nan")}, "step_size.initial", ""),
        ("mtt", {"objective.syn_steps": "many"}, "objective.syn_steps", ""),
        ("mtt", {"network.norm": "layer"}, "network.norm", "'instance', 'batch' or 'none'"),
        ("mtt", {"preprocess.kind": "pca"}, "preprocess.kind", "'mean_std', 'zca', 'none'"),
        ("mtt", {"augment.transforms": ["flip", "flip"]}, "augment.transforms", "List each transform once"),
        ("mtt", {"augment.transforms": ["blur"]}, "augment.transforms.0", "'color', 'crop'"),
        ("mtt", {"experts": None}, "experts", "Set experts, for instance"),
        ("mtt", {"experts.epochs": 2}, "experts.epochs", "at least 3"),
        ("mtt", {"objective.min_start_epoch": 2}, "objective.max_start_epoch", "at least 3"),
        ("mtt", {"objective.growth": {"start": 3}}, "objective.growth.start", "between 1 and 2"),
        ("mtt", {"objective.select": "nearest"}, "objective.select", "'last' or 'closest'"),
        ("dm", {"sdc.weight": 0.1}, "sdc", "Set sdc to null"),
        ("random", {"sdc.weight": 0.1}, "sdc", "Set sdc to null"),
        ("mtt", {"schedule.steps": 0}, "schedule.steps", "at least 1"),
        ("mtt", {"relabel.kind": "soft"}, "teacher", "Set teacher, for instance"),
        ("mtt", {"teacher.epochs": 3}, "teacher", "Set teacher to null"),
        ("sre2l", {"teacher.network.norm": "instance"}, "teacher.network.norm", "'convolution'"),
        ("dwa", {"init.kind": "noise"}, "objective.adjust", "init.kind to 'real'"),
        ("cim", {"parameterize.kind": "pixels"}, "parameterize.kind", "parameterize.kind to 'tiles'"),
        ("cim", {"init.kind": "real"}, "init.kind", "init.kind to 'mixed'"),
        ("cim", {"init.factor": 4}, "init.factor", "Set init.factor to 2."),
        ("cim", {"objective.depth": 0}, "objective.depth", "more than 0"),
        ("fadrm", {"init.kind": "noise"}, "schedule.blend", "Set schedule.blend to null"),
        ("fadrm", {"schedule.blend.keep": 1}, "schedule.blend.keep", "less than 1"),
        ("random", {"schedule.blend": {}}, "schedule.blend", "Set schedule.blend to null"),
        ("dm", {"schedule.blend": {}, "schedule.stages.count": 2}, "schedule.blend", "schedule.stages.count to 1"),
        ("sre2l", {"objective.views.curriculum": True}, "objective.views.curriculum", "Set objective.views.crop"),
        ("rded", {"relabel.bits": 5}, "relabel.bits", "4, 8 or 16"),
        ("mtt", {"evaluation.select": "best_validation"}, "evaluation.look_every", "look_every"),
        ("mtt", {"objective.kind": "nothing"}, "schedule.steps", "to 0"),
        ("mtt", {"parameterize.update": 1.5}, "parameterize.update", "at most 1"),
        ("mtt", {"parameterize.update": 0.5, "init.kind": "noise"}, "parameterize.update", "init.kind to 'real'"),
        ("mtt", {"parameterize.update": 0, "step_size.lr": 0}, "parameterize.update", "more than 0"),
        ("dm", {"parameterize.update": 0}, "parameterize.update", "more than 0"),
        ("random", {"parameterize.update": 0.5}, "parameterize.update", "Set parameterize.update to 1"),
        ("mtt", {"evaluation.policy": "sample", "evaluation.augment": False}, "evaluation.policy", "augment to true"),
        ("mtt", {"evaluation.policy": "sample", "augment.transforms": []}, "evaluation.policy", "'crop' or 'flip'"),
        ("mtt", {"evaluation.policy": "simple", "augment.transforms": ["color"]}, "evaluation.policy", "add 'crop'"),
        ("sre2l", {"evaluation.cutmix": {}}, "evaluation.cutmix", "Set evaluation.cutmix to null"),
        ("window", {"init.beta": "auto", "init.of": "ipc"}, "init.of", "Set init.of to 'class'"),
        ("window", {"init.beta": 1.5}, "init.beta", "less than 1"),
        ("mtt", {"schedule.image_lr": -1}, "schedule.image_lr", "between 0 and 1e8, or 'auto'"),
        ("mtt", {"objective.max_start_epoch": 2.5}, "objective.max_start_epoch", "whole number"),
        ("dm", {"schedule.image_lr": "auto"}, "schedule.image_lr", "to a number"),
        (
            "mtt",
            {"objective.max_start_epoch": "auto", "experts.epochs": 2},
            "objective.max_start_epoch",
            "experts.epochs to at least 3",
        ),
        ("random", {"schedule.steps": 5}, "schedule.steps", "Set schedule.steps to 0"),
        ("random", {"schedule.ema": 0.9}, "schedule.ema", "Set schedule.ema to null"),
        ("mtt", {"schedule.ema": 1.0}, "schedule.ema", "less than 1"),
        ("mtt", {"experts.optimiser.kind": "adam"}, "experts.optimiser.kind", "'sgd', 'gsam'"),
        ("random", {"init.kind": "noise"}, "init.kind", "'real'"),
        ("random", {"labels.kind": "learnable"}, "labels.kind", "'hard'"),
        ("random", {"evaluation.lr": None}, "evaluation.lr", "Set evaluation.lr"),
        ("random", {"evaluation.look_every": 5}, "evaluation.look_every", "Set evaluation.look_every to null"),
        ("dm", {"labels.kind": "learnable"}, "labels.kind", "'hard'"),
        ("dm", {"init.kind": "mixed"}, "init.kind", "'tiles'"),
        ("idc", {"preprocess.kind": "zca"}, "preprocess.kind", "'mean_std'"),
        ("random", {"parameterize.kind": "tiles"}, "parameterize.kind", "to 'pixels'"),
        ("bptt", {"objective.window": 99}, "objective.window", "at most 60"),
        ("bptt", {"objective.end": "random"}, "objective.end", "less than 60"),
        ("bptt", {"experts": {"count": 3}}, "experts", "Set experts to null"),
        ("dm", {"sdc": {"weight": 1.0}}, "sdc", "Set sdc to null"),
        ("dsa", {"objective.inner_images": 9}, "objective.inner_images", "objective.inner to 'real'"),
        ("dsa", {"evaluation.lr": None}, "evaluation.lr", "Set evaluation.lr"),
        ("dsa", {"labels.kind": "learnable", "labels.start": "experts"}, "labels.start", "'confidence'"),
        ("dm", {"init.kind": "correct"}, "init.kind", "objective.kind to 'trajectory'"),
        ("dm", {"experts": {"count": 3}}, "experts", "Set experts to null"),
        ("dsa", {"sdc.steps": "last"}, "sdc.steps", "Set sdc.steps to 'mean'"),
        ("idc", {"objective.outer_loops": 1}, "objective.inner", "outer_loops to at least 2"),
        ("dm", {"schedule.memory": "keep"}, "schedule.memory", "'auto'"),
        ("dsa", {"schedule.memory": "recompute"}, "schedule.memory", "'auto'"),
        ("random", {"schedule.skip_above": 1.0}, "schedule.skip_above", "to null"),
        ("random", {"evaluation.select": "best_validation"}, "evaluation.select", "'last'"),
        (
            "mtt",
            {"labels.kind": "learnable", "labels.start": "experts", "init.kind": "noise"},
            "labels.start",
            "'confidence'",
        ),
    ],
)
def test_what_means_nothing_is_refused_with_the_fix(method: str, changes: dict[str, Any], field: str, fix: str) -> None:
    found, advice = refusal(method, changes)
    assert found == f"overrides.{field}"
    assert fix in advice
    assert advice.endswith((".", "?"))


def test_every_error_is_told_at_once() -> None:
    with pytest.raises(RecipeError) as caught:
        override(MTT, {"network.width": 0, "objective.syn_steps": 0})
    assert {error.field for error in caught.value.errors} == {
        "overrides.network.width",
        "overrides.objective.syn_steps",
    }


def test_a_network_of_no_kind_is_a_convnet() -> None:
    """As it was in every recipe before there were others."""
    recipe = methods.method("sre2l").recipe(TASK)
    old = recipe.model_dump(mode="json")
    del old["network"]["kind"], old["teacher"]["network"]["kind"], old["evaluation"]["across"]
    assert Recipe.model_validate(old) == recipe


def test_another_architecture_begins_with_its_own_width() -> None:
    recipe = methods.method("mtt").recipe(methods.Task("digits", 1, (1, 8, 8), 10, mirror=False))
    assert recipe.network.width == 32
    assert override(recipe, {"network.kind": "resnet18"}).network == ResNet18(width=64)
    across = override(recipe, {"evaluation.across": [{"width": 8}, {"kind": "mlp"}]}).evaluation.across
    assert across == (Network(width=8), Mlp())
