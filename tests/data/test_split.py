"""The validation split: stratified, at least one a class, a function of the pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data.digits import digits
from core.data.facts import Images
from core.data.split import held_out, split_test, validation_of


def divided(images: Images) -> tuple[Images, Images]:
    held = validation_of(images)
    return images.take(np.flatnonzero(~held)), images.take(np.flatnonzero(held))


@pytest.mark.parametrize(("count", "validation"), [(2, 1), (5, 1), (14, 1), (15, 2), (100, 10), (139, 14), (5421, 542)])
def test_a_tenth_of_each_class_is_held_out(count: int, validation: int) -> None:
    assert held_out(count) == validation


def test_nothing_is_lost_and_nothing_is_in_both() -> None:
    images = digits().train
    train, validation = divided(images)
    together = sorted(image.tobytes() for part in (train, validation) for image in part.images)
    assert together == sorted(image.tobytes() for image in images.images)
    for label, count in enumerate(np.bincount(images.labels)):
        assert (validation.labels == label).sum() == held_out(int(count))


def test_the_order_of_the_source_does_not_matter() -> None:
    images = digits().train
    shuffled = images.take(np.random.default_rng(7).permutation(len(images)))
    chosen = [{image.tobytes() for image in divided(source)[1].images} for source in (images, shuffled)]
    assert chosen[0] == chosen[1]


@given(st.lists(st.integers(0, 3), min_size=8, max_size=60), st.integers(0, 2**32))
def test_every_class_is_in_both_parts_whatever_the_labels(labels: list[int], seed: int) -> None:
    given_labels = np.array(labels + [0, 1, 2, 3] * 2)
    pixels = np.random.default_rng(seed).integers(0, 256, (len(given_labels), 1, 2, 2), dtype=np.uint8)
    for part in divided(Images(pixels, given_labels)):
        assert set(part.labels) == {0, 1, 2, 3}


def test_the_test_split_is_a_partition() -> None:
    labels = digits().train.labels
    train, test = split_test(labels, seed=3)
    assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(len(labels)))
    assert not np.array_equal(test, split_test(labels, seed=4)[1])
