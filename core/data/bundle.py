"""npz bundles: the one format in which a dataset can be given to the service, checked before it is believed."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from core.data.array_names import ArrayNames, assigned
from core.data.facts import DatasetInvalid, Images, Kind
from core.data.left_out import LeftOut
from core.data.npz import Npz, is_bomb, lacking, opened
from core.data.numbers import COLUMNS, KIND, TABLES, Missing, kind_of, natural_values, read_numbers
from core.data.rules import (
    ARRAYS,
    FORMAT,
    HELD_OUT,
    MIRROR,
    check_arrays,
    check_class_names,
    check_counts,
    check_held_out,
    check_pictures,
    check_range,
    check_share,
    check_splittable,
    class_names_of,
)
from core.data.split import DRAWN, SPLIT_SEED, own_validation, pictures_of, split_test

_TESTED = {"x_test", "y_test", "x_val", "y_val"}
_OF_PICTURES = ("x_val", "y_val", HELD_OUT)
_FORM = f"a bundle is {FORMAT}; {TABLES}"


@final
@dataclass(frozen=True, eq=False)
class Bundle:
    """The examples and classes of a source, before the validation split."""

    train: Images
    test: Images
    class_names: tuple[str, ...]
    mirror: bool | None = None
    """Whether a mirrored picture stays what it is, where the source says so."""
    remarks: tuple[str, ...] = ()
    """The decisions about a file that does not say all itself, in sentences."""
    kind: Kind = "pictures"
    columns: tuple[str, ...] = ()
    """The names of a table's columns, or of the channels of series, where the source has them."""
    held_out: NDArray[np.bool_] | None = None
    """Which of the training images are the source's own validation split; None where one is drawn."""


def read_bundle(path: Path, missing: Missing = "refuse") -> Bundle:
    """Read and check the bundle at `path`, whose arrays may have other names that say as much.

    `missing` says what becomes of values that are missing in a table or in series.

    Raises DatasetInvalid, which names the file, the fault and its fix, for anything that is not a sound bundle;
    FileNotFoundError if there is no such file.
    """
    with opened(path, _FORM) as npz:
        names = assigned(npz.members)
        if (kind := kind_of(npz, names)) != "pictures":
            return _numbers(npz, names.without(*_OF_PICTURES), kind, missing)
        names = _names(npz, names.unsplit)
        check_arrays(npz, names)
        return picture_bundle({ours: npz.array(name) for ours, name in names.of.items()}, names)


def write_bundle(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write `arrays` as a bundle at `path`, row by row; the caller answers for their contents.

    It is compressed, unless flat pictures would become so small that reading them again would be refused.
    """
    rows = {
        name: np.asarray(arrays[name], order="C")
        for name in (*ARRAYS, MIRROR, HELD_OUT, KIND, COLUMNS)
        if name in arrays
    }
    for write in (np.savez_compressed, np.savez):
        with path.open("wb") as file:
            write(file, allow_pickle=False, **rows)
        with zipfile.ZipFile(path) as archive:
            if not any(map(is_bomb, archive.infolist())):
                return


def bundle_arrays(bundle: Bundle) -> dict[str, NDArray[Any]]:
    """The arrays that `write_bundle` writes of a bundle."""
    arrays: dict[str, NDArray[Any]] = {"class_names": np.array(bundle.class_names)}
    for split, part in (("train", bundle.train), ("test", bundle.test)):
        if bundle.kind == "pictures":
            last = part.images.transpose(0, 2, 3, 1)
            arrays[f"x_{split}"] = last[..., 0] if last.shape[3] == 1 else last
        else:
            arrays[f"x_{split}"] = natural_values(part.images, bundle.kind)
        arrays[f"y_{split}"] = part.labels
    if bundle.held_out is not None:
        arrays[HELD_OUT] = bundle.held_out
    if bundle.kind != "pictures":
        arrays[KIND] = np.array(bundle.kind)
    if bundle.columns:
        arrays[COLUMNS] = np.array(bundle.columns)
    return arrays


def _numbers(npz: Npz, names: ArrayNames, kind: Kind, missing: Missing) -> Bundle:
    """The bundle of a table or of series."""
    wanted = ("x", "y") if "x" in names.of else ARRAYS[:-1]
    if lack := [ours for ours in wanted if ours not in names.of]:
        raise DatasetInvalid(f"{lacking(lack, npz.members)}; {_FORM}")
    names = _with_words(npz, names)
    read = {ours: name for ours, name in names.of.items() if ours not in (MIRROR, KIND)}
    npz.check_sizes(list(read.values()))
    for name in read.values():
        npz.header(name)  # which refuses what is no plain array
    arrays = {ours: npz.array(name) for ours, name in read.items()}
    train, test, class_names, columns, remarks = read_numbers(arrays, names, kind, missing)
    return Bundle(train, test, class_names, None, (*_remarks(names), *remarks), kind, columns)


def _names(npz: Npz, names: ArrayNames) -> ArrayNames:
    wanted = ("x_train", "y_train") if len(names.splits) == 1 and not _TESTED & names.of.keys() else ARRAYS[:-1]
    if missing := [ours for ours in wanted if ours not in names.of]:
        raise DatasetInvalid(f"{lacking(missing, npz.members)}; {_FORM}")
    npz.check_sizes(list(names.of.values()))
    return _with_words(npz, names)


def _with_words(npz: Npz, names: ArrayNames) -> ArrayNames:
    """The same, but an array of another name, such as `classes`, holds the classes' names only where it holds words."""
    called = names.of.get("class_names", "class_names")
    if called != "class_names" and npz.header(called).dtype.kind not in "US":
        return names.without("class_names")
    return names


def picture_bundle(arrays: Mapping[str, NDArray[Any]], names: ArrayNames) -> Bundle:
    """The bundle of checked arrays under our names, uint8 [N, H, W] or [N, H, W, C] and integers; `names` are the
    file's, for refusals and remarks. Without test images a fifth of each class is drawn.

    Raises DatasetInvalid.
    """
    parts = {
        split: Images(_channels_first(arrays[f"x_{split}"]), arrays[f"y_{split}"].reshape(-1).astype(np.int64))
        for split in names.splits
    }
    labels = {names.of[f"y_{split}"]: part.labels for split, part in parts.items()}
    if "class_names" in arrays:
        class_names = tuple(str(name) for name in arrays["class_names"])
    else:
        class_names = class_names_of(np.concatenate(list(labels.values())), names)
    check_class_names(class_names)
    check_range(labels, class_names, names.of.get("class_names", "class_names"))
    remarks = list(_remarks(names))
    if "class_names" not in names.of:
        remarks.append(f'The classes have no names and are called "0" to "{len(class_names) - 1}".')
    if "test" not in parts:
        parts, drawn = _with_test(parts["train"], class_names)
        remarks.insert(0, drawn)
    held = arrays[HELD_OUT] if HELD_OUT in arrays and "val" not in parts else None
    if "val" in parts:
        train, validation = parts["train"], parts.pop("val")
        is_own, told = own_validation(train.labels, validation.labels, len(class_names))
        remarks.append(told)
        parts["train"] = Images(
            np.concatenate([train.images, validation.images]), np.concatenate([train.labels, validation.labels])
        )
        held = np.arange(len(parts["train"])) >= len(train) if is_own else None
    train, test = parts["train"], parts["test"]
    for split, part in (("train", train), ("test", test)):
        check_counts(split, part.labels, class_names)
    if held is not None:
        check_held_out(train.labels, held, class_names)
    check_pictures(train.images)
    mirror = bool(arrays[MIRROR]) if MIRROR in arrays else None
    return Bundle(train, test, class_names, mirror, tuple(remarks), held_out=held)


def _with_test(images: Images, class_names: tuple[str, ...]) -> tuple[dict[str, Images], str]:
    check_splittable(images.labels, pictures_of(images.images), class_names)
    drawn = dict(zip(("train", "test"), split_test(images.labels, SPLIT_SEED, images.images), strict=True))
    for split, index in drawn.items():
        check_share(split, images.labels[index], class_names)
    return {split: images.take(index) for split, index in drawn.items()}, DRAWN


def _remarks(names: ArrayNames) -> Iterator[str]:
    """The sentences on arrays by their names."""
    if renamed := names.renamed:
        yield f"Read as {', '.join(renamed.values())}: {', '.join(renamed)}."
    if names.tested_on_validation:
        yield "The validation split is the test set, since there is no other."
    if names.others:
        yield LeftOut(f"Left out: {', '.join(names.others)}.", names.others)


def _channels_first(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if images.ndim == 3:
        return np.ascontiguousarray(images[:, None])
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
