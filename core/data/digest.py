"""A dataset measured once and remembered: digest, shape, counts and copies, in a small file beside the bundle."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from core.data.bundle import Bundle
from core.data.doubts import copies_in
from core.data.facts import Copies, Kind, Mirroring
from core.data.mirroring import NUMBERS, mirroring_of, verdict
from core.data.numbers import kind_named
from core.data.split import held_of
from core.files import write_atomic

_VERSION = 3


@final
@dataclass(frozen=True)
class Measured:
    """The properties of a dataset that are known only after all of it was read."""

    shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    train_count: int
    test_count: int
    smallest_class: int
    members: tuple[int, ...]
    digest: str
    copies: Copies
    brightest: tuple[int, int] | None
    """Largest value of a pixel of the training and of the test images; None of what is no picture."""
    mirroring: Mirroring
    kind: Kind = "pictures"
    columns: tuple[str, ...] = ()
    validation: int | None = None
    """Images of the source's own validation split; None where one is drawn."""


@final
@dataclass(frozen=True)
class Stamp:
    """The values that must not change for a measurement to hold: the file's bytes and its modification time in ns."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """The stamp of the file at `path`."""
        status = path.stat()
        return cls(status.st_size, status.st_mtime_ns)


def measure(bundle: Bundle, before: Measured | None = None) -> Measured:
    """Shape, counts, digest, copies and mirroring of `bundle`.

    Pictures with the digest from `before` are not probed for mirroring again.
    """
    held = held_of(bundle.train, bundle.held_out)
    usable = np.bincount(bundle.train.labels[~held], minlength=len(bundle.class_names))
    _, channels, height, width = bundle.train.images.shape
    digest = content_digest(bundle)
    pictures = bundle.kind == "pictures"
    probed = before.mirroring if before is not None and before.digest == digest else None
    return Measured(
        shape=(channels, height, width),
        class_names=bundle.class_names,
        train_count=len(bundle.train),
        test_count=len(bundle.test),
        smallest_class=int(usable.min()),
        members=tuple(usable.tolist()),
        digest=digest,
        copies=copies_in(bundle.train, bundle.test),
        brightest=(int(bundle.train.images.max()), int(bundle.test.images.max())) if pictures else None,
        mirroring=verdict(bundle, probed) if pictures else NUMBERS,
        kind=bundle.kind,
        columns=bundle.columns,
        validation=None if bundle.held_out is None else int(held.sum()),
    )


def content_digest(bundle: Bundle) -> str:
    """`sha256:<hex>` over name, dtype, shape and bytes of every array in its canonical form.

    The same pictures and labels have the same digest whatever integer type or compression a file gave them.
    """
    content = hashlib.sha256()
    for name, array in (
        ("x_train", bundle.train.images),
        ("y_train", bundle.train.labels),
        ("x_test", bundle.test.images),
        ("y_test", bundle.test.labels),
    ):
        _feed(content, name, array)
    if bundle.held_out is not None:
        _feed(content, "held_out", bundle.held_out)
    said: dict[str, Any] = {"class_names": bundle.class_names}
    if bundle.kind != "pictures":
        said |= {"kind": bundle.kind, "columns": bundle.columns}
    content.update(json.dumps(said).encode())
    return f"sha256:{content.hexdigest()}"


def remember(file: Path, stamp: Stamp, measured: Measured) -> None:
    """Store a measurement in `file`; a folder that cannot be written is no error, only slower next time."""
    entry = {"version": _VERSION, "stamp": asdict(stamp), "measured": asdict(measured)}
    with contextlib.suppress(OSError):
        file.parent.mkdir(exist_ok=True)
        write_atomic(file, json.dumps(entry, indent=1).encode())


def recall(file: Path, stamp: Stamp) -> Measured | None:
    """The measurement that `remember` stored for this very `stamp`; None if there is none, or none that is legible."""
    try:
        entry: dict[str, Any] = json.loads(file.read_text())
        if entry["version"] == _VERSION and entry["stamp"] == asdict(stamp):
            return _measured(entry["measured"])
    except (OSError, ValueError, LookupError, TypeError):
        pass
    return None


def _measured(entry: dict[str, Any]) -> Measured:
    channels, height, width = (int(size) for size in entry["shape"])
    return Measured(
        shape=(channels, height, width),
        class_names=tuple(str(name) for name in entry["class_names"]),
        train_count=int(entry["train_count"]),
        test_count=int(entry["test_count"]),
        smallest_class=int(entry["smallest_class"]),
        members=tuple(int(count) for count in entry["members"]),
        digest=str(entry["digest"]),
        copies=Copies(**{name: int(count) for name, count in entry["copies"].items()}),
        brightest=(int(entry["brightest"][0]), int(entry["brightest"][1])) if entry["brightest"] else None,
        mirroring=mirroring_of(entry["mirroring"]),
        kind=kind_named(entry.get("kind", "pictures")),
        columns=tuple(str(name) for name in entry.get("columns", ())),
        validation=None if entry.get("validation") is None else int(entry["validation"]),
    )


def _feed(content: hashlib._Hash, name: str, array: NDArray[Any]) -> None:
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    content.update(json.dumps({"name": name, "dtype": little.dtype.str, "shape": little.shape}).encode())
    content.update(little.data.cast("B"))
