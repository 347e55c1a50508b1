"""IDX files of MNIST, EMNIST and their kin, and the pickles of CIFAR; the oracle is what was written into them."""

from __future__ import annotations

import gzip
import pickle
import re
import shlex
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.data import DatasetInvalid
from core.data.folders import AUTO
from core.data.inspection import examine
from core.data.reading import Reading
from tests.data.archives import packed, tarred

DRAW = np.random.default_rng(3)
X = {
    "train": DRAW.integers(0, 256, (24, 7, 5)).astype(np.uint8),
    "t10k": DRAW.integers(0, 256, (9, 7, 5)).astype(np.uint8),
}
Y = {split: (np.arange(len(x)) % 3).astype(np.uint8) for split, x in X.items()}


def idx(array: NDArray[np.uint8]) -> bytes:
    return b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def files(
    beginning: str = "", sign: str = "-", test: str = "t10k", offset: int = 0, turned: bool = False
) -> dict[str, bytes]:
    made = {}
    for split, called in (("train", "train"), ("t10k", test)):
        x = X[split].transpose(0, 2, 1) if turned else X[split]
        made[f"{beginning}{called}-images{sign}idx3-ubyte"] = idx(x)
        made[f"{beginning}{called}-labels{sign}idx1-ubyte"] = idx(Y[split] + np.uint8(offset))
    return made


def zipped_each(members: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{name}.gz": gzip.compress(data) for name, data in members.items()}


def look(folder: Path, members: dict[str, bytes], pack: Callable[..., bytes] = packed) -> dict[str, Any]:
    (folder / "upload").write_bytes(pack(members))
    return examine(folder / "upload", folder / "bundle.npz", None)


def check(folder: Path) -> None:
    kept = np.load(folder / "bundle.npz")
    for split, ours in (("train", "train"), ("t10k", "test")):
        assert np.array_equal(kept[f"x_{ours}"], X[split])
        assert np.array_equal(kept[f"y_{ours}"], Y[split])


MNIST: dict[str, dict[str, bytes]] = {
    "plain": files(),
    "with dots": files(sign="."),
    "packed one by one": zipped_each(files()),
    "in a folder, packed and not": files("MNIST/raw/") | zipped_each(files("MNIST/raw/")),
    "beside the same as tables": files() | {"fashion-mnist_train.csv": b"label,pixel1"},
}


@pytest.mark.parametrize("pack", [packed, tarred])
@pytest.mark.parametrize("case", MNIST)
def test_the_four_files_of_mnist_are_read(tmp_path: Path, case: str, pack: Callable[..., bytes]) -> None:
    found = look(tmp_path, MNIST[case], pack)
    check(tmp_path)
    assert found["class_names"] == ("0", "1", "2")
    assert ("Left out: 'fashion-mnist_train.csv'." in found["remarks"]) == ("tables" in case)


def test_emnist_is_set_upright_and_named(tmp_path: Path) -> None:
    members = zipped_each(files("gzip/emnist-letters-", test="test", offset=1, turned=True))
    found = look(tmp_path, members | {"gzip/emnist-letters-mapping.txt": b"1 65 97\n2 66 98\n3 67 99\n"})
    check(tmp_path)
    assert found["class_names"] == ("A", "B", "C")
    told = "EMNIST stores rows as columns: its pictures were set upright; transposed=no leaves them as they are."
    assert told in found["remarks"]
    assert look(tmp_path, members)["class_names"] == ("1", "2", "3")


def test_the_uploaders_word_on_their_side_comes_before_the_name(tmp_path: Path) -> None:
    (tmp_path / "upload").write_bytes(packed(files("emnist-digits-")))
    found = examine(tmp_path / "upload", tmp_path / "bundle.npz", None, reading=Reading(transposed="no"))
    check(tmp_path)
    assert not any("upright" in remark for remark in found["remarks"])
    (tmp_path / "upload").write_bytes(packed(files("letters-", turned=True)))
    found = examine(tmp_path / "upload", tmp_path / "bundle.npz", None, reading=Reading(transposed="yes"))
    check(tmp_path)
    assert "The pictures were set upright: their rows were said to be columns." in found["remarks"]


@pytest.mark.parametrize(("size", "side"), [(5, 5), (AUTO, None)])
def test_a_size_is_followed(tmp_path: Path, size: int, side: int | None) -> None:
    (tmp_path / "upload").write_bytes(packed(files()))
    found = examine(tmp_path / "upload", tmp_path / "bundle.npz", size)
    assert found["shape"] == ((1, side, side) if side else (1, 7, 5))
    told = any("its middle 5 x 5 kept" in remark for remark in found["remarks"])
    assert told == (side is not None)


def test_a_training_set_alone_is_split(tmp_path: Path) -> None:
    found = look(tmp_path, {name: data for name, data in files().items() if name.startswith("train")})
    assert (found["train_count"], found["test_count"]) == (18, 6)


WRONG: dict[str, tuple[dict[str, bytes], str]] = {
    "no labels": (
        {name: data for name, data in files().items() if "train-labels" not in name},
        "without the labels of the train set; send train-images",
    ),
    "two sets": (files("emnist-digits-") | files("emnist-letters-"), "several sets, 'emnist-digits', 'emnist-letters'"),
    "half a file": ({n: d[:200] if "images" in n else d for n, d in files().items()}, "and holds fewer; download it"),
    "too much": ({n: d + b"x" for n, d in files().items()}, "and holds more; download it"),
    "half a packed file": ({n: d[:60] for n, d in zipped_each(files()).items()}, "is damaged .*; download it again"),
    "integers": (
        {n: d.replace(b"\x08\x03", b"\x0c\x03", 1) for n, d in files().items()},
        "no IDX file of bytes with 3",
    ),
    "others' labels": (
        files() | {"train-labels-idx1-ubyte": idx(Y["t10k"])},
        "holds 24 images, but 'train-labels-idx1-ubyte' 9 labels",
    ),
    "a bomb": (files() | {"train-images-idx3-ubyte": b"\0\0\x08\3" + b"\xff" * 12}, "more than 2,147,483,648 bytes"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_refused_with_its_fix(tmp_path: Path, case: str) -> None:
    members, words = WRONG[case]
    with pytest.raises(DatasetInvalid, match=words):
        look(tmp_path, members)


def test_one_file_asks_for_the_others(tmp_path: Path) -> None:
    (tmp_path / "upload").write_bytes(idx(X["train"]))
    with pytest.raises(DatasetInvalid, match=r"but one IDX file; pack train-images-idx3-ubyte, .* into a zip"):
        examine(tmp_path / "upload", tmp_path / "bundle.npz", None)


def cifar(hundred: bool) -> tuple[dict[str, Any], NDArray[np.uint8]]:
    """Pickles as CIFAR's, of fewer pictures, and the first picture [32, 32, 3]."""
    pixels = DRAW.integers(0, 256, (30, 3072)).astype(np.uint8)
    first = pixels[0].reshape(3, 32, 32).transpose(1, 2, 0)
    labels = [n % 3 for n in range(30)]
    if hundred:
        part = {"data": pixels, "fine_labels": labels}
        return {"train": part, "test": part, "meta": {"fine_label_names": ["a", "b", "c"]}}, first
    part = {"data": pixels, "labels": labels}
    batches = {f"data_batch_{n}": part for n in range(1, 6)}
    return {**batches, "test_batch": part, "batches.meta": {"label_names": ["a", "b", "c"]}}, first


@pytest.mark.parametrize("hundred", [False, True])
def test_pickles_of_cifar_are_never_read_and_the_command_makes_a_bundle(tmp_path: Path, hundred: bool) -> None:
    held, first = cifar(hundred)
    members = {f"cifar/{name}": pickle.dumps(each, protocol=2) for name, each in held.items()}
    with pytest.raises(DatasetInvalid, match="could run code when read") as refused:
        look(tmp_path, members, tarred)
    command = re.search(r"(python -c .*)$", str(refused.value))
    assert command
    for name, each in held.items():
        (tmp_path / name).write_bytes(pickle.dumps(each, protocol=2))
    subprocess.run([sys.executable, *shlex.split(command[1])[1:]], cwd=tmp_path, check=True)
    made = tmp_path / ("cifar100.npz" if hundred else "cifar10.npz")
    found = examine(made, tmp_path / "bundle.npz", None)
    assert found["class_names"] == ("a", "b", "c")
    assert found["train_count"] == (30 if hundred else 150)
    assert np.array_equal(np.load(tmp_path / "bundle.npz")["x_train"][0], first)
