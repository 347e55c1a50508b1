"""The WebDataset shard of any set: a sample an example, by that library's own rule of names, and the set's numbers.

`python -m benchmarks.readers` reads shards with the library itself.
"""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.artifacts import build
from core.artifacts.shard import write_shard
from tests.artifacts.results import class_named
from tests.artifacts.test_croissant import KINDS

SETS = KINDS | {
    "names": lambda _: class_named(("a.b", "../up", ".x", "猫", "CON", "3", "a" * 300, "train", "A.B", "/"))
}


def samples(shard: Path) -> list[dict[str, Any]]:
    """Samples as WebDataset makes them: neighbours in the tar whose names are alike up to the first dot."""
    found: list[dict[str, Any]] = []
    with tarfile.open(shard) as archive:
        for member in archive:
            key, _, kind = member.name.partition(".")
            content = archive.extractfile(member)
            assert content is not None
            if not found or found[-1]["key"] != key:
                found.append({"key": key})
            assert kind not in found[-1]
            found[-1][kind] = READ[kind.rpartition(".")[2]](content.read())
    return found


READ: dict[str, Any] = {
    "png": lambda content: np.asarray(Image.open(io.BytesIO(content))),
    "npy": lambda content: np.load(io.BytesIO(content), allow_pickle=False),
    "cls": int,
    "json": json.loads,
}


@pytest.mark.parametrize("kind", SETS)
def test_a_shard_is_the_set(tmp_path: Path, kind: str) -> None:
    given, folder = SETS[kind](tmp_path / "source"), tmp_path / "artifact"
    build(folder, given)
    shards = [tmp_path / "a.tar", tmp_path / "b.tar"]
    for shard in shards:
        with next(folder.glob("data/*.parquet")).open("rb") as parquet, shard.open("wb") as target:
            write_shard(parquet, target)
    assert shards[0].read_bytes() == shards[1].read_bytes()
    read, bundle = samples(shards[0]), np.load(folder / "dataset.npz")
    assert [sample["key"] for sample in read] == [f"{n:06d}" for n in range(len(given.labels))]
    examples = [sample["png"] if "png" in sample else sample["x.npy"] for sample in read]
    assert np.array_equal(np.stack(examples), bundle["x_train"])
    assert [sample["cls"] for sample in read] == given.labels.tolist()
    assert [sample["json"]["class"] for sample in read] == [given.facts.class_names[label] for label in given.labels]
    for name, entry in (("soft_labels", "soft_label"), ("regression_targets", "regression_target")):
        assert (name in bundle) == (f"{entry}.npy" in read[0])
        if name in bundle:
            assert np.array_equal(np.stack([sample[f"{entry}.npy"] for sample in read]), bundle[name])
    for column in given.columns:
        if column.values.ndim == 1:
            assert [sample["json"][column.entry] for sample in read] == column.values.tolist()


def test_what_is_no_set_is_refused(tmp_path: Path) -> None:
    build(tmp_path, KINDS["some real"](tmp_path))
    for name in ("metrics.parquet", "dataset.npz"):
        with (tmp_path / name).open("rb") as file, pytest.raises(ValueError, match="arquet"):
            write_shard(file, io.BytesIO())
