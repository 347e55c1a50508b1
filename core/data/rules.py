"""What a sound bundle is, rule by rule; every refusal says how to mend the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from core.data.facts import DatasetInvalid

ARRAYS = ("x_train", "y_train", "x_test", "y_test", "class_names")
MIRROR = "mirror"
"""An array that a bundle may have besides: whether a mirrored picture stays what it is, one boolean."""
FORMAT = (
    "an npz file (np.savez) with x_train and x_test uint8 (N, H, W) or (N, H, W, C) with C = 1 or 3, "
    "y_train and y_test integers 0..K-1, class_names K strings"
)
LEAST_IMAGES = {"train": 2, "test": 1}
"""Images every class must have, by split."""
LONGEST_NAME = 200


@final
@dataclass(frozen=True)
class Header:
    """The first bytes of a `.npy` member: what it says it holds."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    by_column: bool = False
    """Whether the first place varies fastest, which NumPy calls Fortran order."""


def check_headers(headers: Mapping[str, Header]) -> None:
    """Refuse arrays of a wrong type or shape from their headers alone, before any of them is read."""
    for split in ("train", "test"):
        _check_images(f"x_{split}", headers[f"x_{split}"])
        _check_labels(f"y_{split}", headers[f"y_{split}"], headers[f"x_{split}"].shape[0])
    if headers["x_train"].shape[1:] != headers["x_test"].shape[1:]:
        raise DatasetInvalid(
            f"x_train has images of shape {headers['x_train'].shape[1:]} but x_test of "
            f"{headers['x_test'].shape[1:]}; resize them to one shape"
        )
    if MIRROR in headers and (headers[MIRROR].dtype.kind != "b" or headers[MIRROR].shape != ()):
        raise DatasetInvalid(
            f"{MIRROR} is {_describe(headers[MIRROR])}; store np.array(True) where a mirrored picture stays what it "
            "is, np.array(False) where it does not, or leave it out"
        )
    names = headers["class_names"]
    if names.dtype.kind != "U" or len(names.shape) != 1:
        raise DatasetInvalid(f"class_names is {_describe(names)}; store np.array([...], dtype=str), one string a class")


def _check_images(name: str, header: Header) -> None:
    shape = header.shape
    if header.dtype != np.uint8:
        raise DatasetInvalid(
            f"{name} is {_describe(header)}; store pixels as uint8 from 0 to 255, "
            "e.g. np.rint(x * 255).astype(np.uint8) for x from 0 to 1"
        )
    if len(shape) == 4 and shape[3] not in (1, 3) and shape[1] in (1, 3):
        raise DatasetInvalid(f"{name} has shape {shape}: channels come last; store np.transpose({name}, (0, 2, 3, 1))")
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3)):
        raise DatasetInvalid(
            f"{name} has shape {shape}; images are (N, H, W), or (N, H, W, C) with 1 channel (grey) or 3 (RGB)"
        )
    if 0 in shape:
        raise DatasetInvalid(f"{name} has shape {shape}: it holds no pixels; give at least one image a class")


def _check_labels(name: str, header: Header, images: int) -> None:
    if header.dtype.kind not in "iu":
        raise DatasetInvalid(f"{name} is {_describe(header)}; store integers 0..K-1, e.g. {name}.astype(np.int64)")
    if len(header.shape) != 1:
        raise DatasetInvalid(f"{name} has shape {header.shape}; store one label an image: {name}.reshape(-1)")
    if header.shape[0] != images:
        raise DatasetInvalid(
            f"{name} has {header.shape[0]:,} labels for {images:,} images; give each image exactly one"
        )


def check_class_names(names: tuple[str, ...]) -> None:
    """Refuse class names that cannot tell the classes apart or cannot be printed in a card."""
    if len(names) < 2:
        raise DatasetInvalid(f"class_names has {len(names)} names; a classification task needs two classes or more")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DatasetInvalid(f"class_names holds {twice!r} more than once; give every class its own name")
    for name in names:
        if not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
            raise DatasetInvalid(
                f"class_names holds {name[:LONGEST_NAME]!r}; a name is 1 to {LONGEST_NAME} printable characters, "
                "not all blank"
            )


def check_labels(split: str, labels: NDArray[Any], class_names: tuple[str, ...]) -> None:
    """Refuse labels outside the class names, and classes without enough images to train or to be judged."""
    classes, (low, high) = len(class_names), (int(labels.min()), int(labels.max()))
    if low < 0 or high >= classes:
        raise DatasetInvalid(
            f"y_{split} runs from {low} to {high} but class_names names {classes} classes (0 to {classes - 1}); "
            "number the classes from 0 and name each of them"
        )
    counts = np.bincount(labels.astype(np.int64), minlength=classes)
    rarest = int(np.argmin(counts))
    if counts[rarest] < LEAST_IMAGES[split]:
        reason = "one of them is held out for validation" if split == "train" else "or its accuracy is unknown"
        raise DatasetInvalid(
            f"class {class_names[rarest]!r} has {counts[rarest]} {split} image(s) but needs {LEAST_IMAGES[split]} "
            f"({reason}); add images, or leave the class out and renumber the others"
        )


def _describe(header: Header) -> str:
    return f"{header.dtype.name} {header.shape}"
