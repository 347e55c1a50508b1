"""The initial images: random real images, or means of clusters of them."""

from __future__ import annotations

import pytest
import torch

from core.engine import init
from core.engine.keys import Key
from core.engine.real import Real, prepare
from core.recipe import Generated, MeanStd
from tests.engine.conftest import two_digits


@pytest.fixture(scope="module")
def real() -> Real:
    return prepare(two_digits(), MeanStd(), torch.device("cpu"))


def keys(real: Real, seed: int = 0) -> list[Key]:
    return [Key(seed).fold(c) for c in range(real.classes)]


def test_one_mean_stands_for_its_class(real: Real) -> None:
    means = init.given(Generated(given="means"), real, real.members, (1, 1), keys(real))
    for c, members in enumerate(real.members):
        torch.testing.assert_close(means[c], real.train.take(members).mean(0))


def test_every_mean_is_that_of_the_images_nearest_to_it(real: Real) -> None:
    ipc = 3
    means = init.given(Generated(given="means"), real, real.members, (ipc, ipc), keys(real))
    for c, members in enumerate(real.members):
        images, own = real.train.take(members).flatten(1), means[c * ipc : (c + 1) * ipc].flatten(1)
        nearest = torch.cdist(images, own).argmin(1)
        for i in range(ipc):
            torch.testing.assert_close(own[i], images[nearest == i].mean(0), atol=1e-4, rtol=0)


def test_where_every_image_is_asked_for_each_is_its_own_mean(real: Real) -> None:
    few = [members[:5] for members in real.members]
    means = init.given(Generated(given="means"), real, few, (5, 5), keys(real))
    for c, members in enumerate(few):
        images, own = real.train.take(members).flatten(1), means[5 * c : 5 * (c + 1)].flatten(1)
        assert torch.cdist(own, images).argmin(1).sort().values.tolist() == list(range(5))
        torch.testing.assert_close(own, images[torch.cdist(own, images).argmin(1)])


def test_random_images_are_those_of_any_other_start(real: Real) -> None:
    found = init.given(Generated(), real, real.members, (2, 2), keys(real))
    assert torch.equal(found, real.train.take(init.chosen(real, (2, 2), Key(0))))
