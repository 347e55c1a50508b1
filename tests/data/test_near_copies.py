"""Near copies: found among pictures as people save them, and not among those that only are alike."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from core.data import Catalogue
from core.data import near_copies as comparing
from core.data.doubts import CUT_SHORT, doubts, near_within
from core.data.facts import Images, NearCopies
from core.data.near_copies import near_copies

Pixels = NDArray[np.uint8]
DIGITS = Catalogue(Path("nowhere")).load("digits").train


def images(pixels: NDArray[np.generic], labels: int | list[int] = 0) -> Images:
    return Images(pixels.astype(np.uint8), np.broadcast_to(np.int64(labels), len(pixels)).copy())


def scenes(count: int, side: int = 32, seed: int = 0) -> Pixels:
    """Smooth pictures in colour, each another."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 3, 6, 6), dtype=np.uint8).transpose(0, 2, 3, 1)
    return np.stack([np.asarray(Image.fromarray(each).resize((side, side))) for each in coarse]).transpose(0, 3, 1, 2)


def jpeg(image: Pixels) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).save(file, "JPEG", quality=75)
    return np.asarray(Image.open(file)).transpose(2, 0, 1)


def test_a_picture_saved_anew_lighter_or_scaled_and_back_is_found_across_the_splits() -> None:
    train = scenes(40)
    noise = np.random.default_rng(1).normal(0, 3, train[3].shape)
    larger = np.asarray(Image.fromarray(train[4].transpose(1, 2, 0)).resize((64, 64)).resize((32, 32)))
    changed = [jpeg(train[1]), train[2] * 0.8 + 30, (train[3] + noise).clip(0, 255), larger.transpose(2, 0, 1)]
    test = np.concatenate([np.stack(changed).astype(np.uint8), scenes(20, seed=2), train[5:6]])
    found = near_copies(images(train), images(test, 1))
    assert found is not None
    assert found.counts == NearCopies(train=0, test=0, across=4, classes=8)
    assert sorted(found.across) == [(1, 0), (2, 1), (3, 2), (4, 3)]
    assert sorted(found.classes) == [(1, 40), (2, 41), (3, 42), (4, 43)]


def test_equal_pictures_are_no_near_copies_and_flat_ones_are_none_of_each_other() -> None:
    train, flat = scenes(10), np.stack([np.full((3, 32, 32), grey) for grey in (0, 1, 255)])
    dim = train[:1] // 4  # so much darker that it may be another thing
    found = near_copies(images(np.concatenate([train, train[:3], flat, dim])), images(np.concatenate([train, flat])))
    assert found is not None
    assert found.counts == NearCopies(train=0, test=0, across=0, classes=0)


def test_other_digits_and_other_icons_are_no_near_copies() -> None:
    """A hash of 64 bits takes most digits for near copies of another one."""
    found = near_copies(DIGITS, images(np.zeros((1, 1, 8, 8))))
    assert found is not None
    assert found.counts.classes == 0
    assert found.counts.train <= 4
    icons = np.zeros((30, 1, 28, 28))
    for place, icon in enumerate(icons[:, 0]):
        icon[place % 6 * 4 : place % 6 * 4 + 6, place // 6 * 5 : place // 6 * 5 + 6] = 255
    found = near_copies(images(icons[:20]), images(icons[20:]))
    assert found is not None
    assert found.counts == NearCopies(train=0, test=0, across=0, classes=0)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 40, 33), (1, 4, 90)])
def test_none_is_missed_that_comparing_all_pairs_finds(shape: tuple[int, int, int]) -> None:
    rng, count = np.random.default_rng(5), 150
    train = rng.integers(0, 256, (count, *shape))
    train[50:] = (train[: count - 50] + rng.normal(0, 8, (count - 50, *shape))).clip(0, 255)
    whole = images(train)
    found = near_copies(whole, images(rng.integers(0, 256, (2, *shape)), 1))
    small = comparing._Pixels(whole, images(train[:0])).plain(np.arange(count)).units
    apart = np.linalg.norm(small[:, None] - small[None], axis=2)
    np.fill_diagonal(apart, 9)
    near = (apart <= comparing.LARGEST).any(1)
    assert near.sum() > 20
    assert found is not None
    assert found.counts.train == near.sum()


def test_near_copies_and_unequal_classes_are_warned_of() -> None:
    facts = Catalogue(Path("nowhere")).facts("digits")
    assert doubts(facts) == []
    near = NearCopies(train=9, test=9, across=2, classes=1, complete=False)
    across, classes, unequal = doubts(
        replace(facts, near=near, members=(90, *facts.members[1:9], 12), smallest_class=12)
    )
    assert across.startswith("At least 2 of 359 test images are nearly a training image")
    assert classes.startswith("At least 1 image is nearly an image of another class")
    largest = max(facts.members[1:9])
    assert f"'{facts.members.index(largest, 1)}' has {largest} images to train on, '9' 12." in unequal


def test_all_pictures_may_be_near_copies_of_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the frames of a film are: most of the many pairs need not be compared."""
    monkeypatch.setattr(comparing, "MOST_CANDIDATES", 40_000)
    monkeypatch.setattr(comparing, "_PAIRS_AT_ONCE", 2048)
    rng, count = np.random.default_rng(3), 500
    frames = images((scenes(1) + rng.normal(0, 3, (count, 3, 32, 32))).clip(0, 255))
    train, test = frames.take(np.arange(count) % 5 > 0), frames.take(np.arange(count) % 5 == 0)
    found = near_copies(Images(train.images, np.arange(len(train)) % 2), Images(test.images, np.arange(len(test)) % 2))
    assert found is not None
    assert found.counts == NearCopies(train=400, test=100, across=100, classes=500)
    monkeypatch.setattr(comparing, "MOST_PAIRS", 10_000)
    cut = near_copies(train, test)
    assert cut is not None
    assert not cut.counts.complete
    assert list(near_within(replace(cut.counts, train=0, test=0, across=0, classes=0))) == [CUT_SHORT]


def test_looking_for_them_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    train = images((scenes(1) + np.arange(60)[:, None, None, None] * np.eye(32)[None, None]).clip(0, 255))
    whole = near_copies(train, train.take(np.arange(1)))
    monkeypatch.setattr(comparing, "MOST_CANDIDATES", 10)
    cut = near_copies(train, train.take(np.arange(1)))
    assert whole is not None
    assert cut is not None
    assert (whole.counts.complete, cut.counts.complete) == (True, False)
    assert cut.counts.train < whole.counts.train
    monkeypatch.setattr(comparing, "MOST_IMAGES", 10)
    assert near_copies(train, train) is None
