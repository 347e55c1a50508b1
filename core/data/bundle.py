"""npz bundles: the one format in which a dataset can be given to the service, checked before it is believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from core.data.facts import Images
from core.data.npz import naming, read_npz
from core.data.rules import ARRAYS, FORMAT, MIRROR, check_class_names, check_headers, check_labels

_FORM = f"a bundle is {FORMAT}"


@final
@dataclass(frozen=True, eq=False)
class Bundle:
    """What a source holds, before the validation split."""

    train: Images
    test: Images
    class_names: tuple[str, ...]
    mirror: bool | None = None
    """Whether a mirrored picture stays what it is, where the source says so."""


def read_bundle(path: Path) -> Bundle:
    """Read and check the bundle at `path`.

    Raises DatasetInvalid, which names the file, the fault and its fix, for anything that is not a sound bundle;
    FileNotFoundError if there is no such file.
    """
    arrays = read_npz(path, ARRAYS, _FORM, check_headers, optional=[MIRROR])
    with naming(path, _FORM):
        return _bundle(arrays)


def write_bundle(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write `arrays` as a compressed bundle at `path`; the caller answers for their contents."""
    with path.open("wb") as file:
        names = [*ARRAYS, *([MIRROR] if MIRROR in arrays else [])]
        np.savez_compressed(file, allow_pickle=False, **{name: arrays[name] for name in names})


def _bundle(arrays: Mapping[str, NDArray[Any]]) -> Bundle:
    class_names = tuple(str(name) for name in arrays["class_names"])
    check_class_names(class_names)
    for split in ("train", "test"):
        check_labels(split, arrays[f"y_{split}"], class_names)
    train, test = (
        Images(_channels_first(arrays[f"x_{split}"]), arrays[f"y_{split}"].astype(np.int64))
        for split in ("train", "test")
    )
    return Bundle(train, test, class_names, bool(arrays[MIRROR]) if MIRROR in arrays else None)


def _channels_first(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if images.ndim == 3:
        return images[:, None]
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
