"""The file set: complete, deterministic, free of pickle, and refused where it would mix with something else."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from core.artifacts import Distilled, build, inventory
from core.artifacts.layout import class_folders
from tests.artifacts.results import class_named, result, told


def test_every_file_of_the_contract_is_there(tmp_path: Path) -> None:
    manifest = build(tmp_path, result(ipc=2))
    expected = {
        "README.md": "text/markdown; charset=utf-8",
        "croissant.json": "application/json",
        "data/train-00000-of-00001.parquet": "application/vnd.apache.parquet",
        "dataset.npz": "application/zip",
        "dataset.safetensors": "application/octet-stream",
        "load.py": "text/x-python; charset=utf-8",
        "metrics.parquet": "application/vnd.apache.parquet",
        "preview.png": "image/png",
        "recipe.json": "application/json",
        "report.json": "application/json",
        "student.py": "text/x-python; charset=utf-8",
    } | {f"images/{digit}/{n}.png": "image/png" for digit in range(10) for n in range(2)}
    assert {entry.name: entry.media_type for entry in manifest.files} == expected
    assert [entry.name for entry in manifest.files] == sorted(expected)
    assert {entry.name for entry in inventory(tmp_path)} == set(expected) | {"manifest.json", "SHA256SUMS"}
    assert json.loads((tmp_path / "manifest.json").read_text())["digest"] == manifest.digest


def test_the_small_files_say_what_they_should(tmp_path: Path) -> None:
    given = result()
    build(tmp_path, given)
    assert json.loads((tmp_path / "report.json").read_text()) == given.report.document()
    recipe = json.loads((tmp_path / "recipe.json").read_text())
    assert (recipe["request"], recipe["recipe"]) == (given.request, given.recipe)
    assert recipe["dataset"]["digest"] == given.facts.digest
    assert recipe["provenance"]["commit"] == "0123abc"
    assert pq.read_table(tmp_path / "metrics.parquet").to_pylist() == given.metrics
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert (manifest["schema_version"], manifest["request"]) == (1, given.request)
    assert manifest["timings"] == given.provenance["timings"]


def test_the_pictures_are_the_pixels(tmp_path: Path) -> None:
    given = result(ipc=2)
    build(tmp_path, given)
    bundle = np.load(tmp_path / "dataset.npz", allow_pickle=False)
    assert np.array_equal(bundle["x_train"], given.pixels[:, 0])
    assert np.array_equal(bundle["y_train"], given.labels)
    assert bundle["class_names"].tolist() == list(given.facts.class_names)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "images" / "3" / "1.png")), given.pixels[7, 0])


def test_no_machine_path_is_published(tmp_path: Path) -> None:
    build(tmp_path / "out", result())
    for path in (tmp_path / "out").rglob("*.json"):
        assert str(tmp_path) not in path.read_text()
        assert '"where"' not in path.read_text()


def test_the_same_result_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys; from core.artifacts import build; from tests.artifacts.results import result; "
        "build(pathlib.Path(sys.argv[1]), result(ipc=2, kind='zca', soft=True)); "
        "assert 'pandas' not in sys.modules, 'a third of a second in every job'"
    )
    sums = []
    for seed in ("1", "2"):
        folder = tmp_path / seed
        environment = os.environ | {"PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", script, folder], check=True, env=environment, timeout=60)
        sums.append((folder / "SHA256SUMS").read_text())
    assert sums[0] == sums[1]
    assert len(sums[0].splitlines()) == 32


def test_the_digest_follows_the_images_and_not_the_clock(tmp_path: Path) -> None:
    first = result()
    later = replace(
        first,
        provenance=dict(first.provenance) | {"timings": {"distilling": 99.0}, "versions": {}},
        report=told(first, warnings=[]).report,
    )
    images = first.images.copy()
    images[0, 0, 0, 0] = np.nextafter(images[0, 0, 0, 0], np.float32(9))
    other = replace(first, images=images)
    digests = [build(tmp_path / str(n), r).digest for n, r in enumerate((first, later, other))]
    assert digests[0] == digests[1] != digests[2]


def test_column_order_of_the_arrays_changes_no_file(tmp_path: Path) -> None:
    """Writers that take memory as it lies would scramble pictures without a word."""
    given = result(ipc=2, soft=True)
    turned = replace(
        given,
        images=np.asfortranarray(given.images),
        pixels=np.asfortranarray(given.pixels),
        soft_labels=np.asfortranarray(given.soft_labels),
        transform={n: np.asfortranarray(a) if isinstance(a, np.ndarray) else a for n, a in given.transform.items()},
    )
    assert not turned.images.flags.c_contiguous
    build(tmp_path / "c", given)
    build(tmp_path / "f", turned)
    plain, other = (np.load(tmp_path / order / "dataset.npz") for order in ("c", "f"))
    assert all(np.array_equal(plain[name], other[name]) for name in plain.files)
    for name in ("dataset.safetensors", "data/train-00000-of-00001.parquet", "images/3/1.png", "preview.png"):
        assert (tmp_path / "c" / name).read_bytes() == (tmp_path / "f" / name).read_bytes(), name


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(FileExistsError, match="not empty"):
        build(tmp_path, result())


def test_a_number_that_json_lacks_becomes_null(tmp_path: Path) -> None:
    given = result()
    build(tmp_path, told(given, gap_closed=float("nan")))
    assert json.loads((tmp_path / "report.json").read_text())["gap_closed"] is None


ODD = ("a/b", "../up", "ÄÖ ü", "猫", "CON", "3", "a" * 90, "x.png", "T-shirt/top", "a b")


def test_class_folders_are_plain_and_sort_in_the_order_of_the_labels(tmp_path: Path) -> None:
    build(tmp_path, class_named(ODD))
    folders = sorted(path.name for path in (tmp_path / "images").iterdir())
    assert folders == class_folders(ODD)
    assert all(re.fullmatch(r"\d(-[a-z0-9-]+)?", folder) for folder in folders)
    assert folders[0] == "0-a-b"
    many = class_folders([f"class {n}" for n in range(100)])
    assert many == sorted(many)
    assert many[7] == "07-class-7"
    assert class_folders([str(n) for n in range(11)])[9:] == ["09", "10"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"images": np.zeros((10, 1, 8, 9), np.float32)},
        {"images": np.zeros((10, 1, 8, 8))},
        {"labels": np.full(10, 10)},
        {"soft_labels": np.zeros((10, 9), np.float32)},
        {"transform": {"kind": "magic"}},
    ],
)
def test_a_result_that_contradicts_itself_is_not_published(wrong: dict[str, object]) -> None:
    given = result()
    with pytest.raises(AssertionError):
        Distilled(**(vars(given) | wrong))
