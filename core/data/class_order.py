"""The order of classes that an uploader says."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.facts import DatasetInvalid

_MOST_NAMED = 10


def in_order(arrays: Mapping[str, NDArray[Any]], said: str) -> dict[str, NDArray[Any]]:
    """The arrays of a bundle with their classes in the order that a line of CSV says.

    Raises DatasetInvalid where it is not each class once; the message has a line that is.
    """
    names = [str(name) for name in arrays["class_names"]]
    called = {_plain(name): name for name in names} | {name: name for name in names}
    wanted = [called.get(name) or called.get(_plain(name), _plain(name)) for name in _entries(said, names)]
    faults = [
        f"{fault} {', '.join(map(repr, them[:_MOST_NAMED]))}"
        for fault, them in (
            ("it leaves out", [name for name in names if name not in wanted]),
            ("there is no class", [name for name in wanted if name not in names]),
            ("it says twice", sorted({name for name in wanted if wanted.count(name) > 1})),
        )
        if them
    ]
    if faults:
        raise DatasetInvalid(f"`order` has to say each class once, and {'; '.join(faults)}: {_line(names)}")
    places = np.array([wanted.index(name) for name in names])
    labels = {name: places[arrays[name]] for name in ("y_train", "y_test")}
    return {**arrays, **labels, "class_names": np.array(wanted)}


def _entries(said: str, names: Sequence[str]) -> list[str]:
    """The entries of the line. Raises DatasetInvalid for several lines."""
    try:
        (line,) = csv.reader(said.strip("\r\n").splitlines(keepends=True), skipinitialspace=True)
    except (csv.Error, ValueError):
        raise DatasetInvalid(f"`order` has to be one line, classes with commas between: {_line(names)}") from None
    return line


def _plain(name: str) -> str:
    """A name in Unicode's composed form, without blanks around it."""
    return unicodedata.normalize("NFC", name.strip())


def _line(names: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(names)
    return f"order={line.getvalue()}"
