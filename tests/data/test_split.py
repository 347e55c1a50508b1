"""The validation split: stratified, at least one a class, a function of the pixels."""

from __future__ import annotations

import hashlib

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
    labels, pixels = digits().train.labels, digits().train.images
    train, test = split_test(labels, 3, pixels)
    assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(len(labels)))
    assert not np.array_equal(test, split_test(labels, 4, pixels)[1])


def drawn_by_place(labels: np.ndarray[tuple[int], np.dtype[np.int64]], seed: int) -> list[int]:
    """The test set of pictures that all differ, as every split so far was made."""
    rng = np.random.default_rng(seed)
    each = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    return sorted(int(place) for members in each for place in members[: round(len(members) * 0.2)])


@given(st.lists(st.integers(0, 3), min_size=1, max_size=80), st.integers(0, 2**32))
def test_without_copies_splits_are_what_they_always_were(labels: list[int], seed: int) -> None:
    given_labels = np.array(labels)
    pixels = np.arange(len(labels), dtype=np.uint8)[:, None, None, None]
    assert split_test(given_labels, seed, pixels)[1].tolist() == drawn_by_place(given_labels, seed)
    hashes = {n: hashlib.blake2b(bytes([n]), digest_size=8).digest() for n in range(len(labels))}
    first = set[int]()
    for label in np.unique(given_labels):
        members = sorted(np.flatnonzero(given_labels == label).tolist(), key=lambda place: hashes[place])
        first |= set(members[: held_out(len(members))])
    counts = np.bincount(given_labels)
    if (counts[counts > 0] > 1).all():
        assert set(np.flatnonzero(validation_of(Images(pixels, given_labels))).tolist()) == first


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9), st.integers(1, 12)), min_size=6, max_size=24),
    st.integers(0, 2**32),
)
def test_no_picture_is_on_both_sides_of_a_split(groups: list[tuple[int, int, int]], seed: int) -> None:
    """Groups are (class, picture, copies); pictures below 3 may be in several classes."""
    rows = [(label, picture if picture < 3 else 10 * (label + 1) + picture, n) for label, picture, n in groups]
    flat = np.array([row[:2] for row in rows for _ in range(row[2])])
    labels, pixels = flat[:, 0], flat[:, 1].astype(np.uint8)[:, None, None, None]
    for part in split_test(labels, seed, pixels), split_test(labels, seed + 1, pixels):
        assert not set(pixels[part[0]].flat) & set(pixels[part[1]].flat)
        assert sorted(np.concatenate(part).tolist()) == list(range(len(labels)))
    held = validation_of(Images(pixels, labels))
    for label in np.unique(labels):
        mine = labels == label
        if len(set(pixels[mine].flat)) > 1:
            assert 0 < held[mine].sum() < mine.sum(), "a class without validation, or without anything to train on"
            assert not set(pixels[mine & held].flat) & set(pixels[mine & ~held].flat)


@pytest.mark.parametrize(
    ("copies", "tested"),
    [([10] * 6, 10), ([1] * 60, 12), ([2] * 30, 12), ([7, 7, 7], 7), ([50, 5, 5], 5), ([58, 1, 1], 1)],
)
def test_a_class_of_copies_has_as_nearly_a_fifth_for_the_test_as_they_allow(copies: list[int], tested: int) -> None:
    pixels = np.repeat(np.arange(len(copies), dtype=np.uint8), copies)[:, None, None, None]
    for seed in range(5):
        assert len(split_test(np.zeros(len(pixels), dtype=np.int64), seed, pixels)[1]) == tested


@pytest.mark.parametrize("classes", [("abc", "abd"), ("abcde", "abcdef", "afg"), ("abcd", "abce", "abcf", "abcg")])
def test_a_class_that_shares_pictures_is_tested_on_those_that_are_left(classes: tuple[str, ...]) -> None:
    pixels = np.array([ord(picture) for each in classes for picture in each], dtype=np.uint8)[:, None, None, None]
    labels = np.repeat(np.arange(len(classes)), [len(each) for each in classes])
    for seed in range(20):
        train, test = split_test(labels, seed, pixels)
        assert (np.bincount(labels[test], minlength=len(classes)) > 0).all()
        assert (np.bincount(labels[train], minlength=len(classes)) > 1).all()
        assert not set(pixels[train].flat) & set(pixels[test].flat)


def test_a_picture_in_two_classes_is_held_out_of_both_or_of_none() -> None:
    pixels = np.concatenate([np.arange(40), np.arange(20, 60)]).astype(np.uint8)[:, None, None, None]
    held = validation_of(Images(pixels, np.repeat([0, 1], 40)))
    assert not set(pixels[held].flat) & set(pixels[~held].flat)
    assert [held[:40].sum(), held[40:].sum()] == [4, 4]


@pytest.mark.parametrize("count", [2, 9, 20, 35])
def test_a_class_that_is_one_picture_is_divided_and_others_are_not_touched_by_it(count: int) -> None:
    pixels = np.concatenate([np.full(count, 200), np.repeat(np.arange(10), 2)]).astype(np.uint8)[:, None, None, None]
    held = validation_of(Images(pixels, np.repeat([0, 1], [count, 20])))
    assert held[:count].sum() == held_out(count)
    assert held[count:].sum() == 2
    assert not set(pixels[count:][held[count:]].flat) & set(pixels[count:][~held[count:]].flat)
