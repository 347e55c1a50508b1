"""Tiles beside the real images that they were made of, and images that go back to what they began as."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from core.engine.augment import dsa
from core.engine.keys import Key
from core.engine.objectives import pairing
from core.engine.parameterize import assemble
from core.engine.real import Real
from core.engine.synthetic import Synthetic
from core.engine.teacher import Teacher
from core.recipe import Blend, Paired
from tests.engine.conftest import small
from tests.engine.still import states, taught

RECIPE = small("cim")
MEASURE = partial(pairing.distance, augment=RECIPE.augment, key=Key(2), step=0)


@pytest.fixture(scope="module")
def known(real: Real) -> Teacher:
    found = taught(RECIPE, real)
    assert found is not None
    return found


def pairs(real: Real, ipc: int = 3) -> Synthetic:
    anchors = real.train.take(torch.arange(ipc))
    return Synthetic(anchors.roll(1, 0), torch.ones(ipc, 2) / 2, torch.tensor(0.01), anchors=anchors)


def test_an_image_that_is_the_real_one_is_at_no_distance(known: Teacher, real: Real) -> None:
    seen = pairs(real)
    assert seen.anchors is not None
    total, gradients = MEASURE(Paired(), known, synthetic=seen._replace(images=seen.anchors))
    assert float(total) == 0
    assert not gradients.images.any()
    assert float(MEASURE(Paired(), known, synthetic=seen)[0]) > 0


@pytest.mark.parametrize("depth", [0.5, 1.0])
@pytest.mark.parametrize("kind", ["squared", "absolute"])
def test_the_gradient_is_autograd_s_through_one_view_of_both(
    depth: float, kind: str, known: Teacher, real: Real
) -> None:
    seen = pairs(real)
    assert seen.anchors is not None
    objective = Paired.model_validate({"depth": depth, "distance": kind})
    total, gradients = MEASURE(objective, known, synthetic=seen)
    images = seen.images.clone().requires_grad_()
    found = []
    for own in (seen.anchors, images):
        view = dsa(own, RECIPE.augment, Key(2).fold("paired", 0))
        if depth == 1:
            found.append(known.network.embed(known.theta, view, known.moments))
        else:
            found.append(known.network.trace(known.theta, view, known.moments)[1].convolutions[1].flatten(1))
    apart = found[1] - found[0]
    loss = (apart**2 if kind == "squared" else apart.abs()).mean(1).sum()
    (expected,) = torch.autograd.grad(loss, images)
    assert torch.allclose(total, loss)
    assert expected.any()
    assert torch.allclose(gradients.images, expected, atol=1e-7)


def test_a_job_begins_with_the_tiles_of_its_anchors(real: Real) -> None:
    """They are images that the teacher chose, as many as tiles, and class by class."""
    state = states(RECIPE, real)[0]
    assert state.anchors is not None
    assert state.anchors.shape == (2 * 2 * 4, 1, 8, 8)
    assert torch.equal(assemble(state.anchors, 2), state.leaves.images)
    everything = real.train.take(torch.arange(len(real.train))).flatten(1)
    apart = torch.cdist(state.anchors.flatten(1), everything)
    assert float(apart.min(1).values.max()) < 0.05, "whole real images"
    assert real.train.labels[apart.argmin(1)].tolist() == [0] * 8 + [1] * 8


def test_images_go_back_half_way_and_begin_at_rest(real: Real) -> None:
    """After each quarter of the steps but the last; up to the first of them nothing differs."""
    blended = states(small("fadrm", schedule__blend__keep=0.25), real)
    free = states(small("fadrm", schedule__blend=None), real)
    first, initial = blended[1], blended[0].leaves.images
    assert torch.equal(first.leaves.images, free[1].leaves.images.lerp(initial, 0.75))
    assert (first.squares, first.updates, bool(first.velocity.images.any())) == (None, 0, False)
    assert blended[4].velocity.images.any(), "nothing follows the last part"


@pytest.mark.parametrize(
    ("count", "steps", "expected"), [(3, 2000, {500, 1000, 1500}), (1, 300, {150}), (3, 2, {1}), (5, 1, set())]
)
def test_blends_part_the_steps_evenly(count: int, steps: int, expected: set[int]) -> None:
    assert Blend(count=count).after(steps) == expected
