"""Files as strangers have them: the README's second command distils any of them, its third one trains on the result."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from PIL import Image

from tests.data.archives import classes, packed, picture, spread, tarred
from tests.data.test_idx import idx
from tests.stillhouse.conftest import EVALUATION
from tests.stillhouse.running import Running

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
ORDER = ("--ipc", 1, "--method", "random", *EVALUATION)
TRAIN = classes(6)
TEST = {name: picture(100 + seed) for seed, name in enumerate(classes(2))}


def split(train: str, test: str, top: str = "") -> dict[str, bytes]:
    """Members of an archive whose splits are called so."""
    return {f"{top}{train}/{name}": data for name, data in TRAIN.items()} | {
        f"{top}{test}/{name}": data for name, data in TEST.items()
    }


def arrays() -> tuple[dict[str, Any], dict[str, Any]]:
    """The pictures and labels of both splits."""
    found: dict[str, dict[str, Any]] = {}
    for part, members in (("train", TRAIN), ("test", TEST)):
        x = np.stack([np.asarray(Image.open(io.BytesIO(data))) for data in members.values()])
        found[part] = {"x": x, "y": np.array([int(name.startswith("dog")) for name in members])}
    return found["train"], found["test"]


def npz(column: bool = False) -> bytes:
    """The arrays as a bundle, the labels as a column where Keras gives them so."""
    train, test = arrays()
    ours = {"x_train": train["x"], "y_train": train["y"], "x_test": test["x"], "y_test": test["y"]}
    file = io.BytesIO()
    np.savez(file, **{name: array[:, None] if column and array.ndim == 1 else array for name, array in ours.items()})
    return file.getvalue()


def medmnist() -> bytes:
    train, test = arrays()
    file = io.BytesIO()
    splits = (("train", train), ("val", test), ("test", test))
    images = {f"{split}_images": part["x"] for split, part in splits}
    np.savez(file, **images, **{f"{split}_labels": part["y"][:, None] for split, part in splits})
    return file.getvalue()


def idx_files() -> dict[str, bytes]:
    train, test = arrays()
    return {
        f"{called}-{noun}-idx{axes}-ubyte": idx(part[key].astype(np.uint8))
        for called, part in (("train", train), ("t10k", test))
        for noun, key, axes in (("images", "x", 3), ("labels", "y", 1))
    }


def pixels(part: dict[str, Any]) -> bytes:
    table = pandas.DataFrame(part["x"].reshape(len(part["x"]), -1)).add_prefix("pixel")
    table.insert(0, "label", part["y"])
    return table.to_csv(index=False).encode()


def hub() -> bytes:
    """A Parquet file as the library `datasets` writes one."""
    rows = [{"image": {"bytes": data, "path": None}, "label": name.partition("/")[0]} for name, data in TRAIN.items()]
    file = io.BytesIO()
    pandas.DataFrame(rows).to_parquet(file)
    return file.getvalue()


def rows() -> bytes:
    draw = np.random.default_rng(0)
    table = pandas.DataFrame(draw.normal(size=(40, 3)), columns=["u", "v", "w"]).assign(label=np.arange(40) % 2)
    return table.to_csv(index=False).encode()


SENT: dict[str, tuple[str, Callable[[], bytes]]] = {
    "class folders": ("a.zip", lambda: packed(TRAIN)),
    "Training and Testing": ("a.zip", lambda: packed(split("Training", "Testing"))),
    "seg_train and seg_test": ("a.zip", lambda: packed(split("seg_train/seg_train", "seg_test/seg_test"))),
    "training_set and test_set": ("a.zip", lambda: packed(split("training_set/training_set", "test_set/test_set"))),
    "nested": ("a.zip", lambda: packed(split("train", "test", "archive/chest_xray/"))),
    "train and val": ("a.zip", lambda: packed(split("train", "val"))),
    "tar": ("a.tar.gz", lambda: tarred(split("train", "test"), top="./")),
    "a table of files": (
        "a.zip",
        lambda: packed(
            {f"images/{name.replace('/', '_')}": data for name, data in TRAIN.items()}
            | {"labels.csv": "\n".join(["file,label", *(f"{n.replace('/', '_')},{n[:3]}" for n in TRAIN)]).encode()}
        ),
    ),
    "Parquet": ("a.parquet", hub),
    "npz": ("a.npz", npz),
    "npz of Keras": ("a.npz", lambda: npz(column=True)),
    "npz of MedMNIST": ("a.npz", medmnist),
    "IDX": ("a.zip", lambda: packed(idx_files())),
    "CSV of pixels": ("a.csv", lambda: pixels(arrays()[0])),
    "train.csv and test.csv": (
        "a.zip",
        lambda: packed({"train.csv": pixels(arrays()[0]), "test.csv": pixels(arrays()[1])}),
    ),
    "a table of numbers": ("a.csv", rows),
}


def commands() -> list[str]:
    """The three commands that the README says of pictures of one's own: serve, distil, train."""
    found = re.findall(r"^(make serve|\.venv/bin/\S+ distill flowers/.*|\.venv/bin/python flowers.*)$", README, re.M)
    assert len(found) == 3, found
    return found


@pytest.mark.slow
@pytest.mark.parametrize("case", SENT)
def test_a_stranger_distils_and_trains_with_three_commands(running: Running, tmp_path: Path, case: str) -> None:
    """The README's words, but for the file, the time that a search takes, and the service, which runs already."""
    name, make = SENT[case]
    (tmp_path / name).write_bytes(make())
    serve, distil, train = commands()
    assert serve == "make serve"
    assert distil.split()[1:3] == ["distill", "flowers/"]
    out = tmp_path / "distilled"
    answer = running.command("distill", tmp_path / name, "--name", case, *ORDER, "--out", out)
    assert answer.code == 0, answer.err
    assert answer.out.strip() == str(out)
    script = train.split()[1].replace("flowers-auto-10", str(out))
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert re.search(r"trained on 2 examples of 2 classes, and is right on \d+% of them", done.stdout), done.stdout
    assert running.command("verify", out).code == 0


def test_a_job_on_near_copies_warns_of_them_in_its_report(running: Running, tmp_path: Path) -> None:
    members = split("train", "test")
    grey = np.asarray(Image.open(io.BytesIO(TRAIN["dog/5.png"])))
    file = io.BytesIO()
    Image.fromarray((grey * 0.9).astype(np.uint8)).save(file, "PNG")
    spread(members | {"test/cat/darker.png": file.getvalue()}, tmp_path / "pets")
    answer = running.command("distill", tmp_path / "pets", *ORDER, "--out", tmp_path / "out")
    assert answer.code == 0, answer.err
    told = json.loads((tmp_path / "out/report.json").read_text())["warnings"]
    said = next(each for each in told if "is nearly a training image" in each)
    assert said in (tmp_path / "out/README.md").read_text()
