"""Tiles: what they decode to, the transpose that pulls gradients back, and every objective through them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from core.engine import distill
from core.engine.init import images
from core.engine.keys import Key
from core.engine.parameterize import assemble, decode
from core.engine.real import Real
from core.recipe import Mixed, Pixels, Tiles
from tests.engine.conftest import small
from tests.engine.still import states

KEY = Key(31)
TILES = {"parameterize__kind": "tiles", "parameterize__factor": 2}


def test_a_tile_is_enlarged_to_a_whole_image() -> None:
    stored = KEY.normal(3, 2, 8, 12)
    found = decode(Tiles(factor=2), stored)
    assert found.shape == (12, 2, 8, 12)
    for image in range(3):
        for place, (top, left) in enumerate(((0, 0), (0, 6), (4, 0), (4, 6))):
            tile = stored[image : image + 1, :, top : top + 4, left : left + 6]
            whole = F.interpolate(tile, size=(8, 12), mode="bilinear", align_corners=False)
            assert torch.equal(found[4 * image + place], whole[0])
    assert decode(Pixels(), stored) is stored


@pytest.mark.parametrize("factor", [2, 4])
def test_gradients_are_pulled_back_by_the_transpose(factor: int) -> None:
    x = KEY.fold("x").normal(2, 3, 8, 8).double()
    y = KEY.fold("y").normal(2 * factor**2, 3, 8, 8).double()
    decoded, transpose = torch.func.vjp(lambda stored: decode(Tiles(factor=factor), stored), x)[:2]
    assert float((decoded * y).sum()) == pytest.approx(float((x * transpose(y)[0]).sum()), rel=1e-12)
    again = decode(Tiles(factor=factor), 2 * x + 1)
    assert torch.allclose(again, 2 * decoded + 1), "linear, and a grey image stays grey"


def test_mixed_images_hold_a_smaller_real_one_in_each_tile(real: Real) -> None:
    found = images(Mixed(), real, (2, 2), KEY, parameterize=Tiles(factor=2))
    assert found.shape == (4, 1, 8, 8)
    everything = F.avg_pool2d(real.train.take(torch.arange(len(real.train))), 2)
    chosen = []
    for image, label in enumerate((0, 0, 1, 1)):
        for top in (0, 4):
            for left in (0, 4):
                tile = found[image, :, top : top + 4, left : left + 4]
                same = (everything - tile).abs().amax((1, 2, 3)) < 1e-6
                assert same.any()
                assert label in real.train.labels[same]
                chosen.append(int(same.nonzero()[0]))
    assert len(set(chosen)) > 12, "different ones"
    assert torch.equal(assemble(torch.ones(4, 1, 8, 8), 2), torch.ones(1, 1, 8, 8))


@pytest.mark.parametrize(
    ("method", "changes"),
    [("mtt", {"labels__kind": "learnable"}), ("dm", {}), ("dsa", {"labels__kind": "learnable"}), ("bptt", {})],
)
def test_every_objective_works_through_tiles(method: str, changes: dict[str, object], real: Real) -> None:
    recipe = small(method, init__kind="mixed", **TILES, **changes)
    first, *_, last = states(recipe, real)
    result = distill.finish(recipe, last, real, 2)
    assert last.leaves.images.shape == (4, 1, 8, 8), "stored: two images a class"
    assert result.images.shape == (16, 1, 8, 8), "and four training images of each"
    assert result.labels.tolist() == [0] * 8 + [1] * 8
    assert result.real.tolist() == [False] * 16
    assert torch.equal(result.images, decode(recipe.parameterize, last.leaves.images))
    assert ((last.leaves.images - first.leaves.images).flatten(1).norm(dim=1) > 0).all()
    if changes:
        assert result.soft_labels is not None
        assert result.soft_labels.shape == (16, 2)
