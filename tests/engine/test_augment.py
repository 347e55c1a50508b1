"""DSA: the published ranges, replay from keys, and gradients that are those of the pixels."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.engine.augment import dsa, dsa_each
from core.engine.keys import Key
from core.recipe import Augment

ALL = Augment().transforms
IMAGES = Key(1).normal(64, 3, 32, 32)


def only(name: str) -> Augment:
    return Augment(transforms=(name,))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ALL)
def test_the_same_key_gives_the_same_view(name: str) -> None:
    assert torch.equal(dsa(IMAGES, only(name), Key(5)), dsa(IMAGES, only(name), Key(5)))
    assert not torch.equal(dsa(IMAGES, only(name), Key(5)), dsa(IMAGES, only(name), Key(6)))


@pytest.mark.parametrize("name", ALL)
def test_shared_views_treat_every_image_alike(name: str) -> None:
    twins = IMAGES[:1].repeat(4, 1, 1, 1)
    view = dsa(twins, only(name), Key(5), shared=True)
    assert torch.equal(view, view[:1].expand_as(view))
    alone = dsa(twins, only(name), Key(4))
    assert not torch.equal(alone, alone[:1].expand_as(alone)), "without it, parameters are each image's own"


@pytest.mark.parametrize("name", ALL)
def test_gradients_in_float64(name: str) -> None:
    images = Key(2).normal(2, 3, 6, 6).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: dsa(x, only(name), Key(3)), (images,), atol=1e-6)


@pytest.mark.parametrize("transforms", [ALL, ("scale", "rotate"), ("crop",), ()], ids=str)
def test_a_stack_of_batches_sees_what_each_would_alone(transforms: tuple[str, ...]) -> None:
    augment, keys = Augment(transforms=transforms), [Key(seed) for seed in (3, 1, 4, 1, 5, 9, 2)]  # type: ignore[arg-type]
    for n in (1, 2, 7):
        images = Key(6).normal(n, 5, 3, 32, 32)
        together = dsa_each(images, augment, keys[:n])
        for batch, key, view in zip(images, keys, together, strict=False):
            assert torch.equal(view, dsa(batch, augment, key))


def test_every_transform_is_drawn() -> None:
    seen = {_which(Key(step)) for step in range(60)}
    assert seen == set(range(len(ALL)))


def _which(key: Key) -> int:
    return key.fold("transform").integer(0, len(ALL))


def test_crop_shifts_by_whole_pixels_up_to_an_eighth() -> None:
    ramp = torch.arange(32.0).view(1, 1, 1, 32).expand(512, 1, 32, 32) + 1
    middle = dsa(ramp, only("crop"), Key(0))[:, 0, 16, 16] - 17
    assert set(middle.tolist()) == {float(shift) for shift in range(-4, 5)}


def test_cutout_is_a_square_of_half_the_side() -> None:
    holes = (dsa(torch.ones(512, 1, 32, 32), only("cutout"), Key(0)) == 0).sum((1, 2, 3))
    assert int(holes.max()) == 16 * 16
    assert int(holes.min()) >= 8 * 8, "a hole centred in a corner keeps a quarter"


def test_flip_mirrors_half_of_the_images() -> None:
    view = dsa(IMAGES.repeat(8, 1, 1, 1), only("flip"), Key(0))
    flipped = [bool(torch.equal(a, b.flip(2))) for a, b in zip(view, IMAGES.repeat(8, 1, 1, 1), strict=True)]
    assert 0.4 < sum(flipped) / len(flipped) < 0.6


@pytest.mark.parametrize(("name", "limit"), [("scale", 1.2), ("rotate", 1.0)])
def test_warps_keep_the_centre(name: str, limit: float) -> None:
    blob = torch.zeros(256, 1, 33, 33)
    blob[:, :, 16, 16] = 1.0
    view = dsa(blob, only(name), Key(0))
    assert view[:, 0, 16, 16].min() > 0.99 / limit**2
    assert view[:, :, :8].abs().max() == 0


def test_color_ranges() -> None:
    flat = torch.full((512, 3, 4, 4), 2.0)
    brightness = _mean(dsa(flat, only("color"), Key(0))) - 2
    assert -0.5 <= brightness.min() < -0.45
    assert 0.45 < brightness.max() <= 0.5


def _mean(x: Tensor) -> Tensor:
    return x.mean((1, 2, 3))


def test_no_transforms_leave_the_images_alone() -> None:
    assert dsa(IMAGES, Augment(transforms=()), Key(0)) is IMAGES
