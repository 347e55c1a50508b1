"""Preprocessing: fitted on training pixels, invertible, as data."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import lsq_linear

from core.data import Dataset
from core.engine.preprocess import fit
from core.engine.real import prepare
from core.recipe import MeanStd, Preprocess, Unprocessed, Zca


@pytest.mark.parametrize("preprocess", [MeanStd(), Zca(), Zca(eps=1e-3), Unprocessed()], ids=str)
def test_there_and_back(preprocess: Preprocess, toy: Dataset) -> None:
    pixels = torch.from_numpy(toy.train.images)
    transform = fit(preprocess, pixels)
    there = transform.forward(pixels)
    assert there.dtype == torch.float32
    assert there.shape == pixels.shape
    assert (transform.inverse(there).int() - pixels.int()).abs().max() <= 1


def test_mean_std_standardises(toy: Dataset) -> None:
    images = fit(MeanStd(), torch.from_numpy(toy.train.images)).forward(torch.from_numpy(toy.train.images))
    assert float(images.mean()) == pytest.approx(0, abs=1e-5)
    assert float(images.std()) == pytest.approx(1, abs=1e-4)


def test_zca_is_the_published_formula(toy: Dataset) -> None:
    pixels = torch.from_numpy(toy.train.images)
    x = (pixels.numpy().reshape(len(pixels), -1) / 255).astype(np.float64)
    values, vectors = np.linalg.eigh(np.cov(x.T))
    whiten = vectors @ np.diag((values + 0.1) ** -0.5) @ vectors.T
    truth = (x - x.mean(0)) @ whiten
    ours = fit(Zca(eps=0.1), pixels).forward(pixels).flatten(1).numpy()
    assert np.abs(ours - truth).max() < 1e-4


@pytest.mark.parametrize("preprocess", [MeanStd(), Zca(), Unprocessed()], ids=str)
def test_clamped_images_are_what_pixels_can_be(preprocess: Preprocess, toy: Dataset) -> None:
    transform = fit(preprocess, torch.from_numpy(toy.train.images))
    images = transform.forward(torch.from_numpy(toy.train.images[:20]))
    far = 3 * images
    assert transform.clipped(far) > 0.1
    clamped = transform.clamp(far)
    assert transform.clipped(clamped) == 0
    assert (transform.forward(transform.inverse(clamped)) - clamped).abs().max() < 0.1, "8 bits hold them"
    assert torch.equal(transform.clamp(images), images), "real images stay to the bit"


def test_pixels_of_whitened_images_are_the_nearest_that_there_are(toy: Dataset) -> None:
    transform = fit(Zca(), torch.from_numpy(toy.train.images))
    x = 3 * transform.forward(torch.from_numpy(toy.train.images[:5]))
    whiten, mean = transform.arrays["whiten"], transform.arrays["mean"]

    def distance(pixels: torch.Tensor) -> torch.Tensor:
        return (transform.forward(pixels) - x).flatten(1).norm(dim=1)

    ours = distance(transform.inverse(x))
    factors, goals = whiten.double().numpy(), (x.flatten(1) + mean @ whiten).double().numpy()
    least = torch.tensor([2 * lsq_linear(factors, goal, (0, 1)).cost for goal in goals]).sqrt()
    assert (ours <= 1.01 * least).all(), "8 bits and thirty steps cost less than a hundredth"
    pixels = x.flatten(1) @ transform.arrays["unwhiten"] + mean
    clipped = (pixels.view_as(x) * 255).round().clamp(0, 255).to(torch.uint8)
    assert (ours < 0.95 * distance(clipped)).all()


def test_pixels_that_whitened_images_have_stay(toy: Dataset) -> None:
    pixels = torch.from_numpy(toy.train.images[:20])
    transform = fit(Zca(), torch.from_numpy(toy.train.images))
    images = transform.forward(pixels)
    images[3] *= 3
    kept = [place for place in range(20) if place != 3]
    assert torch.equal(transform.inverse(images)[kept], pixels[kept])


def test_a_constant_channel_does_not_divide_by_zero() -> None:
    pixels = torch.full((10, 1, 8, 8), 7, dtype=torch.uint8)
    for preprocess in (MeanStd(), Zca()):
        assert fit(preprocess, pixels).forward(pixels).isfinite().all()


def test_test_data_goes_through_the_training_split_s_transform(toy: Dataset) -> None:
    real = prepare(toy, MeanStd(), torch.device("cpu"))
    again = real.transform.forward(torch.from_numpy(toy.test.images))
    assert torch.equal(torch.cat(list(real.test.batches(50))), again)
    assert abs(float(again.mean())) > 1e-6, "the test split is not standardised by itself"


def test_members_list_each_class(toy: Dataset) -> None:
    real = prepare(toy, MeanStd(), torch.device("cpu"))
    for c, members in enumerate(real.members):
        assert real.train.labels[members].unique().tolist() == [c]
    assert sum(map(len, real.members)) == len(real.train.labels)


@pytest.mark.parametrize("preprocess", [MeanStd(), Zca(), Unprocessed()], ids=str)
def test_images_are_the_same_however_they_are_read(preprocess: Preprocess, toy: Dataset) -> None:
    real = prepare(toy, preprocess, torch.device("cpu"))
    whole = real.transform.forward(torch.from_numpy(toy.train.images))
    assert torch.equal(real.train.take(torch.arange(len(whole))), whole)
    assert torch.equal(torch.cat(list(real.train.batches(17))), whole)
    index = torch.tensor([[3, 1], [0, 3], [2, 2]])
    assert torch.equal(real.train.take(index), whole[index])


def test_a_sample_spans_the_split(toy: Dataset) -> None:
    real = prepare(toy, MeanStd(), torch.device("cpu"))
    few = real.train.sample(7)
    assert 4 <= len(few) <= 7
    assert torch.equal(few.take(torch.tensor([1])), real.train.take(torch.tensor([-(-len(real.train) // 7)])))
    assert len(real.train.sample(10_000)) == len(real.train)
