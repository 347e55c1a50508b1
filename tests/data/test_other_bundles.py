"""Bundles as others save them: taken as what they mean, or refused with a statement that mends them when it is run.

Each case is a sound set of pictures and labels, spoilt in one or more of the ways in which arrays of images are saved
elsewhere. The oracle is the sound set itself.
"""

from __future__ import annotations

import io
import itertools
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.data import Catalogue, DatasetInvalid
from core.data.inspection import examine, facts_of
from core.data.split import DRAWN

Arrays = dict[str, NDArray[Any]]
STATEMENT = re.compile(r": ((?:[a-zA-Z_]+(?:, )?)+ = .*)$")
CLASSES = ("ant", "bee", "cow")
TIMES = 8


def sound(colour: bool) -> Arrays:
    """Three classes, 12 and 6 images each, with all values from 0 to 255."""
    rng = np.random.default_rng(3)
    shape = (6, 5, 3) if colour else (6, 5)
    arrays: Arrays = {"class_names": np.array(CLASSES)}
    for split, each in (("train", 12), ("test", 6)):
        pixels = rng.integers(0, 256, (3 * each, *shape)).astype(np.uint8)
        pixels[0, 0, :2] = [[0] * 3, [255] * 3] if colour else [0, 255]
        arrays |= {f"x_{split}": pixels, f"y_{split}": rng.permutation(np.arange(3 * each) % 3)}
    return arrays


def each(prefix: str, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Callable[[Arrays], Arrays]:
    """The change of both arrays of a sort."""
    return lambda arrays: arrays | {name: change(arrays[name]) for name in arrays if name.startswith(prefix)}


def once(name: str, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Callable[[Arrays], Arrays]:
    """The change of one array."""
    return lambda arrays: arrays | {name: change(arrays[name])}


def renamed(**names: str) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {names.get(name, name): array for name, array in arrays.items()}


def nameless(arrays: Arrays) -> Arrays:
    return {name: array for name, array in arrays.items() if name != "class_names"}


PIXELS: dict[str, Callable[[Arrays], Arrays]] = {
    "as they are": lambda arrays: arrays,
    "int64": each("x_", lambda x: x.astype(np.int64)),
    "int16, big-endian": each("x_", lambda x: x.astype(">i2")),
    "uint16 of 16 bits": each("x_", lambda x: x.astype(np.uint16) * 257),
    "int32 of 12 bits": each("x_", lambda x: x.astype(np.int32) * 4095 // 255),
    "int8 around zero": each("x_", lambda x: (x.astype(np.int16) - 128).astype(np.int8)),
    "floats of 1": each("x_", lambda x: x / np.float32(255)),
    "halves of 1": each("x_", lambda x: (x / 255).astype(np.float16)),
    "floats of 255": each("x_", lambda x: x.astype(np.float64)),
    "floats of -1 to 1": each("x_", lambda x: (x / 127.5 - 1).astype(np.float32)),
    "standardised": each("x_", lambda x: (x - 120.5) / 71.25),
    "floats with a NaN": each("x_", lambda x: np.where(np.arange(x.size).reshape(x.shape) == 9, np.nan, x / 255)),
    "only the test set in floats": once("x_test", lambda x: x / 255),
    "in column order": each("x_", np.asfortranarray),
    "objects": once("x_train", lambda x: np.array([*x, None], dtype=object)[:-1]),
    "channels first": each("x_", lambda x: x[:, None] if x.ndim == 3 else x.transpose(0, 3, 1, 2)),
    "images last": each("x_", lambda x: np.moveaxis(x, 0, -1)),
    "a channel of one": each("x_", lambda x: x[..., None] if x.ndim == 3 else x),
    "a channel of one in train": once("x_train", lambda x: x[..., None] if x.ndim == 3 else x),
}
LABELS: dict[str, Callable[[Arrays], Arrays]] = {
    "as they are": lambda arrays: arrays,
    "uint8 (N, 1)": each("y_", lambda y: y[:, None].astype(np.uint8)),
    "(1, N)": each("y_", lambda y: y[None]),
    "one-hot": each("y_", lambda y: np.eye(3, dtype=np.int64)[y]),
    "one-hot floats in columns": each("y_", lambda y: np.asfortranarray(np.eye(3, dtype=np.float32)[y])),
    "one-hot booleans": once("y_train", lambda y: np.eye(3, dtype=bool)[y]),
    "probabilities": each("y_", lambda y: (np.eye(3) + 0.1)[y] / 1.3),
    "floats": each("y_", lambda y: y.astype(np.float32)),
    "from 1": each("y_", lambda y: y + 1),
    "names": each("y_", lambda y: np.array(CLASSES)[y]),
    "names in bytes": each("y_", lambda y: np.array(CLASSES)[y].astype("S")),
    "names in a column": each("y_", lambda y: np.array(CLASSES)[y][:, None]),
    "names as objects": each("y_", lambda y: np.array(CLASSES, dtype=object)[y]),
    "two columns": each("y_", lambda y: np.stack([y, y + 7], axis=1)),
    "sparse numbers, no names": lambda arrays: {
        name: array * 10 + 3 if name.startswith("y_") else array
        for name, array in arrays.items()
        if name != "class_names"
    },
    "no names": lambda arrays: {name: array for name, array in arrays.items() if name != "class_names"},
    "names as bytes": once("class_names", lambda names: names.astype("S")),
    "names in a table": once("class_names", lambda names: names[:, None]),
    "names as objects in an array": once("class_names", lambda names: names.astype(object)),
}
NAMES: dict[str, Callable[[Arrays], Arrays]] = {
    "ours": lambda arrays: arrays | {"secret": np.zeros(3)},
    "train_images": renamed(
        x_train="train_images",
        y_train="train_labels",
        x_test="test_images",
        y_test="test_labels",
        class_names="classes",
    ),
    "X_train": renamed(x_train="X_train", y_train="Y_train", x_test="Xtest", y_test="ytest", class_names="label_names"),
    "test called val": lambda arrays: renamed(x_test="x_val", y_test="val_labels")(arrays),
}


def saved(arrays: Arrays, squeezed: bool = False, method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    if not squeezed:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # the keyword allow_pickle is not among them
        return file.getvalue()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.save(member, array)
            archive.writestr(f"{name}.npy", member.getvalue())
    return file.getvalue()


def taken(folder: Path, arrays: Arrays, method: int | None = None) -> tuple[dict[str, Any], Arrays, list[str]]:
    """The facts and arrays that were taken at last, and the refusals before, each of them followed to the letter."""
    told: list[str] = []
    for _ in range(TIMES):
        content = saved(arrays) if method is None else saved(arrays, squeezed=True, method=method)
        (folder / "upload").write_bytes(content)
        try:
            found = examine(folder / "upload", folder / "bundle.npz", None)
        except DatasetInvalid as refusal:
            told.append(str(refusal))
            statement = STATEMENT.search(told[-1])
            assert statement, f"no statement to run: {told}"
            scope: dict[str, Any] = {"np": np, **arrays}
            exec(statement[1], scope)
            arrays = {name: scope[name] for name in {*arrays, "class_names"} if name in scope}
        else:
            return found, dict(np.load(folder / "bundle.npz")), told
    pytest.fail(f"still refused: {told}")


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("colour", [False, True], ids=["grey", "colour"])
def test_what_others_save_is_what_it_means(tmp_path: Path, labels: str, colour: bool) -> None:
    """All ways of pixels with this way of labels, names and containers taking turns."""
    turns = itertools.cycle(itertools.product(NAMES, (None, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)))
    for place, pixels in enumerate(PIXELS):
        if labels not in ("as they are", "one-hot") and place % 4 != len(labels) % 4:
            continue
        plain, (naming, method) = sound(colour), next(turns)
        arrays = NAMES[naming](LABELS[labels](PIXELS[pixels](plain)))
        if any(array.dtype.hasobject for array in arrays.values()):
            method = None
        found, kept, told = taken(tmp_path, arrays, method)
        case = f"{pixels}; {labels}; {naming}: {told}"
        for split in ("train", "test"):
            off = np.abs(kept[f"x_{split}"].astype(int) - plain[f"x_{split}"])
            # A NaN has lost its value, and standardised pixels are stretched over all of 0 to 255, as these are anyhow.
            assert (off > 1).sum() <= (pixels == "floats with a NaN"), case
            names = np.array(kept["class_names"])[kept[f"y_{split}"]]
            given = plain[f"y_{split}"]
            if "class_names" in arrays or "classes" in arrays or "label_names" in arrays:
                assert names.tolist() == np.array(CLASSES)[given].tolist(), case
            assert len(set(zip(names.tolist(), given.tolist(), strict=True))) == 3, case
        remarks = " ".join(found["remarks"])
        assert ("Left out: secret" in remarks) == (naming == "ours"), case
        assert ("validation split is the test set" in remarks) == (naming == "test called val"), case
        assert ("Read as" in remarks) == (naming != "ours"), case


WITHOUT: dict[str, tuple[Callable[[Arrays], Arrays], str]] = {
    "several labels": (each("y_", lambda y: np.eye(3, dtype=int)[y] | np.eye(3, dtype=int)[y // 2]), "several labels"),
    "labels of pixels": (each("y_", lambda y: np.repeat(y, 30).reshape(-1, 6, 5)), "label each pixel"),
    "ages": (each("y_", lambda y: y + 0.5), "not whole"),
    "half a test set": (lambda arrays: {n: arrays[n] for n in arrays if n != "y_test"}, "no array y_test, only class"),
    "a held-out part of another length": (
        lambda arrays: arrays | {"held_out": np.zeros(9, dtype=bool)},
        "held_out is bool (9,); store a boolean for each of the 36 training images",
    ),
    "a held-out part without a class": (
        lambda arrays: arrays | {"held_out": arrays["y_train"] == 1},
        "held_out leaves no image in the validation split of 'ant', 'cow'; hold out a part of each class",
    ),
    "numbered arrays": (lambda arrays: {f"arr_{n}": x for n, x in enumerate(arrays.values())}, "only arr_0, arr_1"),
    "two of a sort": (
        lambda arrays: renamed(x_train="train_images")(arrays) | {"train_data": arrays["x_train"]},
        "no array x_train, only class_names, train_data, train_images",
    ),
    "one black picture": (each("x_", np.zeros_like), "all 36 training images are equal"),
    "text as pixels": (each("x_", lambda x: x.astype("U")), "store pixels as uint8"),
    "too few labels": (each("y_", lambda y: y[:7]), "7 labels for 36 images"),
}


@pytest.mark.parametrize("case", WITHOUT)
def test_what_cannot_be_meant_is_refused_with_the_reason(tmp_path: Path, case: str) -> None:
    spoil, reason = WITHOUT[case]
    (tmp_path / "upload").write_bytes(saved(spoil(sound(colour=False))))
    with pytest.raises(DatasetInvalid) as refusal:
        examine(tmp_path / "upload", tmp_path / "bundle.npz", None)
    assert reason in str(refusal.value), str(refusal.value)
    assert ";" in str(refusal.value), "says no fix"


@pytest.mark.parametrize("colour", [False, True], ids=["grey", "colour"])
def test_transparency_is_put_on_white(tmp_path: Path, colour: bool) -> None:
    arrays = plain = sound(colour)
    for name in ("x_train", "x_test"):
        pixels = plain[name] if colour else plain[name][..., None]
        alpha = np.full((*pixels.shape[:3], 1), 255, np.uint8)
        alpha[0], pixels[1] = 0, 255
        alpha[1] = 100
        arrays = arrays | {name: np.concatenate([pixels, alpha], axis=3)}
    _, kept, told = taken(tmp_path, arrays)
    assert len(told) == 2
    for name in ("x_train", "x_test"):
        assert (kept[name][:2] == 255).all()
        assert np.array_equal(kept[name][2:], plain[name][2:])


def test_images_of_several_labels_can_be_left_out(tmp_path: Path) -> None:
    arrays = sound(colour=False)
    for split in ("train", "test"):
        labels = np.eye(3, dtype=np.uint8)[arrays[f"y_{split}"]]
        labels[::4] = 1
        arrays[f"y_{split}"] = labels
    found, kept, told = taken(tmp_path, arrays)
    assert len(told) == 2
    assert len(kept["y_train"]) == 27
    assert found["train_count"] == 27


@pytest.mark.parametrize(("largest", "split"), [(1, "both"), (15, "both"), (1, "train"), (16, "none")])
def test_dark_pictures_are_told(tmp_path: Path, largest: int, split: str) -> None:
    arrays = sound(colour=False)
    changed = {"both": ("train", "test"), "train": ("train",), "none": ("train", "test")}[split]
    arrays |= {f"x_{each}": arrays[f"x_{each}"] % (largest + 1) for each in changed}
    (tmp_path / "upload").write_bytes(saved(arrays))
    said = " ".join(examine(tmp_path / "upload", tmp_path / "bundle.npz", None)["remarks"])
    assert (f"run from 0 to {largest} of 255" in said) == (split != "none")
    assert ("multiply" in said) == (split == "both")
    assert ("scale both alike" in said) == (split == "train")


def look(folder: Path, arrays: Arrays) -> dict[str, Any]:
    (folder / "upload").write_bytes(saved(arrays))
    return examine(folder / "upload", folder / "bundle.npz", None)


def medmnist(each: int = 4) -> Arrays:
    """The arrays of MedMNIST's files: labels (N, 1), no names, and a validation split."""
    arrays = nameless(sound(colour=False))
    rng = np.random.default_rng(4)
    arrays |= {"x_val": rng.integers(0, 256, (3 * each, 6, 5)).astype(np.uint8), "y_val": np.arange(3 * each) % 3}
    names = {
        f"{part}_{split}": f"{split}_{word}"
        for part, word in (("x", "images"), ("y", "labels"))
        for split in ("train", "val", "test")
    }
    return {names[name]: x[:, None].astype(np.uint8) if name[0] == "y" else x for name, x in arrays.items()}


def test_the_validation_split_of_medmnist_is_kept(tmp_path: Path) -> None:
    arrays = medmnist()
    found = look(tmp_path, arrays)
    assert (found["train_count"], found["validation"], found["members"]) == (48, 12, (12, 12, 12))
    assert "The validation split, 12 images, is the source's own." in found["remarks"]
    upload = "ds_01JZZZZZZZZZZZZZZZZZZZZZZZ"
    (tmp_path / "uploads").mkdir()
    (tmp_path / "bundle.npz").rename(tmp_path / "uploads" / f"{upload}.npz")
    dataset = Catalogue(tmp_path).load(upload)
    for part, split in ((dataset.train, "train"), (dataset.validation, "val"), (dataset.test, "test")):
        assert np.array_equal(part.images[:, 0], arrays[f"{split}_images"])
        assert np.array_equal(part.labels, arrays[f"{split}_labels"][:, 0])
    assert dataset.facts == replace(facts_of(upload, upload, found), where=dataset.facts.where, near=None)
    drawn = look(tmp_path, sound(colour=False) | {"held_out": np.arange(36) < 9})
    assert drawn["validation"] == 9
    assert drawn["digest"] != look(tmp_path, sound(colour=False))["digest"], "another split is another dataset"


def test_a_validation_split_that_is_too_small_is_learned_from(tmp_path: Path) -> None:
    arrays = medmnist(each=0)
    found = look(
        tmp_path, arrays | {"val_images": arrays["train_images"][:2], "val_labels": arrays["train_labels"][:2]}
    )
    assert (found["train_count"], found["validation"]) == (38, None)
    assert "2 validation images are too few in some class to choose by" in " ".join(found["remarks"])


@pytest.mark.parametrize("names", [("x_train", "y_train"), ("x", "y"), ("images", "labels"), ("data", "target")])
def test_images_without_a_test_set_are_split_here(tmp_path: Path, names: tuple[str, str]) -> None:
    arrays = sound(colour=True)
    found = look(tmp_path, {names[0]: arrays["x_train"], names[1]: arrays["y_train"][:, None]})
    assert (found["train_counts"], found["test_counts"]) == ([10, 10, 10], [2, 2, 2])
    assert DRAWN in found["remarks"]
    assert not any("own" in remark for remark in found["remarks"])


def test_the_arrays_of_keras_are_taken(tmp_path: Path) -> None:
    """`keras.datasets` gives labels (N, 1) for colours, and no names; what it keeps in its cache has these names."""
    arrays = nameless(sound(colour=True))
    found = look(tmp_path, {name: x[:, None].astype(np.uint8) if name[0] == "y" else x for name, x in arrays.items()})
    assert found["class_names"] == ("0", "1", "2")
    kept = np.load(tmp_path / "bundle.npz")
    assert all(np.array_equal(kept[name], x) for name, x in arrays.items())
