"""Other programs on artifacts: mlcroissant, WebDataset, Keras, timm, torchvision and datasets have all of every set.

`python -m benchmarks.readers` installs those that no test has in an environment of its own, in a temporary folder, and
holds what they read of an artifact of each kind against `dataset.npz`; then it runs the code of docs/READERS.md that
needs them, on the artifact of a service. Takes minutes; nothing is left.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.demo import service
from core.artifacts import build, layout
from core.artifacts.shard import write_shard
from stillhouse import Client

ROOT: Final = Path(__file__).parent.parent
PAGE: Final = ROOT / "docs/READERS.md"
PINS: Final = {
    "mlcroissant": "1.1.1",
    "webdataset": "1.0.2",
    "keras": "3.15.1",
    "jax": "0.10.2",
    "grain": "0.2.18",
    "timm": "1.0.31",
}
"""Packages that the project's own environment lacks."""


SHARD: Final = "shard.tar"
SOFT: Final = {"soft_label": "soft_labels", "regression_target": "regression_targets"}
"""Arrays of labels by the name of one entry."""
Found = dict[str, NDArray[Any]]
"""Arrays as a bundle has them."""


def foreign(code: str) -> bool:
    """Whether code of a page needs packages that the project's environment lacks."""
    return any(re.search(rf"^\s*(import|from) {name}\b", code, re.MULTILINE) for name in PINS)


def main(arguments: list[str]) -> None:
    """Make the environment, the artifacts and the page's code, and let them meet; or, of folders, read these."""
    if arguments:
        for each in map(Path, arguments):
            read(each)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "env", with_pip=True)
        python = folder / "env/bin/python"
        (site,) = (folder / "env/lib").glob("python*/site-packages")
        (site / "project.pth").write_text(f"{Path(np.__file__).parent.parent}\n{ROOT}\n")
        packages = [f"{package}=={version}" for package, version in PINS.items()]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        environment = os.environ | {"HF_HOME": name, "HF_HUB_OFFLINE": "1", "KERAS_HOME": name, "KERAS_BACKEND": "jax"}
        environment |= {"HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
        subprocess.run([python, "-m", "benchmarks.readers", *_made(folder)], check=True, cwd=ROOT, env=environment)
        (folder / "home").mkdir()
        with service(folder / "home") as url, Client(url) as client:
            job = client.submit("digits", ipc=1, method="mtt")
            client.wait(job.id)
            client.download(job.id, folder / "digits-1")
            environment |= {"STILLHOUSE_URL": url}
            for code in filter(foreign, re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)):
                subprocess.run([python, "-c", code], check=True, cwd=folder, env=environment)
                print("ran:", *re.findall(r"^import (\w+)", code, re.MULTILINE), flush=True)


def _made(folder: Path) -> Iterator[Path]:
    """Artifacts of each kind, with a shard in each."""
    from tests.artifacts.test_shard import SETS

    for place, (name, make) in enumerate(SETS.items()):
        artifact = folder / "made" / re.sub(r"\W+", "-", name)
        build(artifact, make(folder / f"source-{place}"))
        with (artifact / layout.PARQUET).open("rb") as parquet, (artifact / SHARD).open("wb") as shard:
            write_shard(parquet, shard)
        yield artifact


def read(folder: Path) -> None:
    """Hold what each program reads of an artifact against its bundle."""
    bundle = dict(np.load(folder / layout.BUNDLE))
    of_files = (of_croissant, of_webdataset)
    of_pictures = (of_torchvision, of_datasets, of_keras, of_timm)
    for reader in (*of_files, *(() if "kind" in bundle else of_pictures)):
        found = reader(folder)
        wanted = {"x_train", "y_train"} | ({"soft_labels", "regression_targets"} & set(bundle))
        assert reader in of_pictures or wanted <= set(found), f"{reader.__name__} lacks some of {wanted}"
        for name, values in found.items():
            assert np.array_equal(values, bundle[name]), f"{reader.__name__} reads other {name} of {folder.name}"
        print(f"{folder.name}: {reader.__name__} reads {', '.join(found)}", flush=True)


def of_croissant(folder: Path) -> Found:
    """mlcroissant's records of both record sets."""
    path = folder / layout.CROISSANT
    described = import_module("mlcroissant").Dataset(jsonld=str(path))
    fields = json.loads(path.read_text("utf-8"))["recordSet"][1]["field"]
    (end,) = (place for place, field in enumerate(fields) if "description" in field)
    records = [list(described.records("examples")) for _ in range(2)]
    assert len(records[0]) == len(records[1]) > 0, "there is a second epoch"
    rows = [[record[field["@id"]] for field in fields] for record in records[1]]
    inputs = [[np.asarray(value, np.float32) for value in row[:end]] for row in rows]
    if fields[0]["dataType"] == "sc:ImageObject":
        inputs = [[np.asarray(value) for value in row[:1]] for row in rows]
    more = {field["name"]: [row[place] for row in rows] for place, field in enumerate(fields) if place > end}
    return {
        "x_train": np.stack([row[0] if row[0].dtype == np.uint8 else np.stack(row) for row in inputs]),
        "y_train": np.array([row[end] for row in rows]),
        "class_names": np.array([row["classes/name"] for row in described.records("classes")]),
        **{name: np.array(more[entry], np.float32) for entry, name in SOFT.items() if entry in more},
    }


def of_webdataset(folder: Path) -> Found:
    """WebDataset's samples of the shard."""
    samples = list(import_module("webdataset").WebDataset(str(folder / SHARD), shardshuffle=False).decode("l8"))
    return {
        "x_train": np.stack([sample["png"] if "png" in sample else sample["x.npy"] for sample in samples]),
        "y_train": np.array([sample["cls"] for sample in samples]),
        **{
            name: np.stack([sample[f"{entry}.npy"] for sample in samples])
            for entry, name in SOFT.items()
            if f"{entry}.npy" in samples[0]
        },
    }


def of_torchvision(folder: Path) -> Found:
    """torchvision's folders of classes."""
    from torchvision.datasets import ImageFolder

    pictures = ImageFolder(str(folder / "images"))
    return {"x_train": _grey(picture for picture, _ in pictures), "y_train": np.array(pictures.targets)}


def of_datasets(folder: Path) -> Found:
    """The imagefolder of datasets; and the artifact as a dataset of the Hub, whose classes have their names."""
    from datasets import load_dataset  # type: ignore[import-untyped]

    (rows,) = load_dataset("imagefolder", data_dir=str(folder / "images")).values()
    whole = load_dataset(str(folder), split="train")
    assert whole["label"] == rows["label"]
    named = np.array(whole.features["label"].names)
    return {"x_train": _grey(rows["image"]), "y_train": np.array(rows["label"]), "class_names": named}


def of_keras(folder: Path) -> Found:
    """Keras's folders of classes, by grain."""
    read = import_module("keras").utils.image_dataset_from_directory
    width, height = Image.open(next((folder / "images").rglob("*.png"))).size
    batches = list(
        read(
            str(folder / "images"),
            format="grain",
            image_size=(height, width),
            color_mode="grayscale",
            shuffle=False,
            verbose=False,
        )
    )
    pixels = np.concatenate([np.asarray(images)[..., 0] for images, _ in batches])
    return {"x_train": pixels, "y_train": np.concatenate([np.asarray(labels) for _, labels in batches])}


def of_timm(folder: Path) -> Found:
    """timm's folders of classes."""
    pictures = list(import_module("timm.data").create_dataset("folder", root=str(folder / "images")))
    return {"x_train": _grey(picture for picture, _ in pictures), "y_train": np.array([label for _, label in pictures])}


def _grey(pictures: Iterable[Any]) -> NDArray[np.uint8]:
    return np.stack([np.asarray(picture.convert("L")) for picture in pictures])


if __name__ == "__main__":
    main(sys.argv[1:])
