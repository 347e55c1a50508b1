"""Pictures on their way: small and of the same places, kept in the store, and never worth a job."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.artifacts import Store
from core.report import Pair
from worker.engine.pictures import pairs, sheet
from worker.preview_uploader import MOST, MOST_BYTES, PreviewUploader
from worker.protocol import JobFolder


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    """A job's folder with a folder for pictures."""
    found = JobFolder(tmp_path / "job", 1)
    found.pictures.mkdir(parents=True)
    return found


def test_a_picture_is_told_of_once_it_is_in_the_store(folder: JobFolder, tmp_path: Path) -> None:
    store, told = Store(f"file://{tmp_path}/store"), []
    (folder.pictures / "1-7.png").write_bytes(b"picture")
    (folder.pictures / "1-neighbours.png").write_bytes(b"pairs")
    (folder.pictures / "1-9.png").write_bytes(b"x" * (MOST_BYTES + 1))
    with PreviewUploader(store, folder, told.append) as previews:
        previews.hear({"type": "log", "message": "hello"})
        previews.hear({"type": "preview", "step": 7, "path": "1-7.png"})
        previews.hear({"type": "preview", "step": 8, "path": "not there.png"})
        previews.hear({"type": "neighbours", "path": "1-neighbours.png"})
        previews.hear({"type": "preview", "step": 9, "path": "1-9.png"})
        previews.hear({"type": "preview", "step": 10, "path": "../../job/pictures/../secret"})
    sha256 = hashlib.sha256(b"picture").hexdigest()
    assert told == [
        {"type": "log", "message": "hello"},
        {"type": "preview", "step": 7, "sha256": sha256, "bytes": 7},
        {"type": "neighbours", "sha256": hashlib.sha256(b"pairs").hexdigest(), "bytes": 5},
    ]
    assert store.exists(sha256)
    assert not (folder.pictures / "1-7.png").exists(), "what is in the store is not kept twice"


def test_an_engine_that_draws_without_end_is_not_listened_to(folder: JobFolder, tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []
    (folder.pictures / "p.png").write_bytes(b"p")
    previews = PreviewUploader(Store(f"file://{tmp_path}/store"), folder, told.append)
    for step in range(MOST + 50):
        previews.hear({"type": "preview", "step": step, "path": "p.png"})
    assert previews._waiting.qsize() == MOST


@pytest.mark.parametrize(
    ("shape", "classes", "size"),
    [((1, 8, 8), 10, (89, 26)), ((3, 32, 32), 10, (329, 98)), ((3, 64, 64), 100, (329, 98))],
)
def test_a_sheet_has_a_column_a_class_and_stays_small(
    shape: tuple[int, int, int], classes: int, size: tuple[int, int]
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3 * classes, *shape), dtype=np.uint8)
    labels = np.tile(np.arange(classes), 3)
    png = sheet(pixels, labels)
    picture = np.asarray(Image.open(io.BytesIO(png)))
    assert picture.shape[1::-1] == size
    assert len(png) < MOST_BYTES
    if shape[1] <= 32:
        tile = picture[shape[1] + 1 : 2 * shape[1] + 1, : shape[2], :3]
        assert (tile == pixels[classes].transpose(1, 2, 0)).all(), "below an image is the next one of its class"


def test_a_real_image_stands_below_the_one_it_is_nearest_to(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    made, real = (rng.integers(0, 256, (n, 3, 8, 6), dtype=np.uint8) for n in (24, 50))
    each = [{"class": f"{n // 2}", "image": n, "nearest": 49 - n, "distance": 24.0 - n} for n in range(24)]
    found = [Pair.model_validate(pair | {"nearest_class": "", "spacing": 1.0}) for pair in each]
    picture = np.asarray(Image.open(io.BytesIO(pairs(made, real, found))))[:, :, :3]
    assert picture.shape == (2 * (8 + 1 + 8) + 4, 10 * (6 + 4) - 4, 3), "the ten classes with the nearest images"
    top, left = 8 + 1 + 8 + 4, 3 * (6 + 4)  # the second pair of the fourth of them, which is class 5
    assert (picture[top : top + 8, left : left + 6] == made[11].transpose(1, 2, 0)).all()
    assert (picture[top + 9 : top + 17, left : left + 6] == real[38].transpose(1, 2, 0)).all()
