"""Where a mirrored picture is another thing, none is shown: not by any policy, nor by any method.

Every picture is a slope that rises to the right, and still does so when it is moved, cut, scaled, recoloured or turned
by some degrees; only a mirrored one falls.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core import methods
from core.engine import recovery_views
from core.engine.augment import dsa, views_each
from core.engine.diffusion import training
from core.engine.keys import Key
from core.engine.real import Labelled
from core.methods import Task
from core.overrides import override
from core.recipe import Augment, Policy, Views

SIDE = 16
UPRIGHT = Augment(transforms=("color", "crop", "cutout", "scale", "rotate"))
POLICIES: tuple[Policy, ...] = ("batch", "sample", "simple", "combined")
KEYS = [Key(seed) for seed in range(12)]


def slopes(*batch: int, channels: int = 1) -> Tensor:
    """Pictures [..., C, H, W] of a slope with a little noise on it."""
    columns = torch.linspace(-1.5, 1.5, SIDE)
    return columns + 0.02 * Key(5).normal(*batch, channels, SIDE, SIDE)


def rising(images: Tensor) -> Tensor:
    """Which pictures [..., C, H, W] rise to the right in most of their places, bool [...]."""
    return images.diff(dim=-1).flatten(-3).median(-1).values > 0


@pytest.mark.parametrize("policy", POLICIES)
def test_no_policy_mirrors_where_flip_is_left_out(policy: Policy) -> None:
    images, real = slopes(len(KEYS), 30), Key(1).uniform(len(KEYS), 30) < 0.5
    assert rising(views_each(images, UPRIGHT, policy, KEYS, real)).all()
    mirrored = views_each(images, Augment(), policy, KEYS, real)
    assert 0 < int((~rising(mirrored)).sum()) < images.shape[0] * images.shape[1]


@pytest.mark.parametrize("shared", [False, True])
def test_neither_does_the_augmentation_that_objectives_differentiate(shared: bool) -> None:
    views = [dsa(slopes(10), UPRIGHT, key, shared=shared) for key in KEYS]
    assert all(rising(view).all() for view in views)


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, SIDE, SIDE), (3, 32, 32)])
@pytest.mark.parametrize("name", methods.names())
def test_no_method_mirrors_what_must_not_be(name: str, shape: tuple[int, int, int]) -> None:
    """In what it trains on, recovers from and is evaluated with, on a dataset of any size."""
    recipe = methods.method(name).recipe(Task("signs", 2, shape, 3, mirror=False))
    images = slopes(len(KEYS), 12, channels=shape[0])
    assert rising(views_each(images, recipe.augment, recipe.evaluation.policy, KEYS)).all()
    views = getattr(recipe.objective, "views", None)
    if views is not None:
        for done in (0.0, 0.5, 1.0):
            seen = recovery_views.view(images, views, recovery_views.draw(Key(2), len(KEYS)), done)
            assert rising(seen).all()
    turned = methods.method(name).recipe(Task("signs", 2, shape, 3, mirror=True))
    assert ("flip" in turned.augment.transforms) == bool(recipe.augment.transforms)
    assert override(turned, {"augment.transforms": ["crop"]}).augment.transforms == ("crop",), "the client's word wins"


def test_recovered_groups_are_mirrored_where_their_views_say_so_alone() -> None:
    images, draws = slopes(40, 3), recovery_views.draw(Key(2), 40)
    every = Views(crop=0.35, curriculum=True, roll=0.125, flip=True)
    assert 0 < int((~rising(recovery_views.view(images, every, draws, 1.0))).all(1).sum()) < 40
    assert rising(recovery_views.view(images, every.model_copy(update={"flip": False}), draws, 1.0)).all()


def test_a_generator_is_trained_on_pictures_as_they_are() -> None:
    real = Labelled(slopes(50), torch.zeros(50, dtype=torch.long), None)
    upright, _ = training.batch(real, 40, False, Key(1))
    mirrored, _ = training.batch(real, 40, True, Key(1))
    assert rising(upright).all()
    assert 0 < int((~rising(mirrored)).sum()) < 40
