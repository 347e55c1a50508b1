"""The preview: every picture where it belongs, nothing overlapping, nothing silently left out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.artifacts.grid import Grid, arrange
from core.artifacts.preview import draw, preview
from tests.artifacts.results import class_named, result


def grid(classes: int, ipc: int, size: tuple[int, int] = (32, 32)) -> Grid:
    names = [f"class {n}" for n in range(classes)]
    return arrange(np.repeat(np.arange(classes), ipc), names, size, lambda text: 7.0 * len(text))


@settings(max_examples=80)
@given(st.integers(1, 130), st.integers(1, 14), st.sampled_from([(8, 8), (28, 28), (64, 64), (160, 90), (500, 3)]))
def test_tiles_lie_inside_and_apart(classes: int, ipc: int, size: tuple[int, int]) -> None:
    found = grid(classes, ipc, size)
    width, height = found.tile_size
    covered = np.zeros((found.size[1], found.size[0]), dtype=np.int64)
    for tile in found.tiles:
        assert 0 <= tile.left <= found.size[0] - width
        assert 0 <= tile.top <= found.size[1] - height
        covered[tile.top : tile.top + height, tile.left : tile.left + width] += 1
    assert covered.max() == 1
    assert len({tile.index for tile in found.tiles}) == len(found.tiles)
    assert (len(found.tiles) < classes * ipc) == bool(found.omitted)
    assert len({label.text for label in found.labels}) == len(found.labels)


@pytest.mark.parametrize(
    ("classes", "ipc", "words"),
    [
        (10, 1, ""),
        (10, 10, ""),
        (100, 1, ""),
        (10, 50, "Shown: 10 of 50 images per class."),
        (120, 1, "Shown: the first 100 of 120 classes."),
        (100, 10, "Shown: the first 20 of 100 classes."),
        (100, 50, "Shown: the first 20 of 100 classes, 10 of 50 images per class."),
    ],
)
def test_what_is_left_out_is_said(classes: int, ipc: int, words: str) -> None:
    assert grid(classes, ipc).omitted == words


def test_ten_single_images_make_two_rows_of_five() -> None:
    found = grid(10, 1, (8, 8))
    assert found.tile_size == (128, 128)
    assert (len({tile.left for tile in found.tiles}), len({tile.top for tile in found.tiles})) == (5, 2)


def test_small_images_are_enlarged_without_blur() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (10, 3, 8, 8), dtype=np.uint8)
    picture = np.asarray(draw(pixels, np.arange(10), [str(n) for n in range(10)], "title"))
    for image in pixels:
        enlarged = image.transpose(1, 2, 0).repeat(16, 0).repeat(16, 1)
        corner = enlarged[0, 0]
        places = np.argwhere((picture[:-127, :-127] == corner).all(-1))
        assert any(np.array_equal(picture[y : y + 128, x : x + 128], enlarged) for y, x in places)


def test_large_images_are_shrunk_to_a_readable_size() -> None:
    pixels = np.zeros((3, 3, 900, 600), np.uint8)
    width, height = draw(pixels, np.arange(3), ["a", "b", "c"], "title").size
    assert width < 700
    assert height < 400


def test_a_row_may_be_shorter_than_the_others() -> None:
    labels = np.array([0, 0, 0, 2])
    assert draw(np.zeros((4, 1, 8, 8), np.uint8), labels, ["a", "b", "c"], "title").size[0] > 200


def test_any_name_can_be_drawn() -> None:
    names = ("猫", "", "a" * 300, "x_y", "Ångström", "🐈", "a, b, c", "-", "...", "W" * 40)
    for ipc in (1, 2):
        assert preview(class_named(names, result(ipc=ipc))).size[0] < 1200


def test_the_title_is_drawn_in_ink_on_light_paper() -> None:
    picture = np.asarray(preview(result()).convert("L"))
    assert picture[0].min() > 240
    assert picture[28:60, 28:400].min() < 60
