"""Binary files of known sets: the refusal's command, run beside them, makes a bundle of what was written."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import savemat

from core.data import DatasetInvalid
from core.data.inspection import examine
from tests.data.archives import packed

Pixels = NDArray[np.uint8]
DRAW = np.random.default_rng(7)
LABELS = (np.arange(12) % 3).astype(np.uint8)
NAMES = b"ant\nbee\ncat\n"


def pictures(side: int) -> Pixels:
    return DRAW.integers(0, 256, (24, side, side, 3)).astype(np.uint8)


def cifar(hundred: bool) -> tuple[Pixels, dict[str, bytes]]:
    x = pictures(32)
    flat = x.transpose(0, 3, 1, 2).reshape(24, -1)
    coarse = np.zeros((12, int(hundred)), np.uint8)
    train, test = (np.hstack([coarse, LABELS[:, None], part]) for part in (flat[:12], flat[12:]))
    if hundred:
        names = {"fine_label_names.txt": NAMES, "coarse_label_names.txt": b"all\n"}
        return x, {"train.bin": train.tobytes(), "test.bin": test.tobytes()} | names
    batches = {f"data_batch_{n + 1}.bin": train[n * 6 : n * 6 + 6].tobytes() for n in range(2)}
    return x, batches | {"test_batch.bin": test.tobytes(), "batches.meta.txt": NAMES + b"\n"}


def stl() -> tuple[Pixels, dict[str, bytes]]:
    x = pictures(96)
    columns = x.transpose(0, 3, 2, 1)
    members = {"train_X.bin": columns[:12].tobytes(), "test_X.bin": columns[12:].tobytes(), "class_names.txt": NAMES}
    return x, members | {f"{part}_y.bin": (LABELS + 1).tobytes() for part in ("train", "test")}


def svhn() -> tuple[Pixels, dict[str, bytes]]:
    x, members = pictures(32), dict[str, bytes]()
    for split, rows in (("train", x[:12]), ("test", x[12:])):
        file = io.BytesIO()
        savemat(file, {"X": rows.transpose(1, 2, 3, 0), "y": np.where(LABELS, LABELS, 10)[:, None]})
        members[f"{split}_32x32.mat"] = file.getvalue()
    return x, members


SETS: dict[str, tuple[Callable[[], tuple[Pixels, dict[str, bytes]]], tuple[str, ...]]] = {
    "cifar10": (lambda: cifar(False), ("ant", "bee", "cat")),
    "cifar100": (lambda: cifar(True), ("ant", "bee", "cat")),
    "stl10": (stl, ("ant", "bee", "cat")),
    "svhn": (svhn, ("0", "1", "2")),
}


@pytest.mark.parametrize("name", SETS)
def test_the_command_makes_a_bundle(tmp_path: Path, name: str) -> None:
    make, names = SETS[name]
    x, members = make()
    (tmp_path / "upload").write_bytes(packed({f"{name}/{file}": data for file, data in members.items()}))
    with pytest.raises(DatasetInvalid) as refused:
        examine(tmp_path / "upload", tmp_path / "bundle.npz", None)
    command = re.search(rf"send {name}\.npz: (python -c .*)$", str(refused.value))
    assert command, str(refused.value)
    for file, data in members.items():
        (tmp_path / file).write_bytes(data)
    subprocess.run([sys.executable, *shlex.split(command[1])[1:]], cwd=tmp_path, check=True)
    found = examine(tmp_path / f"{name}.npz", tmp_path / "bundle.npz", None)
    kept: Any = np.load(tmp_path / "bundle.npz")
    assert found["class_names"] == names
    np.testing.assert_array_equal(np.concatenate([kept["x_train"], kept["x_test"]]), x)
    np.testing.assert_array_equal(np.concatenate([kept["y_train"], kept["y_test"]]), [*LABELS, *LABELS])


def test_other_matlab_files_are_shown_by_a_command(tmp_path: Path) -> None:
    file = io.BytesIO()
    savemat(file, {"faces": pictures(8), "who": LABELS})
    (tmp_path / "upload").write_bytes(packed({"d/faces.mat": file.getvalue(), "d/README.txt": b"x"}))
    with pytest.raises(DatasetInvalid, match=r"holds MATLAB files, 'd/faces\.mat'") as refused:
        examine(tmp_path / "upload", tmp_path / "bundle.npz", None)
    (tmp_path / "faces.mat").write_bytes(file.getvalue())
    command = re.search(r'(python -c "from scipy.*?")\.', str(refused.value))
    assert command
    shown = subprocess.run(
        [sys.executable, *shlex.split(command[1])[1:]], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert "('faces', (24, 8, 8, 3), 'uint8')" in shown.stdout
