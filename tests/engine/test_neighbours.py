"""Nearest real images: against a search through all pairs, and what copies and strangers look like."""

from __future__ import annotations

import pytest
import torch

from core.data import Dataset
from core.engine import neighbours
from core.engine.neighbours import Nearest
from core.engine.real import Real
from tests.engine.test_evaluate import outcome


def found(toy: Dataset, real: Real, pixels: torch.Tensor) -> Nearest:
    return outcome(neighbours.find(pixels, torch.from_numpy(toy.train.images), real.transform))


def test_they_are_those_of_a_search_through_all_pairs(
    toy: Dataset, real: Real, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it goes in batches; a training image is not its own neighbour."""
    monkeypatch.setattr("core.engine.neighbours.BATCH", 70)
    pixels = torch.from_numpy(toy.test.images)
    near = found(toy, real, pixels)
    train = real.transform.forward(torch.from_numpy(toy.train.images)).flatten(1).double()
    test = real.transform.forward(pixels).flatten(1).double()
    scale = train.shape[1] ** 0.5
    apart = torch.cdist(test, train) / scale
    among = (torch.cdist(train, train) / scale).fill_diagonal_(torch.inf)
    assert sorted(near.image.tolist()) == list(range(len(pixels)))
    assert torch.equal(near.distance, near.distance.sort().values)
    assert torch.allclose(near.distance.double(), apart.amin(1)[near.image], atol=1e-5)
    assert torch.allclose(apart[near.image, near.nearest], apart.amin(1)[near.image], atol=1e-5)
    assert torch.allclose(near.spacing.double(), among.amin(1)[near.nearest], atol=1e-5)


def test_a_copy_is_told_from_noise(toy: Dataset, real: Real) -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (3, 1, 8, 8), generator=generator, dtype=torch.uint8)
    near = found(toy, real, torch.cat([noise, torch.from_numpy(toy.train.images[[5]])]))
    assert (near.image[0], near.nearest[0], near.distance[0]) == (3, 5, 0)
    assert near.spacing[0] > 0.1
    assert (near.distance[1:] > near.spacing[1:]).all()
    said = neighbours.table(near, [0, 1, 1, 1], toy.train.labels.tolist(), ["zero", "one"], 4)
    assert (said.images, said.of, said.closer) == (4, 4, 1)
    assert said.words.startswith("Of 4 images 1 lie nearer to a training image")
    zero, *ones = said.pairs
    assert (zero.class_name, zero.image) == ("zero", 0)
    assert [pair.image for pair in ones[:1]] == [3]
    assert ones[0].nearest_class == ["zero", "one"][toy.train.labels[5]]


def test_of_too_many_images_some_are_looked_at(toy: Dataset, real: Real, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.engine.neighbours.PRODUCTS", 4 * toy.train.images.size)
    near = found(toy, real, torch.from_numpy(toy.test.images[:31]))
    assert sorted(near.image.tolist()) == [0, 10, 20, 30]
    said = neighbours.table(near, [0] * 31, toy.train.labels.tolist(), ["zero", "one"], 31)
    assert "Of 4 images (evenly spaced among all 31)" in said.words
    assert len(said.pairs) == neighbours.PER_CLASS
