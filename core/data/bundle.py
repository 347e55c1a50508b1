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
from core.data.facts import DatasetInvalid, Images
from core.data.npz import Npz, is_bomb, lacking, opened
from core.data.rules import (
    ARRAYS,
    FORMAT,
    MIRROR,
    check_arrays,
    check_class_names,
    check_counts,
    check_pictures,
    check_range,
    class_names_of,
)

_FORM = f"a bundle is {FORMAT}"


@final
@dataclass(frozen=True, eq=False)
class Bundle:
    """The images and classes of a source, before the validation split."""

    train: Images
    test: Images
    class_names: tuple[str, ...]
    mirror: bool | None = None
    """Whether a mirrored picture stays what it is, where the source says so."""
    remarks: tuple[str, ...] = ()
    """The decisions about a file that does not say all itself, in sentences."""


def read_bundle(path: Path) -> Bundle:
    """Read and check the bundle at `path`, whose arrays may have other names that say as much.

    Raises DatasetInvalid, which names the file, the fault and its fix, for anything that is not a sound bundle;
    FileNotFoundError if there is no such file.
    """
    with opened(path, _FORM) as npz:
        names = _names(npz)
        check_arrays(npz, names)
        return _bundle({ours: npz.array(name) for ours, name in names.of.items()}, names)


def write_bundle(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write `arrays` as a bundle at `path`, row by row; the caller answers for their contents.

    It is compressed, unless flat pictures would become so small that reading them again would be refused.
    """
    rows = {name: np.asarray(arrays[name], order="C") for name in (*ARRAYS, MIRROR) if name in arrays}
    for write in (np.savez_compressed, np.savez):
        with path.open("wb") as file:
            write(file, allow_pickle=False, **rows)
        with zipfile.ZipFile(path) as archive:
            if not any(map(is_bomb, archive.infolist())):
                return


def _names(npz: Npz) -> ArrayNames:
    names = assigned(npz.members)
    if missing := [ours for ours in ARRAYS[:-1] if ours not in names.of]:
        raise DatasetInvalid(f"{lacking(missing, npz.members)}; {_FORM}")
    npz.check_sizes(list(names.of.values()))
    called = names.of.get("class_names", "class_names")
    if called != "class_names" and npz.header(called).dtype.kind not in "US":
        names = names.without("class_names")
    return names


def _bundle(arrays: Mapping[str, NDArray[Any]], names: ArrayNames) -> Bundle:
    train, test = (
        Images(_channels_first(arrays[f"x_{split}"]), arrays[f"y_{split}"].reshape(-1).astype(np.int64))
        for split in ("train", "test")
    )
    if "class_names" in arrays:
        class_names = tuple(str(name) for name in arrays["class_names"])
    else:
        class_names = class_names_of(np.concatenate([train.labels, test.labels]), names)
    check_class_names(class_names)
    check_range(train.labels, test.labels, class_names, names)
    for split, part in (("train", train), ("test", test)):
        check_counts(split, part.labels, class_names)
    check_pictures(train.images)
    mirror = bool(arrays[MIRROR]) if MIRROR in arrays else None
    return Bundle(train, test, class_names, mirror, tuple(_remarks(names, len(class_names))))


def _remarks(names: ArrayNames, classes: int) -> Iterator[str]:
    if renamed := names.renamed:
        yield f"Read as {', '.join(renamed.values())}: {', '.join(renamed)}."
    if "class_names" not in names.of:
        yield f'The classes have no names and are called "0" to "{classes - 1}".'
    if names.tested_on_validation:
        yield "The validation images are the test set, since there is no other."
    if names.others:
        yield f"Left out: {', '.join(names.others)}."


def _channels_first(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if images.ndim == 3:
        return np.ascontiguousarray(images[:, None])
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
