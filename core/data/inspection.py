"""An upload is looked at: in a process of its own, with limits, so that a bomb takes down nothing but that process.

`inspect` starts it and tells what it found. Run as `python -m core.data.inspection FILE FOLDER [--size N]
[--mirror | --no-mirror] [--reading JSON] [--called NAME]`: it reads an archive (`core.data.archive`), an npz bundle or
a table (`core.data.table_files`) and writes `bundle.npz`, the pictures encoded anew and nothing else, and
`finding.json` into the folder.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
import traceback
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from core.data.archive import read_archive, read_shard
from core.data.bundle import Bundle, bundle_arrays, read_bundle, write_bundle
from core.data.class_order import in_order
from core.data.digest import measure
from core.data.doubts import UNSEARCHED, doubts, near_within, single_pictures
from core.data.evidence import evidence_of, keep, named
from core.data.facts import Copies, DatasetFacts, DatasetInvalid, NearCopies
from core.data.folders import AUTO, Folders, is_tar, of_bundle
from core.data.folders.faults import listed
from core.data.folders.scaling import chosen_side
from core.data.formats import check_zip
from core.data.left_out import finding_of
from core.data.mirroring import mirroring_of
from core.data.near_copies import near_copies
from core.data.numbers import kind_named
from core.data.reading import ARRAYS, PICTURES, Reading
from core.data.rules import ARRAYS as OURS
from core.data.rules import MIRROR, check_column_names
from core.data.split import DRAWN
from core.data.table_files import read_table, table_format

MEMORY_BYTES: Final = 8 * 2**30
SECONDS: Final = 900
"""How long an inspection may take."""

TOO_LARGE: Final = (
    f"it could not be inspected within {SECONDS} seconds and {MEMORY_BYTES // 2**30} GiB of memory; "
    "send fewer or smaller images"
)

_ROWS = (
    "The pictures are one pixel high: if they are rows of a table, store them as floats of two axes, (N, F), which are "
    "read as such."
)
_OF_ROWS = (
    (re.compile(r"(?<!['\w])(?:image|picture)(s?)\b(?!')"), r"row\1"),
    (re.compile(r"(?<!['\w])pixel(s?)\b(?!')"), r"number\1"),
)
"""Nouns of the remarks on any dataset, and those for rows; in the names of classes, which are quoted, they stay."""
_OWN_SPLIT = "The split into train and test is the bundle's own."
_ANEW = "save what is in it anew, and pack it as a plain zip or with np.savez"
_LIMITS = (-signal.SIGKILL, -signal.SIGXCPU, -signal.SIGXFSZ)
"""Statuses of a process that was ended because it took too much."""
_CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE)
_OWN = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.EMFILE, errno.ENFILE)
"""Error numbers of the service's own trouble, which say nothing of the upload."""
_FILE_BYTES = 4 * 2**30
_TICK = 0.05
_KEPT = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "TMPDIR", "HOME", "VIRTUAL_ENV")


def inspect(
    source: Path,
    folder: Path,
    size: int | None,
    stopped: Callable[[], bool],
    mirror: bool | None = None,
    reading: Mapping[str, Any] | None = None,
    called: str = "",
) -> dict[str, Any] | None:
    """The findings on the upload at `source`; its bundle is then `folder/bundle.npz`. None if it was stopped before.

    `size` is the side to scale pictures to, and AUTO has it chosen, if need be. `mirror` is the uploader's word, if
    there is one, on whether a mirrored picture stays what it is, `reading` that on all else (`Reading`). `called` is
    the name that it came under: what arrives has none of its own.

    Raises DatasetInvalid, which says what is wrong with it and how to mend it.
    """
    command = [sys.executable, "-m", "core.data.inspection", str(source), str(folder)]
    command += [] if size is None else ["--size", str(size)]
    command += [] if mirror is None else ["--mirror" if mirror else "--no-mirror"]
    command += ["--reading", json.dumps(dict(reading))] if reading else []
    command += [f"--called={called}"] if called else []
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | {"OMP_NUM_THREADS": "1"}
    deadline = time.monotonic() + SECONDS
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
    ) as child:
        while (status := child.poll()) is None:
            if stopped() or time.monotonic() > deadline:
                child.kill()
            time.sleep(_TICK)
    if stopped() and status:
        return None
    if status in _LIMITS:
        raise DatasetInvalid(TOO_LARGE)
    if -status in _CRASHES:
        raise DatasetInvalid(f"it is damaged: its reader ended by {signal.Signals(-status).name}; {_ANEW}")
    finding = folder / "finding.json"
    if status or not finding.exists():
        raise RuntimeError(f"an inspection ended with status {status}; its log says why")
    found: dict[str, Any] = json.loads(finding.read_text())
    if "fault" in found:
        raise DatasetInvalid(found["fault"])
    return found


def facts_of(dataset_id: str, title: str, found: dict[str, Any]) -> DatasetFacts:
    """The findings of `inspect`, as a row of the catalogue."""
    channels, height, width = found["shape"]
    # Absent in what was found before they were looked for.
    copies, near, brightest = found.get("copies"), found.get("near"), found.get("brightest")
    return DatasetFacts(
        name=dataset_id,
        title=title,
        shape=(channels, height, width),
        classes=len(found["class_names"]),
        class_names=tuple(found["class_names"]),
        train_count=found["train_count"],
        test_count=found["test_count"],
        smallest_class=found["smallest_class"],
        members=tuple(found.get("members", ())),
        digest=found["digest"],
        copies=Copies(**copies) if copies else None,
        brightest=(brightest[0], brightest[1]) if brightest else None,
        near=NearCopies(**near) if near else None,
        licence="unknown",
        citation="",
        on_disk=True,
        source="upload",
        where="uploaded; in the artifact store",
        mirroring=mirroring_of(found.get("mirroring"), (channels, height, width)),
        kind=kind_named(found.get("kind", "pictures")),
        columns=tuple(found.get("columns", ())),
        validation=found.get("validation"),
    )


def examine(
    source: Path,
    target: Path,
    size: int | None,
    mirror: bool | None = None,
    reading: Reading | None = None,
    called: str = "",
) -> dict[str, Any]:
    """Read an upload and write its bundle to `target`. Raises DatasetInvalid."""
    reading = reading or Reading()
    given, own_word = _read(source, size, reading, called)
    arrays, remarks, mirror = given.arrays, given.remarks, own_word if mirror is None else mirror
    if reading.order:
        arrays = in_order(arrays, reading.order)
        remarks += (f"The classes are in the order that was said: {listed(list(map(str, arrays['class_names'])))}.",)
    if mirror is not None and "kind" not in arrays:
        arrays[MIRROR] = np.array(mirror)
    write_bundle(target, arrays)
    bundle = read_bundle(target)
    check_column_names(bundle.columns)
    measured = measure(bundle)
    told = list[str]()
    if count := measured.copies.train + measured.copies.test:
        copies = "image is a copy" if count == 1 else "images are copies"
        told.append(f"{count:,} {copies} of another one in the same split.")
    told += single_pictures(bundle.train, bundle.class_names)
    found = asdict(measured) | _counts(bundle) | {"either_size": _either_size(given, bundle)}
    if bundle.kind == "pictures":
        near = near_copies(bundle.train, bundle.test)
        rows = evidence_of(bundle, near, measured.mirroring)
        keep(target, bundle, rows, near)
        found |= {"near": near and asdict(near.counts), "evidence": list(map(asdict, named(rows, given.files)))}
        told += [_ROWS] if min(measured.shape[1:]) == 1 else []
        told += near_within(near.counts) if near else [UNSEARCHED]
    told += doubts(facts_of("", "", found))
    if bundle.kind != "pictures":
        for noun, of_rows in _OF_ROWS:
            told = [noun.sub(of_rows, each) for each in told]
    remarks += tuple(told)
    found["left_out"] = finding_of(remarks)
    return found | {"remarks": remarks}


def _read(source: Path, size: int | None, reading: Reading, called: str) -> tuple[Folders, bool | None]:
    """The dataset in a file, and its own word on mirrored pictures."""
    form = table_format(source)
    if form == "parquet" and (read := read_shard(source, size, reading)):
        return read, None
    if not form and (is_tar(source) or not _is_bundle(check_zip(source))):
        return read_archive(source, size, reading), None
    reading.check_unsaid("this is a table" if form else "this is a bundle", PICTURES)
    if form:
        return of_bundle(read_table(source, form, reading, called), size), None
    if size not in (None, AUTO):
        raise DatasetInvalid("`size` is for files of pictures, and a bundle's images have one size: leave it out")
    reading.check_unsaid("this is a bundle", ARRAYS)
    bundle = read_bundle(source, reading.missing)
    own = () if any(each.startswith(("Split here", DRAWN)) for each in bundle.remarks) else (_OWN_SPLIT,)
    return Folders(bundle_arrays(bundle), (*own, *bundle.remarks)), bundle.mirror


def _either_size(given: Folders, bundle: Bundle) -> bool:
    """Whether a file becomes the same dataset with no size said and with AUTO."""
    shown = bundle.train.images.shape[2:] if bundle.kind == "pictures" else ()
    return not given.scaled and (not shown or chosen_side([(shown[1], shown[0])]) is None)


def _counts(bundle: Bundle) -> dict[str, list[int]]:
    classes = len(bundle.class_names)
    parts = (("train_counts", bundle.train), ("test_counts", bundle.test))
    return {name: np.bincount(part.labels, minlength=classes).tolist() for name, part in parts}


def _is_bundle(members: Sequence[zipfile.ZipInfo]) -> bool:
    """Whether a zip is of arrays: a stray one may lie beside folders of pictures."""
    names = [member.filename for member in members if not member.is_dir()]
    arrays = [name for name in names if name.endswith(".npy") and "/" not in name]
    own = any(name.removesuffix(".npy") in OURS for name in names if "/" not in name)
    return own or bool(arrays and not any("/" in name for name in names if not name.startswith("__MACOSX/")))


def main() -> None:
    """The process's work."""
    parser = argparse.ArgumentParser(prog="python -m core.data.inspection", description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int)
    parser.add_argument("--reading", type=json.loads)
    parser.add_argument("--called", default="")
    parser.add_argument("--mirror", action=argparse.BooleanOptionalAction)
    asked = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))
    try:
        reading = Reading.of(asked.reading)
        found = examine(asked.source, asked.folder / "bundle.npz", asked.size, asked.mirror, reading, asked.called)
    except DatasetInvalid as fault:
        found = {"fault": str(fault)}
    except MemoryError:
        found = {"fault": TOO_LARGE}
    except Exception as fault:
        if isinstance(fault, OSError) and fault.errno in _OWN:
            raise
        if isinstance(fault, OSError) and fault.errno == errno.EFBIG:
            found = {"fault": TOO_LARGE}
        else:
            traceback.print_exc()
            found = {"fault": f"it is damaged, or of a kind that is not read ({type(fault).__name__}); {_ANEW}"}
    (asked.folder / "finding.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
