"""A whitening is fitted once for all jobs on the same data, as long as the same machine would fit the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from core.data import Dataset
from core.engine.preprocess import Transform
from core.engine.whitened import real_data
from core.engine.workspace import InMemory
from core.recipe import MeanStd, Zca

CPU = torch.device("cpu")
ZCA = Zca()


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The choices that are fitted from now on."""
    from core.engine import whitened

    asked: list[object] = []
    real = whitened.fit

    def fit(preprocess: Zca, pixels: torch.Tensor) -> Transform:
        asked.append(preprocess)
        return real(preprocess, pixels)

    monkeypatch.setattr(whitened, "fit", fit)
    return asked


def test_the_next_job_finds_it_to_the_bit(toy: Dataset, fits: list[object]) -> None:
    place = InMemory()
    first, second = (real_data(toy, ZCA, CPU, place) for _ in range(2))
    assert len(fits) == 1
    assert len(place.results) == 1
    assert torch.equal(first.train.stored, second.train.stored)
    assert torch.equal(first.test.stored, second.test.stored)
    for name, array in first.transform.arrays.items():
        assert torch.equal(array, second.transform.arrays[name])


def test_other_data_other_choices_and_other_machines_have_their_own(
    toy: Dataset, fits: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = InMemory()
    real_data(toy, ZCA, CPU, place)
    real_data(replace(toy, facts=replace(toy.facts, digest="sha256:other")), ZCA, CPU, place)
    real_data(toy, Zca(eps=0.2), CPU, place)
    monkeypatch.setattr("core.engine.whitened.environment", lambda device: ("another processor",))
    real_data(toy, ZCA, CPU, place)
    assert len(fits) == 4


def test_what_is_damaged_is_fitted_anew(toy: Dataset, fits: list[object]) -> None:
    place = InMemory()
    real_data(toy, ZCA, CPU, place)
    ((name, content),) = place.results.items()
    place.results[name] = content[:100]
    real_data(toy, ZCA, CPU, place)
    assert len(fits) == 2
    assert place.results[name] == content


def test_means_are_not_worth_a_file(toy: Dataset) -> None:
    place = InMemory()
    real_data(toy, MeanStd(), CPU, place)
    assert not place.results
