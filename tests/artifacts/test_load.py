"""`load.py`, as a user has it: exact floats, the preprocessing, and the check of every file."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors import safe_open

from core.artifacts import build, verify
from core.artifacts.load import compact, load
from tests.artifacts.results import digits, in_few_bits, preprocess, result


@pytest.mark.parametrize("kind", ["mean_std", "zca", "none"])
def test_floats_come_back_exactly_and_the_preprocessing_with_them(tmp_path: Path, kind: str) -> None:
    given = result(ipc=3, kind=kind, soft=True)
    build(tmp_path, given)
    data = load(tmp_path)
    assert np.array_equal(data.images, given.images)
    assert np.array_equal(data.labels, given.labels)
    assert given.soft_labels is not None
    assert np.array_equal(data.targets, given.soft_labels)
    assert data.step_size == given.step_size
    assert data.class_names == given.facts.class_names
    assert data.recipe == given.recipe
    # On images that never left 0..255 the way there and back is exact but for the last bits of a float.
    assert np.array_equal(data.to_pixels(data.images), given.pixels)
    assert np.abs(data.transform(given.pixels) - given.images).max() < 2e-5
    test = digits().test.images
    expected = preprocess(kind, digits().train.images, test)[1]
    assert data.transform(test).dtype == np.float32
    assert np.abs(data.transform(test) - expected).max() < 2e-5


@pytest.mark.parametrize("kind", ["mean_std", "zca", "none"])
def test_the_compact_set_is_brought_back_to_the_same_pixels(tmp_path: Path, kind: str) -> None:
    """The compact file of a whitened set has the matrix that whitens, and none that brings back."""
    changes = {"storage__kind": "compact", "storage__bits": 3, "preprocess__kind": kind}
    given = in_few_bits(result(ipc=3, kind=kind, method="dm", step_size=None, **changes))
    build(tmp_path, given)
    data = compact(tmp_path)
    assert np.array_equal(data.to_pixels(data.images), given.pixels)


@pytest.mark.parametrize(
    ("method", "changes", "real"),
    [
        ("mtt", {"parameterize__update": 0.6, "evaluation__lr": 0.01}, (False, False, True, True)),
        ("dm", {"rounds": {"first": 0.5, "count": 2}}, (False, False, True, True)),
        ("rded", {"relabel": {"kind": "keep"}, "rounds": {"first": 0.25}}, (False, True, True, True)),
        ("self-evolved", {}, (True, True, True, True)),
        ("dm", {}, (False, False, False, False)),
    ],
    ids=["partial update", "rounds after distilling", "rounds after crops", "real alone", "none real"],
)
def test_the_compact_set_tells_which_images_are_real(
    tmp_path: Path, method: str, changes: dict[str, Any], real: tuple[bool, ...]
) -> None:
    step_size = 0.01 if method == "mtt" else None
    given = in_few_bits(result(ipc=4, method=method, step_size=step_size, storage__kind="compact", **changes))
    given = replace(given, real=np.tile(np.array(real), 10))
    build(tmp_path, given)
    for read in (load, compact):
        assert np.array_equal(read(tmp_path).real, given.real)


def test_what_left_the_pixel_range_is_clipped_and_rounded(tmp_path: Path) -> None:
    given = result(kind="none")
    build(tmp_path, given)
    x = np.full((1, 1, 8, 8), 0.5, np.float32)
    x[0, 0, 0, :2] = -3, 7
    assert load(tmp_path).to_pixels(x)[0, 0, 0, :3].tolist() == [0, 255, 128]


def test_hard_labels_and_no_step_size(tmp_path: Path) -> None:
    build(tmp_path, result(step_size=None))
    data = load(tmp_path)
    assert (data.step_size, data.soft_labels) == (None, None)
    assert np.array_equal(data.targets, np.arange(10))


def test_real_images_are_marked_in_every_file_of_arrays(tmp_path: Path) -> None:
    given = result(ipc=5, update=0.6)
    assert given.real[:5].tolist() == [False] * 3 + [True] * 2
    build(tmp_path, given)
    table = pq.read_table(tmp_path / "data/train-00000-of-00001.parquet")
    for marks in (load(tmp_path).real, np.load(tmp_path / "dataset.npz")["real"], np.array(table["real"])):
        assert np.array_equal(marks, given.real)
    assert json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]["real"]["dtype"] == "bool"
    card = (tmp_path / "README.md").read_text()
    assert "30 synthetic ones" in card
    assert "20 real ones" in card
    assert "  - name: real\n    dtype: bool" in card


@pytest.mark.parametrize(("method", "real"), [("mtt", False), ("random", True)])
def test_where_all_are_of_a_kind_the_recipe_says_it(tmp_path: Path, method: str, real: bool) -> None:
    build(tmp_path, result(method=method, step_size=None))
    assert load(tmp_path).real.tolist() == [real] * 10
    assert "real" not in np.load(tmp_path / "dataset.npz")


def test_the_tensors_carry_one_metadata_key(tmp_path: Path) -> None:
    build(tmp_path, result(kind="zca", soft=True))
    with safe_open(tmp_path / "dataset.safetensors", framework="numpy") as file:
        assert list(file.metadata()) == ["stillhouse"]
        names = set(file.keys())
        assert file.get_tensor("step_size").shape == ()
    assert names == {"images", "labels", "soft_labels", "step_size", "zca_mean", "zca_unwhiten", "zca_whiten"}


def run(folder: Path) -> tuple[int, str]:
    """Exit status and output for a user who checks a download; -I, so that only the folder's own file is used."""
    done = subprocess.run([sys.executable, "-I", "load.py"], cwd=folder, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artifact") / "sound"
    build(folder, result())
    return folder


def test_a_sound_artifact_is_ok(sound: Path) -> None:
    assert verify(sound) == []
    assert run(sound) == (0, "OK: every file matches its SHA-256\n")


def test_sha256sum_agrees(sound: Path) -> None:
    assert shutil.which("sha256sum"), "part of every Linux"
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=sound, check=True, timeout=60)


def edit_manifest(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def flip(folder: Path) -> None:
    path = folder / "dataset.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def name_outside(folder: Path) -> None:
    (folder / "SHA256SUMS").open("a").write(f"{'0' * 64}  ../outside\n")


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "altered": (flip, "dataset.safetensors is altered"),
    "truncated": (lambda f: (f / "dataset.npz").write_bytes(b""), "dataset.npz has 0 bytes"),
    "missing": (lambda f: (f / "images" / "3" / "0.png").unlink(), "images/3/0.png is missing"),
    "no sums": (lambda f: (f / "SHA256SUMS").unlink(), "SHA256SUMS is missing"),
    "no manifest": (lambda f: (f / "manifest.json").unlink(), "manifest.json is missing"),
    "garbled sums": (lambda f: (f / "SHA256SUMS").write_text("garbage"), "cannot be read"),
    "garbled manifest": (lambda f: (f / "manifest.json").write_text("[1]"), "cannot be read"),
    "other manifest": (lambda f: edit_manifest(f, lambda m: m.update(seeds=1)), "does not match its own digest"),
    "shorter manifest": (lambda f: edit_manifest(f, lambda m: m["files"].pop()), "is not in manifest.json"),  # type: ignore[attr-defined]
    "outside": (name_outside, "../outside lies outside the folder"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_found_and_named(sound: Path, tmp_path: Path, case: str) -> None:
    damage, words = DAMAGE[case]
    folder = tmp_path / "damaged"
    shutil.copytree(sound, folder)
    damage(folder)
    problems = verify(folder)
    assert any(words in problem for problem in problems), problems


def test_damage_makes_the_check_fail(sound: Path, tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(sound, folder)
    flip(folder)
    code, text = run(folder)
    assert code == 1
    assert text.startswith("dataset.safetensors is altered")


def test_files_of_the_users_own_do_no_harm(sound: Path, tmp_path: Path) -> None:
    folder = tmp_path / "used"
    shutil.copytree(sound, folder)
    (folder / "my-model.bin").write_bytes(b"trained")
    assert verify(folder) == []
