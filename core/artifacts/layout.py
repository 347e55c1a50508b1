"""The names of an artifact's files and their media types."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

CARD = "README.md"
PARQUET = "data/train-00000-of-00001.parquet"
BUNDLE = "dataset.npz"
TENSORS = "dataset.safetensors"
CSV = "dataset.csv"
COMPACT = "dataset.compact.safetensors"
VIEWS = "dataset.views.safetensors"
PREVIEW = "preview.png"
REPORT = "report.json"
RECIPE = "recipe.json"
METRICS = "metrics.parquet"
CROISSANT = "croissant.json"
MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
LOADER = "load.py"
STUDENT = "student.py"
GENERATOR = "generator.safetensors"
SAMPLER = "generate.py"

_SPLIT = re.compile(r"(?<![a-z])(train|training|validation|valid|dev|val|test|testing|eval|evaluation)(?![a-z])")
"""Words between other signs than letters that `datasets` takes for the name of a split, wherever in a path they are."""

_MEDIA_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".npz": "application/zip",
    ".parquet": "application/vnd.apache.parquet",
    ".png": "image/png",
    ".py": "text/x-python; charset=utf-8",
    ".safetensors": "application/octet-stream",
    "": "text/plain; charset=utf-8",
}


def chart(section: str) -> str:
    """The picture of the chart of a report's section."""
    return f"{section}.png"


def media_type(name: str) -> str:
    """Media type of an artifact's file, by its suffix."""
    return _MEDIA_TYPES[PurePosixPath(name).suffix]


def class_folders(class_names: Sequence[str]) -> list[str]:
    """A folder name per class: zero-padded number and plain name (`03-cat`), only the number if the name is that.

    The folders sort in the order of the labels, so a loader of class folders numbers the classes as we do. Readers
    that look for splits in paths find none: a name with such a word is written as one word (`04-bullettrain`), or not
    at all.
    """
    width = len(str(len(class_names) - 1))
    return [_folder(f"{label:0{width}d}", name) for label, name in enumerate(class_names)]


def image_names(labels: NDArray[np.int64], class_names: Sequence[str]) -> list[str]:
    """`images/<class>/<n>.png` for each image, n counting from 0 within its class."""
    folders, width = class_folders(class_names), len(str(int(np.bincount(labels).max()) - 1))
    seen = [0] * len(class_names)
    names = []
    for label in labels:
        names.append(f"images/{folders[label]}/{seen[label]:0{width}d}.png")
        seen[label] += 1
    return names


def files_in(folder: Path) -> list[str]:
    """Names of all files below `folder`, relative, with forward slashes, sorted."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _folder(number: str, name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].rstrip("-")
    if not plain or plain.lstrip("0") == number.lstrip("0"):
        return number
    spelled = (plain, plain.replace("-", ""))
    return next((f"{number}-{each}" for each in spelled if not _SPLIT.search(each)), number)
